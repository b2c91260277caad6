/*
 * What the keys data plane answers, object by object: the facts of its published descriptions (Azure REST API "Key Vault
 * keys", 7.4 and 2026-04-01) that a client relies on, and what the live services were seen to add. Written by us, so that
 * the check runs wherever this repository is; where the descriptions themselves are at hand, a test holds this against
 * them.
 */

/** `base64url` has no padding; `unixtime` is whole seconds. */
export type Type =
  | 'string'
  | 'base64url'
  | 'integer'
  | 'unixtime'
  | 'boolean'
  | 'strings'
  | 'tags'
  | { readonly object: ObjectName }
  | { readonly list: ObjectName }

export type Personality = 'vault' | 'managedHsm'

export interface Member {
  readonly type: Type
  /** In every answer that has the object: of both services, or of one. Absent: optional. */
  readonly always?: 'both' | Personality
  /** The published description that has it first; absent: 7.4 has it. */
  readonly since?: '2026-04-01'
  /** Where it is known from, being in no published description. */
  readonly seen?: string
  /** May be null. */
  readonly nullable?: true
  /** Of requests only: the secret parts of a key, which no answer ever has. */
  readonly never?: true
}

export type ObjectName =
  | 'JsonWebKey'
  | 'KeyAttributes'
  | 'KeyAttestation'
  | 'ExternalKey'
  | 'KeyReleasePolicy'
  | 'KeyBundle'
  | 'KeyItem'
  | 'DeletedKeyBundle'
  | 'DeletedKeyItem'
  | 'KeyListResult'
  | 'DeletedKeyListResult'
  | 'BackupKeyResult'
  | 'KeyOperationResult'
  | 'KeyVerifyResult'
  | 'KeyReleaseResult'
  | 'KeyRotationPolicy'
  | 'KeyRotationPolicyAttributes'
  | 'LifetimeActions'
  | 'LifetimeActionsTrigger'
  | 'LifetimeActionsType'
  | 'RandomBytes'

type Members = Readonly<Record<string, Member>>

const secret: Member = { type: 'base64url', never: true }
const part: Member = { type: 'base64url' }

const keyMembers: Members = {
  key: { type: { object: 'JsonWebKey' }, always: 'both' },
  attributes: { type: { object: 'KeyAttributes' }, always: 'both' },
  tags: { type: 'tags' },
  managed: { type: 'boolean' },
  release_policy: { type: { object: 'KeyReleasePolicy' } },
}

const itemMembers: Members = {
  kid: { type: 'string', always: 'both' },
  attributes: { type: { object: 'KeyAttributes' }, always: 'both' },
  tags: { type: 'tags' },
  managed: { type: 'boolean' },
}

const deletionMembers: Members = {
  recoveryId: { type: 'string', always: 'both' },
  scheduledPurgeDate: { type: 'unixtime', always: 'both' },
  deletedDate: { type: 'unixtime', always: 'both' },
}

const RECORDED = 'recorded traffic of managed HSMs, 2022 to 2026'

export const OBJECTS: Readonly<Record<ObjectName, Members>> = {
  JsonWebKey: {
    kid: { type: 'string', always: 'both' },
    kty: { type: 'string', always: 'both' },
    key_ops: { type: 'strings', always: 'both' },
    n: part,
    e: part,
    crv: { type: 'string' },
    x: part,
    y: part,
    d: secret,
    dp: secret,
    dq: secret,
    qi: secret,
    p: secret,
    q: secret,
    k: secret,
    key_hsm: secret,
  },
  KeyAttributes: {
    enabled: { type: 'boolean', always: 'both' },
    nbf: { type: 'unixtime' },
    exp: { type: 'unixtime' },
    created: { type: 'unixtime', always: 'both' },
    updated: { type: 'unixtime', always: 'both' },
    recoveryLevel: { type: 'string', always: 'both' },
    recoverableDays: { type: 'integer', always: 'both' },
    exportable: { type: 'boolean', always: 'both' },
    hsmPlatform: { type: 'string', since: '2026-04-01' },
    attestation: { type: { object: 'KeyAttestation' }, since: '2026-04-01' },
    external_key: { type: { object: 'ExternalKey' }, since: '2026-04-01' },
    key_size: { type: 'integer', since: '2026-04-01', always: 'vault' },
  },
  KeyAttestation: {
    certificatePemFile: { type: 'base64url', since: '2026-04-01', always: 'both' },
    privateKeyAttestation: { type: 'base64url', since: '2026-04-01', always: 'both' },
    publicKeyAttestation: { type: 'base64url', since: '2026-04-01' },
    version: { type: 'string', since: '2026-04-01', always: 'both' },
  },
  ExternalKey: { id: { type: 'string', since: '2026-04-01', always: 'both' } },
  KeyReleasePolicy: {
    contentType: { type: 'string', always: 'both' },
    immutable: { type: 'boolean', always: 'both' },
    data: { type: 'base64url', always: 'both' },
  },
  KeyBundle: keyMembers,
  KeyItem: itemMembers,
  DeletedKeyBundle: { ...keyMembers, ...deletionMembers },
  DeletedKeyItem: { ...itemMembers, ...deletionMembers },
  KeyListResult: {
    value: { type: { list: 'KeyItem' }, always: 'both' },
    nextLink: { type: 'string', always: 'vault', nullable: true },
  },
  DeletedKeyListResult: {
    value: { type: { list: 'DeletedKeyItem' }, always: 'both' },
    nextLink: { type: 'string', always: 'vault', nullable: true },
  },
  BackupKeyResult: { value: { type: 'base64url', always: 'both' } },
  KeyOperationResult: {
    kid: { type: 'string', always: 'both' },
    value: { type: 'base64url', always: 'both' },
    iv: { type: 'base64url' },
    tag: { type: 'base64url' },
    aad: { type: 'base64url' },
    alg: { type: 'string', always: 'managedHsm', seen: RECORDED },
  },
  KeyVerifyResult: {
    value: { type: 'boolean', always: 'both' },
    kid: { type: 'string', always: 'managedHsm', seen: RECORDED },
    alg: { type: 'string', always: 'managedHsm', seen: RECORDED },
  },
  KeyReleaseResult: { value: { type: 'string', always: 'both' } },
  KeyRotationPolicy: {
    id: { type: 'string' },
    lifetimeActions: { type: { list: 'LifetimeActions' } },
    // Null of a vault's key that never had a policy put.
    attributes: { type: { object: 'KeyRotationPolicyAttributes' }, always: 'both', nullable: true },
  },
  KeyRotationPolicyAttributes: {
    expiryTime: { type: 'string' },
    created: { type: 'unixtime', always: 'both' },
    updated: { type: 'unixtime', always: 'both' },
  },
  LifetimeActions: {
    trigger: { type: { object: 'LifetimeActionsTrigger' }, always: 'both' },
    action: { type: { object: 'LifetimeActionsType' }, always: 'both' },
  },
  LifetimeActionsTrigger: { timeAfterCreate: { type: 'string' }, timeBeforeExpiry: { type: 'string' } },
  LifetimeActionsType: { type: { type: 'string', always: 'both' } },
  RandomBytes: { value: { type: 'base64url', always: 'both' } },
}
