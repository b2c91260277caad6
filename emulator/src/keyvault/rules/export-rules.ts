import { has } from '../api-version.ts'
import { badParameter, type KeyVaultError } from '../errors.ts'
import type { KeyRecord, KeyType, StoredReleasePolicy } from '../state.ts'
import { isHardware, type KeyStore } from './key-types.ts'
import {
  normaliseForManagedHsm,
  normaliseForVault,
  ReleasePolicyProblem,
  type WantedReleasePolicy,
} from './release-policy.ts'

/** What the key as a whole says about leaving the vault. It belongs to the key: every version shares it. */
export interface ExportRule {
  readonly exportable: boolean
  readonly releasePolicy?: StoredReleasePolicy
}

export interface NewVersionRequest {
  readonly store: KeyStore
  readonly apiVersion: string
  readonly kty: KeyType
  readonly keyOps: readonly string[]
  readonly exportable: boolean | undefined
  readonly policy: WantedReleasePolicy | undefined
}

/** Settles exportability and policy for a create or import, over `existing` if there is one. Throws AKV.SKR errors. */
export function settleNewVersion(request: NewVersionRequest, existing: KeyRecord | undefined): ExportRule {
  const { store, policy } = request
  const say = sayings(store)
  if (existing !== undefined && request.exportable !== undefined && request.exportable !== existing.exportable) {
    throw say.differentExportable()
  }
  const exportable = request.exportable ?? existing?.exportable ?? false
  if (exportable && (store === 'standard' || !has(request.apiVersion, 'release'))) throw say.notSupported()
  if (exportable && !isHardware(request.kty)) throw say.softwareKey()
  if (policy !== undefined && !exportable && !isForSecureUnwrap(request)) throw say.policyWithoutExport()
  if (policy !== undefined && existing?.releasePolicy?.immutable === true) throw say.immutable()
  const releasePolicy = policy === undefined ? existing?.releasePolicy : storePolicy(policy, store)
  if (exportable && releasePolicy === undefined) throw say.exportWithoutPolicy()
  return { exportable, ...(releasePolicy === undefined ? {} : { releasePolicy }) }
}

export interface UpdateRequest {
  readonly store: KeyStore
  readonly exportable: boolean | undefined
  readonly policy: WantedReleasePolicy | undefined
  readonly versioned: boolean
}

/** Settles what a PATCH does to them. The order of the refusals is the service's: 1014, then 1020, then 1016. */
export function settleUpdate(request: UpdateRequest, key: KeyRecord): ExportRule {
  const { store, policy } = request
  const say = sayings(store)
  if (request.exportable !== undefined && request.exportable !== key.exportable) throw say.changedExportable()
  if (policy === undefined) {
    return {
      exportable: key.exportable,
      ...(key.releasePolicy === undefined ? {} : { releasePolicy: key.releasePolicy }),
    }
  }
  if (key.releasePolicy?.immutable === true) throw say.immutable()
  if (request.versioned) throw say.versionedPolicy()
  if (!key.exportable && key.releasePolicy === undefined) throw say.policyWithoutExport()
  return { exportable: key.exportable, releasePolicy: storePolicy(policy, store) }
}

function storePolicy(policy: WantedReleasePolicy, store: KeyStore): StoredReleasePolicy {
  if (policy.data === '') throw sayings(store).exportWithoutPolicy()
  try {
    const data = store === 'managedHsm' ? normaliseForManagedHsm(policy.data) : normaliseForVault(policy.data)
    return { contentType: policy.contentType, data, immutable: policy.immutable }
  } catch (error) {
    if (error instanceof ReleasePolicyProblem) throw badParameter(`Key Release Policy: ${error.message}`)
    throw error
  }
}

/** A managed HSM key made for secure unwrap carries a policy although it never leaves. */
function isForSecureUnwrap({ store, keyOps }: NewVersionRequest): boolean {
  return store === 'managedHsm' && keyOps.includes('secureUnwrapKey')
}

type Saying =
  | 'notSupported'
  | 'differentExportable'
  | 'exportWithoutPolicy'
  | 'policyWithoutExport'
  | 'softwareKey'
  | 'changedExportable'
  | 'versionedPolicy'
  | 'immutable'

/** The number and the words of each refusal; managed HSMs say the same without the number. */
const SAYINGS: Readonly<Record<Saying, readonly [number: number, text: string]>> = {
  notSupported: [
    1001,
    "The exportable attribute is only supported with premium vaults and API version >= '7.3-preview'.",
  ],
  differentExportable: [1003, 'Cannot modify the exportable state of a key by creating a new version.'],
  exportWithoutPolicy: [1004, 'Exportable keys must have release policy.'],
  policyWithoutExport: [1005, 'Non-exportable keys must not have release policy.'],
  softwareKey: [1006, 'Only HSM-protected keys can be exportable.'],
  changedExportable: [1014, 'Cannot modify the exportable state of a key.'],
  versionedPolicy: [1016, 'Key Release Policy can only be set on versionless key'],
  immutable: [1020, 'Immutable Key Release Policy cannot be modified.'],
}

function sayings(store: KeyStore): Readonly<Record<Saying, () => KeyVaultError>> {
  const entries = Object.entries(SAYINGS).map(([name, [number, text]]) => [
    name,
    () => badParameter(store === 'managedHsm' ? text.replace(/\.$/, '') : `AKV.SKR.${number}: ${text}`),
  ])
  return Object.fromEntries(entries)
}
