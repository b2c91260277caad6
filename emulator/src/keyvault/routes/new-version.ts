import { epochSeconds } from '../../core/index.ts'
import { has } from '../api-version.ts'
import { type Call, ok, type Reply } from '../call.ts'
import { makeKey, type NewKey, readImportedKey } from '../crypto/material.ts'
import { keyId } from '../personality/views.ts'
import { settleNewVersion } from '../rules/export-rules.ts'
import { settleKeyOps, settleKeySpec } from '../rules/key-types.ts'
import { addDuration } from '../rules/rotation-policy.ts'
import { keyStoreOf } from '../rules/vault-rules.ts'
import type { KeyRecord, KeyVersion } from '../state.ts'
import { type CommonFields, readCreate, readImport } from './bodies.ts'
import { journalDone, requireKey } from './lookup.ts'

/** Create, import and rotate: the three ways to a new version of a key. */

export async function create(call: Call): Promise<Reply> {
  const fields = readCreate(await call.body())
  const store = keyStoreOf(call.vault)
  refuseDeleted(call)
  const spec = settleKeySpec(fields, store)
  const keyOps = settleKeyOps(fields.keyOps, spec.kty, store)
  // Settled before the key is made, which may take seconds, and again when it is put in its place.
  settleExport(call, fields, { kty: spec.kty, keyOps }, existing(call))
  const made = await makeKey(spec, call.parts.ctx.random)
  return addNewVersion(call, 'createKey', made, keyOps, fields)
}

export async function importKey(call: Call): Promise<Reply> {
  const fields = readImport(await call.body())
  const store = keyStoreOf(call.vault)
  refuseDeleted(call)
  const brought = readImportedKey(fields.jwk, fields.hardware, store)
  const wanted = fields.jwk?.key_ops
  const keyOps = settleKeyOps(Array.isArray(wanted) && wanted.length > 0 ? wanted : undefined, brought.kty, store)
  return addNewVersion(call, 'importKey', brought, keyOps, fields)
}

/** A new version of the same type and size; exportability and release policy stay with the key. */
export async function rotate(call: Call): Promise<Reply> {
  const { ctx, keys } = call.parts
  const key = requireKey(call, { rotating: true })
  const latest = key.versions.at(-1)!
  const made = await makeKey(
    settleKeySpec({ kty: latest.kty, keySize: latest.keySize, curve: latest.publicJwk.crv }, keyStoreOf(call.vault)),
    ctx.random,
  )
  const created = epochSeconds(ctx.clock)
  const expiryTime = key.rotationPolicy?.expiryTime
  const version = newVersion(call, made, latest.keyOps, {
    ...(latest.tags === undefined ? {} : { tags: latest.tags }),
    ...(expiryTime === undefined ? {} : { expires: addDuration(created, expiryTime) }),
  })
  const rotated = keys.addVersion(key.host, key.name, version, made.material, (current) => {
    if (current === undefined || current.deleted) throw call.personality.says.keyNotFound(call, key.name)
    return { ...current, versions: [...current.versions, version] }
  })
  journalDone(call, 'rotateKey', keyId(call, rotated, version), `${key.name} has a new version.`)
  return ok(call.personality.keyBundle(call, rotated, version))
}

function addNewVersion(
  call: Call,
  operation: 'createKey' | 'importKey',
  made: NewKey,
  keyOps: readonly string[],
  fields: CommonFields,
): Reply {
  const { host } = call.vault
  const name = call.target.name!
  const version = newVersion(call, made, keyOps, fields)
  const key = call.parts.keys.addVersion(host, name, version, made.material, (current) => {
    if (current?.deleted !== undefined) throw call.personality.says.nameInUse(name)
    const rule = settleExport(call, fields, { kty: made.kty, keyOps }, current)
    const base: KeyRecord = current ?? { host, name, exportable: rule.exportable, versions: [] }
    return { ...base, ...rule, versions: [...base.versions, version] }
  })
  const verb = operation === 'createKey' ? 'created' : 'imported'
  const policy = key.exportable ? ', exportable under its release policy' : ''
  journalDone(call, operation, keyId(call, key, version), `${key.name} was ${verb} (${version.kty}${policy}).`)
  return ok(call.personality.keyBundle(call, key, version))
}

function newVersion(
  call: Call,
  made: NewKey,
  keyOps: readonly string[],
  fields: Pick<CommonFields, 'enabled' | 'notBefore' | 'expires' | 'tags'>,
): KeyVersion {
  const { clock, random } = call.parts.ctx
  const now = epochSeconds(clock)
  const { notBefore, expires, tags } = fields
  return {
    version: random.uuid().replaceAll('-', ''),
    kty: made.kty,
    keyOps,
    publicJwk: made.publicJwk,
    ...(made.keySize === undefined ? {} : { keySize: made.keySize }),
    enabled: fields.enabled ?? true,
    ...(notBefore === undefined ? {} : { notBefore }),
    ...(expires === undefined ? {} : { expires }),
    created: now,
    updated: now,
    ...(tags === undefined ? {} : { tags }),
  }
}

function settleExport(
  call: Call,
  fields: CommonFields,
  about: { readonly kty: KeyVersion['kty']; readonly keyOps: readonly string[] },
  current: KeyRecord | undefined,
) {
  const store = keyStoreOf(call.vault)
  const { exportable } = fields
  // A version of the API that has no release policies does not read one.
  const policy = has(call.apiVersion, 'release') ? fields.releasePolicy : undefined
  return settleNewVersion({ store, apiVersion: call.apiVersion, ...about, exportable, policy }, current)
}

const existing = (call: Call) => call.parts.keys.find(call.vault.host, call.target.name!)

function refuseDeleted(call: Call): void {
  if (existing(call)?.deleted !== undefined) throw call.personality.says.nameInUse(call.target.name!)
}
