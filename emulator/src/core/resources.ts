/**
 * The documents that more than one service reads: what ARM creates and others act on. Each lives in the collection of
 * the store named here, under the key said here. ARM ids keep the case they were created with in the document; keys are
 * lower case.
 */

export const COLLECTIONS = {
  /** VaultRecord by host name: `v.vault.azure.net`, `h.managedhsm.azure.net`. */
  vaults: 'vaults',
  /** DeletedVaultRecord by host name: those that may still be recovered. */
  deletedVaults: 'deletedVaults',
  /** AttestationProviderRecord by host name. */
  attestationProviders: 'attestationProviders',
  /** ServicePrincipalRecord by object id. */
  servicePrincipals: 'servicePrincipals',
  /** UserRecord by object id. */
  users: 'users',
  /** IssuerKeysRecord by issuer. */
  oidcIssuers: 'oidcIssuers',
  /** ManagedIdentityRecord by lower-case ARM id. */
  managedIdentities: 'managedIdentities',
  /** RoleAssignmentRecord by lower-case ARM id. */
  roleAssignments: 'roleAssignments',
  /** RoleDefinitionRecord by its GUID, lower case: custom roles; the built-in ones are in no collection. */
  roleDefinitions: 'roleDefinitions',
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
  /** Whether role assignments decide in the data plane; if not, `accessPolicies` do. */
  readonly enableRbacAuthorization: boolean
  readonly softDeleteRetentionInDays: number
  readonly enablePurgeProtection: boolean
  readonly tags?: Readonly<Record<string, string>>
  readonly accessPolicies?: readonly AccessPolicy[]
  /** Absent: `Enabled`. */
  readonly publicNetworkAccess?: 'Enabled' | 'Disabled'
  readonly networkAcls?: NetworkRules
  readonly enabledForDeployment?: boolean
  readonly enabledForDiskEncryption?: boolean
  readonly enabledForTemplateDeployment?: boolean
  /**
   * Of a managed HSM: object ids that get Managed HSM Administrator at `/`. Absent: the seeded administrator is
   * everything there, so that keys can be used at once.
   */
  readonly initialAdminObjectIds?: readonly string[]
  /** Of a managed HSM made through Resource Manager: until when it says `Provisioning`, in milliseconds. */
  readonly provisionedAtMs?: number
}

/** Who may do what in a vault without role-based access; permissions are the words of Key Vault, in any case. */
export interface AccessPolicy {
  readonly tenantId: string
  readonly objectId: string
  /** With it, the policy holds only for tokens that this application got for that principal. */
  readonly applicationId?: string
  readonly permissions: AccessPolicyPermissions
}

export interface AccessPolicyPermissions {
  readonly keys?: readonly string[]
  readonly secrets?: readonly string[]
  readonly certificates?: readonly string[]
  readonly storage?: readonly string[]
}

/** The firewall of a vault. */
export interface NetworkRules {
  readonly bypass: 'AzureServices' | 'None'
  readonly defaultAction: 'Allow' | 'Deny'
  /** IPv4 addresses or ranges in CIDR notation. */
  readonly ipRules: readonly { readonly value: string }[]
  /** Kept and shown; there is no virtual network that a request could come from. */
  readonly virtualNetworkRules: readonly { readonly id: string; readonly ignoreMissingVnetServiceEndpoint?: boolean }[]
}

/** A vault or managed HSM that was deleted: what is in it stays where it is until the purge. */
export interface DeletedVaultRecord {
  readonly vault: VaultRecord
  /** Milliseconds since the epoch. */
  readonly deletedAtMs: number
  readonly scheduledPurgeMs: number
  /** A purge that was asked for and is under way. */
  readonly purgedAtMs?: number
}

export interface AttestationProviderRecord {
  readonly name: string
  /** `shared.weu.attest.azure.net`: the issuer is `https://` + host. */
  readonly host: string
  readonly trustModel: 'AAD' | 'Isolated' | 'Shared'
  /** Full ARM id; absent for a shared provider. */
  readonly id?: string
  readonly location?: string
  readonly tags?: Readonly<Record<string, string>>
}

/** Anything Entra issues tokens for. */
export interface ServicePrincipalRecord {
  readonly objectId: string
  readonly clientId: string
  readonly displayName: string
  readonly kind: 'application' | 'managedIdentity'
  /** SHA-256 of the client secret, hex; the secret itself is not kept. */
  readonly clientSecretSha256?: string
  /** Certificates registered for it, DER in base64: it may sign assertions with their keys. */
  readonly certificates?: readonly string[]
  /** Whose certificates it may sign with, whichever they are: they must come with their chain (`x5c`). */
  readonly trustedSubjects?: readonly TrustedSubjectRecord[]
  /** Tokens of other issuers that are as good as a secret of its own. */
  readonly federatedCredentials?: readonly FederatedCredentialRecord[]
  /** Runs on a person's machine and has no credential of its own: it signs users in. */
  readonly publicClient?: boolean
}

/** A subject name and the authorities that may vouch for it ("subject name and issuer" authentication). */
export interface TrustedSubjectRecord {
  /** A DNS name or common name of the certificate. */
  readonly subjectName: string
  /** Root certificates, DER in base64. */
  readonly authorities: readonly string[]
}

/** A federated identity credential: everything compares exactly, case included. */
export interface FederatedCredentialRecord {
  readonly name: string
  /** The URL that the token's `iss` must be. */
  readonly issuer: string
  readonly subject: string
  readonly audiences: readonly string[]
}

/** A person of the tenant. */
export interface UserRecord {
  readonly objectId: string
  /** `ada@skerry.example`. */
  readonly userPrincipalName: string
  readonly displayName: string
  /** scrypt of the password; absent: this user signs in without one, and only where the door knows who asks. */
  readonly password?: { readonly salt: string; readonly hash: string }
}

/** The keys of an OpenID issuer that were given at the start, so that nobody is asked for them. */
export interface IssuerKeysRecord {
  readonly issuer: string
  /** JWKS members (RFC 7517), public keys only. */
  readonly keys: readonly Readonly<Record<string, unknown>>[]
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
  readonly description?: string
  readonly createdOn: string
  readonly createdBy: string
}

/** A custom role. */
export interface RoleDefinitionRecord {
  /** The GUID, lower case. */
  readonly name: string
  readonly roleName: string
  readonly description: string
  readonly permissions: readonly RolePermissionRecord[]
  /** ARM ids of subscriptions, groups or resources where the role can be assigned. */
  readonly assignableScopes: readonly string[]
  readonly createdOn: string
  readonly createdBy: string
  readonly updatedOn: string
}

/** Action patterns: `*` stands for any run of characters, `/` included; case does not count. */
export interface RolePermissionRecord {
  readonly actions: readonly string[]
  readonly notActions: readonly string[]
  readonly dataActions: readonly string[]
  readonly notDataActions: readonly string[]
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
