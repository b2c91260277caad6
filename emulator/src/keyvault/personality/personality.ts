import type { RoleAssignmentRecord, VaultRecord } from '../../core/index.ts'
import type { TokenError } from '../../entra/index.ts'
import type { KeyVaultError } from '../errors.ts'
import type { RotationPolicy } from '../rules/rotation-policy.ts'
import type { KeyRecord, KeyVersion } from '../state.ts'

/**
 * Vaults and managed HSMs answer the same calls in different ways: other headers, other words, another order of members.
 * What they decide alike is decided elsewhere; a personality only says it.
 */
export interface Personality {
  /** As the journal names the service. */
  readonly service: 'keyvault' | 'managedhsm'
  /** The audience of its access tokens, and the resource of its challenge. */
  readonly audience: string
  headers(about: AnswerFacts): Record<string, string>
  /** The body under the first 401. */
  challengeBody(method: string): string | null
  /** The body of a refusal. */
  errorBody(error: KeyVaultError, requestId: string): object
  /** The JSON text of a body: members stand in this service's order. */
  write(body: object): string

  readonly says: Sayings

  keyBundle(view: View, key: KeyRecord, version: KeyVersion): object
  deletedKeyBundle(view: View, key: KeyRecord): object
  /** `nextLink` undefined: the last page. */
  page(items: readonly object[], nextLink: string | undefined): object
  nextLink(view: View, path: string, marker: string, maxResults: number | undefined): string
  keyItem(view: View, key: KeyRecord, version: KeyVersion, versioned: boolean): object
  deletedKeyItem(view: View, key: KeyRecord): object
  operationResult(kid: string, result: OperationResult): object
  rotationPolicy(view: View, key: KeyRecord, policy: RotationPolicy | undefined): object

  readonly release: ReleaseShapes
}

export interface ReleaseShapes {
  /** The names on the certificate that signs what is released. */
  signerNames(vault: VaultRecord): readonly string[]
  /** The protected header; `chain` is DER, leaf first. */
  header(chain: readonly Buffer[]): Record<string, unknown>
  payload(view: View, key: KeyRecord, version: KeyVersion, request: ReleaseRequestFacts): object
  /** Of the JSON inside `key_hsm`. */
  readonly memberOrder: 'vault' | 'managedHsm'
}

export interface ReleaseRequestFacts {
  /** The key as asked for: with a version only when one was given. */
  readonly kid: string
  readonly enc: string
  readonly nonce: string | undefined
  readonly keyHsm: string
}

/** What an answer's shape depends on besides the key. */
export interface View {
  readonly vault: VaultRecord
  /** `https://host`, with a port that is not 443, as the client wrote it. */
  readonly origin: string
  readonly apiVersion: string
}

export interface AnswerFacts {
  readonly vault: VaultRecord
  readonly method: string
  readonly status: number
  readonly requestId: string
  readonly clientRequestId: string | undefined
  readonly assignment: RoleAssignmentRecord | undefined
}

export interface OperationResult {
  readonly alg: string
  readonly value: string | boolean
  readonly iv?: string
  readonly tag?: string
}

/** Refusals whose words differ. */
export interface Sayings {
  /** Why an access token is not accepted. `token` as it came: nothing secret of it may be said. */
  badToken(error: TokenError, vault: VaultRecord, token: string): string
  invalidName(name: string): KeyVaultError
  keyNotFound(view: View, name: string, about?: { version?: string; rotating?: boolean }): KeyVaultError
  deletedKeyNotFound(view: View, name: string): KeyVaultError
  nameInUse(name: string): KeyVaultError
  beingDeleted(): KeyVaultError
  beingRecovered(): KeyVaultError
  operationNotSpecified(): KeyVaultError
  /** A word that names nothing for this method in this version of the API. */
  unknownOperation(method: string, word: string): KeyVaultError
  /** Where a version of a key belongs stands what cannot be one. */
  malformedVersion(method: string, view: View, name: string, version: string): KeyVaultError
  malformedBackup(): KeyVaultError
}
