import type { Clock, Store } from '../core/index.ts'
import { epochSeconds } from '../core/index.ts'
import { type Deletion, lifecycleOf } from './rules/lifecycle.ts'
import type { RotationPolicy } from './rules/rotation-policy.ts'

/** A key of a vault or managed HSM: what all of its versions share. Times are whole seconds since the epoch. */
export interface KeyRecord {
  readonly host: string
  readonly name: string
  readonly exportable: boolean
  readonly releasePolicy?: StoredReleasePolicy
  readonly rotationPolicy?: RotationPolicy
  /** Oldest first; never empty. */
  readonly versions: readonly KeyVersion[]
  readonly told?: ToldOfExpiry
  readonly deleted?: Deletion
}

/** What was said about the expiry of the latest version. Another version, or another expiry, is news again. */
export interface ToldOfExpiry {
  readonly version: string
  readonly expires: number
  readonly what: 'nearExpiry' | 'expired'
}

export interface KeyVersion {
  /** 32 lower-case hex digits. */
  readonly version: string
  readonly kty: KeyType
  readonly keyOps: readonly string[]
  /** The public members of the JWK, in the vault's order: `n`, `e`, or `crv`, `x`, `y`, or nothing for `oct-HSM`. */
  readonly publicJwk: Readonly<Record<string, string>>
  /** Bits: the modulus of an RSA key, the length of an oct key; absent for EC. */
  readonly keySize?: number
  readonly enabled: boolean
  readonly notBefore?: number
  readonly expires?: number
  readonly created: number
  readonly updated: number
  readonly tags?: Readonly<Record<string, string>>
  /** Brought from outside; absent: made here. */
  readonly imported?: true
}

export type KeyType = 'RSA' | 'RSA-HSM' | 'EC' | 'EC-HSM' | 'oct-HSM'

/** A release policy as the service stores and echoes it. `data` is base64url of the policy's JSON. */
export interface StoredReleasePolicy {
  readonly contentType: string
  readonly data: string
  readonly immutable: boolean
}

/** The secret part of one version: PKCS#8 DER (RSA, EC) or the raw bytes (oct), standard base64. */
export interface StoredMaterial {
  readonly form: 'pkcs8' | 'raw'
  readonly data: string
}

/** The keys of every vault. Names compare without case, as the service's object identifiers do. */
export interface KeyState {
  /** The key, live or deleted; what is past its purge date is gone. */
  find(host: string, name: string): KeyRecord | undefined
  /** All keys of a host in the order of their names. */
  list(host: string): KeyRecord[]
  /** The first `limit` live or deleted keys of a host from a name on; costs what it gives, however many keys there are. */
  page(host: string, which: 'live' | 'deleted', from: string, limit: number): KeyRecord[]
  put(key: KeyRecord): void
  /** Adds a version with its material to what `change` makes of the key as it is at that moment. */
  addVersion(
    host: string,
    name: string,
    version: KeyVersion,
    material: StoredMaterial,
    change: (existing: KeyRecord | undefined) => KeyRecord,
  ): KeyRecord
  material(key: KeyRecord, version: KeyVersion): StoredMaterial
  /** Puts a key with the material of its versions back; false when the name is in use, live or deleted. */
  restore(key: KeyRecord, materials: Readonly<Record<string, StoredMaterial>>): boolean
  purge(key: KeyRecord): void
}

/** More recoveries than a fault plan keeps waiting at a time. */
const MOST_RECOVERING = 10_000

export function createKeyState(store: Store, clock: Clock): KeyState {
  const keys = store.collection<KeyRecord>('keyvault.keys')
  const sharedKeys = store.shared<KeyRecord>('keyvault.keys')
  const byDeletion = store.split<KeyRecord>('keyvault.keys', 'deleted')
  const recovering = store.split<KeyRecord>('keyvault.keys', 'deleted.recoveredAt').having
  // Apart from the records, so that listing or describing a key never touches what must stay secret.
  const materials = store.collection<StoredMaterial>('keyvault.material')
  const sharedMaterials = store.shared<StoredMaterial>('keyvault.material')
  const keyOf = (host: string, name: string) => `${host}/${name.toLowerCase()}`
  const materialOf = (host: string, name: string, version: string) => `${keyOf(host, name)}/${version}`

  const purge = (key: KeyRecord) =>
    store.transaction(() => {
      keys.delete(keyOf(key.host, key.name))
      for (const { version } of key.versions) materials.delete(materialOf(key.host, key.name, version))
    })
  const unlessPurged = (key: KeyRecord | undefined) => {
    if (key?.deleted === undefined) return key
    if (lifecycleOf(key, clock.now()) === 'live') return withoutDeletion(key)
    if (key.deleted.scheduledPurgeDate > epochSeconds(clock)) return key
    purge(key)
    return undefined
  }
  const find = (host: string, name: string) => unlessPurged(sharedKeys.get(keyOf(host, name)))

  /** A recovery that is over left its record where deleted ones are. */
  const settleRecovered = (host: string) => {
    for (const key of recovering.page(`${host}/`, '', MOST_RECOVERING)) {
      if (lifecycleOf(key, clock.now()) === 'live') keys.put(keyOf(host, key.name), withoutDeletion(key))
    }
  }
  const page = (host: string, which: 'live' | 'deleted', from: string, limit: number) => {
    settleRecovered(host)
    const source = which === 'live' ? byDeletion.lacking : byDeletion.having
    const found: KeyRecord[] = []
    for (let at = from; ; ) {
      const wanted = limit - found.length
      const records = source.page(`${host}/`, at, wanted)
      for (const record of records) {
        const key = unlessPurged(record)
        if (key !== undefined && lifecycleOf(key, clock.now()) === which) found.push(key)
      }
      const last = records.at(-1)
      if (last === undefined || records.length < wanted || found.length === limit) return found
      at = `${last.name.toLowerCase()}\0`
    }
  }

  return {
    find,
    page,
    list: (host) =>
      keys
        .values(`${host}/`)
        .map(unlessPurged)
        .filter((key) => key !== undefined),
    put: (key) => keys.put(keyOf(key.host, key.name), key),
    addVersion: (host, name, version, material, change) =>
      store.transaction(() => {
        const key = change(find(host, name))
        keys.put(keyOf(host, name), key)
        materials.put(materialOf(host, name, version.version), material)
        return key
      }),
    material(key, { version }) {
      const material = sharedMaterials.get(materialOf(key.host, key.name, version))
      if (material === undefined) throw new Error(`the store has no material for version ${version} of ${key.name}`)
      return material
    },
    restore: (key, restored) =>
      store.transaction(() => {
        if (find(key.host, key.name) !== undefined) return false
        keys.put(keyOf(key.host, key.name), key)
        for (const [version, material] of Object.entries(restored)) {
          materials.put(materialOf(key.host, key.name, version), material)
        }
        return true
      }),
    purge,
  }
}

/** The newest version, or the one named. */
export function versionOf(key: KeyRecord, version: string | undefined): KeyVersion | undefined {
  return version === undefined
    ? key.versions.at(-1)
    : key.versions.find((each) => each.version === version.toLowerCase())
}

/** The key with one of its versions replaced. */
export function withVersion(key: KeyRecord, changed: KeyVersion): KeyRecord {
  return { ...key, versions: key.versions.map((each) => (each.version === changed.version ? changed : each)) }
}

function withoutDeletion({ deleted: _, ...key }: KeyRecord): KeyRecord {
  return key
}
