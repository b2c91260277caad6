import { epochSeconds } from '../../core/index.ts'
import { has } from '../api-version.ts'
import { type Call, ok, type Reply } from '../call.ts'
import { makeKey, type NewKey, readImportedKey } from '../crypto/material.ts'
import { notCovered } from '../errors.ts'
import { keyId } from '../personality/views.ts'
import { requireReachableAuthorities } from '../release/reachable-authorities.ts'
import { settleNewVersion } from '../rules/export-rules.ts'
import { AES_SIZES, settleKeyOps, settleKeySpec, unsupportedSize } from '../rules/key-types.ts'
import { keyStoreOf, requireRoomForVersion } from '../rules/vault-rules.ts'
import type { KeyRecord, KeyVersion } from '../state.ts'
import { type CommonFields, readCreate, readImport } from './bodies.ts'
import { isTransferred, readTransferredKey } from './byok.ts'
import { journalDone, nameTaken } from './lookup.ts'

/** Create and import: two of the three ways to a new version of a key; the third is its rotation. */

export async function create(call: Call): Promise<Reply> {
  const fields = readCreate(await call.body())
  const store = keyStoreOf(call.vault)
  if (fields.externalKey !== undefined && store === 'managedHsm' && has(call.apiVersion, 'externalKeys')) {
    throw notCovered('SkerryExternalKeysNotCovered', 'Skerry does not cover keys that an external key manager holds.')
  }
  refuseDeleted(call)
  const spec = settleKeySpec(fields, store)
  // Longer than AES takes: for HMAC, which came later.
  if (spec.family === 'oct' && spec.keySize > 256 && !has(call.apiVersion, 'hmac')) {
    throw unsupportedSize(spec.keySize, AES_SIZES)
  }
  const keyOps = settleKeyOps(fields.keyOps, spec.kty, store)
  // Settled before the key is made, which may take seconds, and again when it is put in its place.
  settleExport(call, fields, { kty: spec.kty, keyOps }, existing(call))
  await requireReachableAuthorities(call, fields.releasePolicy)
  const made = await makeKey(spec, call.parts.ctx.random)
  return addNewVersion(call, 'createKey', made, keyOps, fields)
}

export async function importKey(call: Call): Promise<Reply> {
  const fields = readImport(await call.body())
  const store = keyStoreOf(call.vault)
  refuseDeleted(call)
  const brought = isTransferred(fields.jwk)
    ? readTransferredKey(call, fields.jwk, store)
    : readImportedKey(fields.jwk, fields.hardware, store)
  const keyOps = settleKeyOps(fields.keyOps, brought.kty, store)
  settleExport(call, fields, { kty: brought.kty, keyOps }, existing(call))
  await requireReachableAuthorities(call, fields.releasePolicy)
  return addNewVersion(call, 'importKey', brought, keyOps, fields)
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
  const version: KeyVersion = {
    ...newVersion(call, made, keyOps, fields),
    ...(operation === 'importKey' ? { imported: true as const } : {}),
  }
  const key = call.parts.keys.addVersion(host, name, version, made.material, (current) => {
    if (current?.deleted !== undefined) throw nameTaken(call, current)
    requireRoomForVersion(call.vault, current)
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
  const key = existing(call)
  if (key?.deleted !== undefined) throw nameTaken(call, key)
}
