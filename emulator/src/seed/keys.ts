import { RELEASE_POLICY_CONTENT_TYPE } from '@skerry/guest/wire'
import { type EmulatorContext, epochSeconds } from '../core/index.ts'
import { makeKey, type NewKey, readImportedKey } from '../keyvault/crypto/material.ts'
import { KeyVaultError } from '../keyvault/index.ts'
import { keyVaultParts } from '../keyvault/parts.ts'
import { settleNewVersion } from '../keyvault/rules/export-rules.ts'
import { type KeyStore, settleKeyOps, settleKeySpec } from '../keyvault/rules/key-types.ts'
import { settleRotationPolicy } from '../keyvault/rules/rotation-policy.ts'
import { keyStoreOf } from '../keyvault/rules/vault-rules.ts'
import type { KeyRecord, KeyVersion, StoredMaterial } from '../keyvault/state.ts'
import { definedOf } from './directory.ts'
import { SeedError } from './error.ts'
import { keyOfPath, type ParsedSeed } from './parse.ts'
import { findVault, managedHsmHost, vaultHost } from './resources.ts'
import type { SeedDocument, SeedKey } from './schema.ts'

/** A key that is made and not yet in its vault. */
export interface PreparedKey {
  readonly record: KeyRecord
  readonly materials: Readonly<Record<string, StoredMaterial>>
}

/** The version of the keys API whose rules hold for the keys of a seed. */
const API_VERSION = '2026-04-01'

/**
 * Settles every key of a seed by the vault's own rules, then makes those that are not there yet.
 * @throws SeedError where the vault would refuse a key
 */
export async function prepareKeys(ctx: EmulatorContext, { document, files }: ParsedSeed): Promise<PreparedKey[]> {
  const { keys } = keyVaultParts(ctx)
  const settled = (document.keys ?? []).flatMap((key, at) => {
    const path = ['keys', at]
    const host = key.vault === undefined ? managedHsmHost(key.managedHsm!) : vaultHost(key.vault)
    const store = storeOf(ctx, document, host, path)
    const file = files.get(keyOfPath([...path, 'importFrom']))
    const makes = refused(path, () => settle(ctx, { key, host, store, file, path }))
    return keys.find(host, key.name) === undefined ? [makes] : []
  })
  return await Promise.all(settled.map((make) => make()))
}

/** Called in a transaction. */
export function plantKeys(ctx: EmulatorContext, prepared: readonly PreparedKey[]): void {
  const { keys } = keyVaultParts(ctx)
  for (const { record, materials } of prepared) keys.restore(record, materials)
}

interface KeyToSettle {
  readonly key: SeedKey
  readonly host: string
  readonly store: KeyStore
  /** The text of the file that it is imported from. */
  readonly file: string | undefined
  readonly path: readonly (string | number)[]
}

/** Everything that can be wrong is wrong now; what is given back makes the key. */
function settle(ctx: EmulatorContext, { key, host, store, file, path }: KeyToSettle): () => Promise<PreparedKey> {
  const brought = file === undefined ? undefined : imported(key, file, store, path)
  const spec =
    brought === undefined ? settleKeySpec({ kty: key.kty!, keySize: key.keySize, curve: key.curve }, store) : undefined
  const kty = brought?.kty ?? spec!.kty
  const keyOps = settleKeyOps(key.keyOps, kty, store)
  const policy = key.releasePolicy
  const rule = settleNewVersion(
    {
      store,
      apiVersion: API_VERSION,
      kty,
      keyOps,
      exportable: key.exportable ?? policy !== undefined,
      policy: policy && {
        contentType: RELEASE_POLICY_CONTENT_TYPE,
        data: Buffer.from(JSON.stringify(policy)).toString('base64url'),
        immutable: key.immutable ?? false,
      },
    },
    undefined,
  )
  const now = epochSeconds(ctx.clock)
  const times = { created: now, updated: now }
  const rotationPolicy =
    key.rotationPolicy &&
    settleRotationPolicy(
      {
        lifetimeActions: key.rotationPolicy.lifetimeActions.map(({ action, ...trigger }) => ({
          type: action,
          ...definedOf(trigger),
        })),
        expiryTime: key.rotationPolicy.expiryTime,
      },
      store === 'managedHsm' ? 'managedHsm' : 'vault',
      times,
    )
  return async () => {
    const made = brought ?? (await makeKey(spec!, ctx.random))
    const version: KeyVersion = {
      version: ctx.random.uuid().replaceAll('-', ''),
      kty: made.kty,
      keyOps,
      publicJwk: made.publicJwk,
      ...(made.keySize !== undefined && { keySize: made.keySize }),
      enabled: key.enabled ?? true,
      ...(key.notBefore !== undefined && { notBefore: secondsOf(key.notBefore) }),
      ...(key.expires !== undefined && { expires: secondsOf(key.expires) }),
      ...times,
      ...(key.tags !== undefined && { tags: key.tags }),
      ...(brought !== undefined && { imported: true as const }),
    }
    const record: KeyRecord = {
      host,
      name: key.name,
      ...rule,
      ...(rotationPolicy !== undefined && { rotationPolicy }),
      versions: [version],
    }
    return { record, materials: { [version.version]: made.material } }
  }
}

function imported(key: SeedKey, file: string, store: KeyStore, path: readonly (string | number)[]): NewKey {
  let jwk: unknown
  try {
    jwk = JSON.parse(file)
  } catch {
    // Said below: the parser's message would quote the key.
  }
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) {
    throw new SeedError([...path, 'importFrom'], 'wanted a file that holds one JWK')
  }
  return readImportedKey(jwk as Record<string, unknown>, key.hsm ?? false, store)
}

/** Whose rules hold for a key: those of a vault of the seed, or of one that exists, which stays as it is. */
function storeOf(
  ctx: EmulatorContext,
  { vaults = [], managedHsms = [] }: SeedDocument,
  host: string,
  path: readonly (string | number)[],
): KeyStore {
  const existing = findVault(ctx, host)
  if (existing !== undefined) return keyStoreOf(existing)
  if (managedHsms.some(({ name }) => managedHsmHost(name) === host)) return 'managedHsm'
  const seeded = vaults.find(({ name }) => vaultHost(name) === host)
  if (seeded === undefined) throw new SeedError(path, `wanted a vault or managed HSM that exists: there is no ${host}`)
  return seeded.sku ?? 'premium'
}

/** What the vault refuses, in its own words, at its place in the seed. */
function refused<T>(path: readonly (string | number)[], settle: () => T): T {
  try {
    return settle()
  } catch (error) {
    if (error instanceof KeyVaultError) throw new SeedError(path, error.message.trim())
    throw error
  }
}

const secondsOf = (time: string): number => Math.floor(Date.parse(time) / 1000)
