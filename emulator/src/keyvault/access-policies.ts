import type { AccessPolicy, VaultRecord } from '../core/index.ts'
import type { Operation } from './target.ts'

/**
 * The word of an access policy's `permissions.keys` that each operation needs (Azure REST API, Key Vault management,
 * "KeyPermissions").
 */
const WORDS: Partial<Readonly<Record<Operation, string>>> = {
  get: 'get',
  getDeleted: 'get',
  attestation: 'get',
  list: 'list',
  listVersions: 'list',
  listDeleted: 'list',
  create: 'create',
  import: 'import',
  update: 'update',
  delete: 'delete',
  recover: 'recover',
  purge: 'purge',
  backup: 'backup',
  restore: 'restore',
  encrypt: 'encrypt',
  decrypt: 'decrypt',
  wrapKey: 'wrapKey',
  unwrapKey: 'unwrapKey',
  secureWrapKey: 'wrapKey',
  secureUnwrapKey: 'unwrapKey',
  sign: 'sign',
  verify: 'verify',
  release: 'release',
  rotate: 'rotate',
  getRotationPolicy: 'getrotationpolicy',
  putRotationPolicy: 'setrotationpolicy',
}

export const accessPolicyWord = (operation: Operation): string | undefined => WORDS[operation]

export interface PolicyCaller {
  readonly tenantId: string
  readonly objectId: string
  /** The application that the token was given to. */
  readonly clientId: string
}

/** Whether one of a vault's access policies gives its caller that permission on keys. Compared without case. */
export function accessPolicyGrants(vault: VaultRecord, caller: PolicyCaller, word: string): boolean {
  const wanted = word.toLowerCase()
  return policiesOf(vault, caller).some(({ permissions }) =>
    permissions.keys?.some((given) => given.toLowerCase() === 'all' || given.toLowerCase() === wanted),
  )
}

/** A policy that names an application is for the two together: that application on behalf of that principal. */
export function policiesOf(vault: VaultRecord, caller: PolicyCaller): AccessPolicy[] {
  return (vault.accessPolicies ?? []).filter(
    ({ tenantId, objectId, applicationId }) =>
      same(tenantId, caller.tenantId) &&
      same(objectId, caller.objectId) &&
      (applicationId === undefined || same(applicationId, caller.clientId)),
  )
}

const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()
