import type { Operation } from '../target.ts'
import type { ObjectName } from './objects.ts'

export interface OperationFacts {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
  /** As the published descriptions write it. */
  readonly path: string
  /** What a 200 answers with; absent: 204 and nothing. */
  readonly answer?: ObjectName
  /** The published description that has it first; absent: 7.4 has it. */
  readonly since?: '2026-04-01'
  /** The members that a request must have. */
  readonly required?: readonly string[]
  readonly managedHsmOnly?: true
}

const VERSION = '/keys/{key-name}/{key-version}'
const crypto = (word: string, required: readonly string[] = ['alg', 'value']) =>
  ({ method: 'POST', path: `${VERSION}/${word}`, answer: 'KeyOperationResult', required }) as const

/** Secure wrap and unwrap are not among them: their answer is 501. */
export type CoveredOperation = Exclude<
  Operation,
  | 'secureWrapKey'
  | 'secureUnwrapKey'
  | 'managedHsmAdministration'
  | `${string}Role${string}`
  | `${string}Setting${string}`
>

/** Every operation on keys: request line, what a request must have, and what it is answered with. */
export const OPERATIONS: Readonly<Record<CoveredOperation, OperationFacts>> = {
  create: { method: 'POST', path: '/keys/{key-name}/create', answer: 'KeyBundle', required: ['kty'] },
  rotate: { method: 'POST', path: '/keys/{key-name}/rotate', answer: 'KeyBundle' },
  import: { method: 'PUT', path: '/keys/{key-name}', answer: 'KeyBundle', required: ['key'] },
  delete: { method: 'DELETE', path: '/keys/{key-name}', answer: 'DeletedKeyBundle' },
  update: { method: 'PATCH', path: VERSION, answer: 'KeyBundle' },
  get: { method: 'GET', path: VERSION, answer: 'KeyBundle' },
  attestation: { method: 'GET', path: `${VERSION}/attestation`, answer: 'KeyBundle', since: '2026-04-01' },
  listVersions: { method: 'GET', path: '/keys/{key-name}/versions', answer: 'KeyListResult' },
  list: { method: 'GET', path: '/keys', answer: 'KeyListResult' },
  backup: { method: 'POST', path: '/keys/{key-name}/backup', answer: 'BackupKeyResult' },
  restore: { method: 'POST', path: '/keys/restore', answer: 'KeyBundle', required: ['value'] },
  encrypt: crypto('encrypt'),
  decrypt: crypto('decrypt'),
  sign: crypto('sign'),
  verify: { ...crypto('verify', ['alg', 'digest', 'value']), answer: 'KeyVerifyResult' },
  wrapKey: crypto('wrapkey'),
  unwrapKey: crypto('unwrapkey'),
  release: { method: 'POST', path: `${VERSION}/release`, answer: 'KeyReleaseResult', required: ['target'] },
  listDeleted: { method: 'GET', path: '/deletedkeys', answer: 'DeletedKeyListResult' },
  getDeleted: { method: 'GET', path: '/deletedkeys/{key-name}', answer: 'DeletedKeyBundle' },
  purge: { method: 'DELETE', path: '/deletedkeys/{key-name}' },
  recover: { method: 'POST', path: '/deletedkeys/{key-name}/recover', answer: 'KeyBundle' },
  getRotationPolicy: { method: 'GET', path: '/keys/{key-name}/rotationpolicy', answer: 'KeyRotationPolicy' },
  putRotationPolicy: { method: 'PUT', path: '/keys/{key-name}/rotationpolicy', answer: 'KeyRotationPolicy' },
  random: { method: 'POST', path: '/rng', answer: 'RandomBytes', required: ['count'], managedHsmOnly: true },
}
