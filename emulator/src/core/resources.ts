/**
 * The documents that more than one service reads: what ARM creates and others act on. Each lives in the collection of
 * the store named here, under the key said here. ARM ids keep the case they were created with in the document; keys are
 * lower case.
 */

export const COLLECTIONS = {
  /** VaultRecord by host name: `v.vault.azure.net`, `h.managedhsm.azure.net`. */
  vaults: 'vaults',
  /** AttestationProviderRecord by host name. */
  attestationProviders: 'attestationProviders',
  /** ServicePrincipalRecord by object id. */
  servicePrincipals: 'servicePrincipals',
  /** ManagedIdentityRecord by lower-case ARM id. */
  managedIdentities: 'managedIdentities',
  /** RoleAssignmentRecord by lower-case ARM id. */
  roleAssignments: 'roleAssignments',
  /** ContainerGroupIdentityRecord by lower-case ARM id of the group: which identities its IMDS answers for. */
  containerGroupIdentities: 'containerGroupIdentities',
} as const

export interface VaultRecord {
  readonly kind: 'vault' | 'managedHsm'
  readonly name: string
  readonly host: string
  /** Full ARM id. */
  readonly id: string
  readonly location: string
  readonly tenantId: string
  /** `standard` or `premium` for vaults; mHSM skus otherwise. */
  readonly sku: string
  readonly enableRbacAuthorization: boolean
  readonly softDeleteRetentionInDays: number
  readonly enablePurgeProtection: boolean
  readonly tags?: Readonly<Record<string, string>>
}

export interface AttestationProviderRecord {
  readonly name: string
  /** `shared.weu.attest.azure.net`: the issuer is `https://` + host. */
  readonly host: string
  readonly trustModel: 'AAD' | 'Isolated' | 'Shared'
  /** Full ARM id; absent for a shared provider. */
  readonly id?: string
  readonly location?: string
}

/** Anything Entra issues tokens for. */
export interface ServicePrincipalRecord {
  readonly objectId: string
  readonly clientId: string
  readonly displayName: string
  readonly kind: 'application' | 'managedIdentity'
  /** SHA-256 of the client secret, hex; the secret itself is not kept. */
  readonly clientSecretSha256?: string
}

export interface ManagedIdentityRecord {
  readonly id: string
  readonly name: string
  readonly location: string
  readonly tenantId: string
  /** The object id of its service principal. */
  readonly principalId: string
  readonly clientId: string
  readonly tags?: Readonly<Record<string, string>>
}

export interface RoleAssignmentRecord {
  readonly id: string
  readonly name: string
  readonly scope: string
  readonly roleDefinitionId: string
  readonly principalId: string
  readonly principalType?: string
  readonly createdOn: string
  readonly createdBy: string
}

/** In place of a group's id: the guest that `skerry run` starts, and whoever else comes by no group's door. */
export const LOCAL_GUEST = 'local'

export interface ContainerGroupIdentityRecord {
  readonly groupId: string
  /** Lower-case ARM ids of user-assigned identities. */
  readonly userAssigned: readonly string[]
  /** Object id of the system-assigned one, if any. */
  readonly systemAssignedPrincipalId?: string
}
