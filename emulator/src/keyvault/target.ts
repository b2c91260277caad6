import { remembered } from '../core/index.ts'

/**
 * Which operation a request line names. Written by hand because a router that tidies paths breaks this API: clients send
 * `/keys/k/` and `/keys/k//release` for "the latest version", and an empty segment means something.
 */

export type CryptoOperation = 'encrypt' | 'decrypt' | 'sign' | 'verify' | 'wrapKey' | 'unwrapKey'

export type Operation =
  | CryptoOperation
  | 'create'
  | 'import'
  | 'get'
  | 'list'
  | 'listVersions'
  | 'update'
  | 'delete'
  | 'listDeleted'
  | 'getDeleted'
  | 'recover'
  | 'purge'
  | 'backup'
  | 'restore'
  | 'release'
  | 'rotate'
  | 'getRotationPolicy'
  | 'putRotationPolicy'
  | 'random'
  | 'attestation'
  | 'secureWrapKey'
  | 'secureUnwrapKey'
  | RoleOperation
  | SettingOperation
  | 'managedHsmAdministration'

export type RoleOperation =
  | 'putRoleAssignment'
  | 'getRoleAssignment'
  | 'deleteRoleAssignment'
  | 'listRoleAssignments'
  | 'getRoleDefinition'
  | 'listRoleDefinitions'
  | 'putRoleDefinition'
  | 'deleteRoleDefinition'

/** The settings of a managed HSM. */
export type SettingOperation = 'listSettings' | 'getSetting' | 'updateSetting'

export interface Target {
  readonly operation: Operation
  /** The key's name as it stood in the path, decoded; not yet checked. */
  readonly name?: string
  /** As asked; absent: the latest. */
  readonly version?: string
  /** Of the local RBAC calls: `/`, `/keys`, `/keys/<name>`; and the assignment's or definition's name. */
  readonly scope?: string
  readonly role?: string
  /** The name of a setting of a managed HSM. */
  readonly setting?: string
}

/** `unknownOperation`: the word of the path that names none for this method. */
export type TargetProblem =
  | 'notFound'
  | 'operationNotSpecified'
  | 'badEncoding'
  | 'otherThanKeys'
  | { readonly unknownOperation: string }

/** Words that follow a key's name (and version), by method. Compared without case. */
const WORDS: Readonly<Record<string, Operation>> = {
  'POST release': 'release',
  'POST encrypt': 'encrypt',
  'POST decrypt': 'decrypt',
  'POST sign': 'sign',
  'POST verify': 'verify',
  'POST wrapkey': 'wrapKey',
  'POST unwrapkey': 'unwrapKey',
  'POST securewrapkey': 'secureWrapKey',
  'POST secureunwrapkey': 'secureUnwrapKey',
  'GET attestation': 'attestation',
}

/** Words that only ever stand right after the name. */
const NAME_WORDS: Readonly<Record<string, Operation>> = {
  'POST create': 'create',
  'POST rotate': 'rotate',
  'POST backup': 'backup',
  'GET versions': 'listVersions',
  'GET rotationpolicy': 'getRotationPolicy',
  'PUT rotationpolicy': 'putRotationPolicy',
  // The restore of one key out of a full backup.
  'PUT restore': 'managedHsmAdministration',
}

const ADMINISTRATION = new Set(['securitydomain', 'backup', 'restore', 'prebackup', 'prerestore', 'ekm'])
/** What a vault holds besides keys. */
const OTHER_THAN_KEYS = new Set(['secrets', 'deletedsecrets', 'certificates', 'deletedcertificates', 'storage'])
const ROLES = /^(.*?)\/providers\/microsoft\.authorization\/(roleassignments|roledefinitions)(?:\/([^/]*))?\/?$/i

/** Lines that were read before, the same again and again from a busy client. Longer ones are read each time. */
const known = new Map<string, Target | TargetProblem>()
const MOST_KNOWN = 1024
const LONGEST_KNOWN = 512

export function readTarget(method: string, pathname: string): Target | TargetProblem {
  if (pathname.length > LONGEST_KNOWN) return targetOf(method, pathname)
  return remembered(known, `${method} ${pathname}`, MOST_KNOWN, () => targetOf(method, pathname))
}

function targetOf(method: string, pathname: string): Target | TargetProblem {
  const role = ROLES.exec(pathname)
  if (role !== null) return readRoleTarget(method, role[1] ?? '', role[2] ?? '', role[3] ?? '')
  let segments: string[]
  try {
    // A vault's URL may end in a slash, to which some clients join a path that begins with one.
    segments = pathname.replace(/^\/+/, '').split('/').map(decodeURIComponent)
  } catch {
    return 'badEncoding'
  }
  const root = segments[0]?.toLowerCase() ?? ''
  if (root === 'keys') return readKeyTarget(method, segments)
  if (root === 'deletedkeys') return readDeletedTarget(method, segments)
  if (root === 'rng' && method === 'POST') return { operation: 'random' }
  if (OTHER_THAN_KEYS.has(root)) return 'otherThanKeys'
  if (root === 'settings') return readSettingTarget(method, segments)
  if (ADMINISTRATION.has(root)) return { operation: 'managedHsmAdministration' }
  return 'notFound'
}

function readKeyTarget(method: string, segments: readonly string[]): Target | TargetProblem {
  const [, name = '', third = '', fourth = '', ...rest] = segments
  if (rest.some((segment) => segment !== '')) return 'notFound'
  if (name === '') {
    if (method === 'POST' && third.toLowerCase() === 'restore' && fourth === '') return { operation: 'restore' }
    if (third !== '') return 'operationNotSpecified'
    return method === 'GET' ? { operation: 'list' } : 'operationNotSpecified'
  }
  if (method === 'POST' && name.toLowerCase() === 'restore' && third === '') return { operation: 'restore' }
  if (fourth === '') {
    const word = `${method} ${third.toLowerCase()}`
    const operation = NAME_WORDS[word] ?? WORDS[word]
    if (operation !== undefined) return { operation, name }
    const version = third === '' ? {} : { version: third }
    if (method === 'GET') return { operation: 'get', name, ...version }
    if (method === 'PATCH') return { operation: 'update', name, ...version }
    if (third !== '') return { unknownOperation: third }
    if (method === 'PUT') return { operation: 'import', name }
    if (method === 'DELETE') return { operation: 'delete', name }
    return 'operationNotSpecified'
  }
  const operation = WORDS[`${method} ${fourth.toLowerCase()}`]
  if (operation === undefined) return { unknownOperation: fourth }
  return { operation, name, ...(third === '' ? {} : { version: third }) }
}

function readDeletedTarget(method: string, segments: readonly string[]): Target | TargetProblem {
  const [, name = '', third = '', ...rest] = segments
  if (rest.some((segment) => segment !== '')) return 'notFound'
  if (name === '') return method === 'GET' && third === '' ? { operation: 'listDeleted' } : 'notFound'
  if (third.toLowerCase() === 'recover' && method === 'POST') return { operation: 'recover', name }
  if (third !== '') return { unknownOperation: third }
  if (method === 'GET') return { operation: 'getDeleted', name }
  return method === 'DELETE' ? { operation: 'purge', name } : 'notFound'
}

function readSettingTarget(method: string, segments: readonly string[]): Target | TargetProblem {
  const [, setting = '', ...rest] = segments
  if (rest.some((segment) => segment !== '')) return 'notFound'
  if (setting === '') return method === 'GET' ? { operation: 'listSettings' } : 'notFound'
  if (method === 'GET') return { operation: 'getSetting', setting }
  return method === 'PATCH' ? { operation: 'updateSetting', setting } : 'notFound'
}

function readRoleTarget(method: string, prefix: string, kind: string, role: string): Target | TargetProblem {
  // A client that joins `/{scope}` with the scope `/` sends a doubled slash.
  const scope = `/${prefix.split('/').filter(Boolean).join('/')}`
  if (kind.toLowerCase() === 'roledefinitions') {
    if (role === '') return method === 'GET' ? { operation: 'listRoleDefinitions', scope } : 'notFound'
    if (method === 'PUT') return { operation: 'putRoleDefinition', scope, role }
    if (method === 'GET') return { operation: 'getRoleDefinition', scope, role }
    return method === 'DELETE' ? { operation: 'deleteRoleDefinition', scope, role } : 'notFound'
  }
  if (role === '') return method === 'GET' ? { operation: 'listRoleAssignments', scope } : 'notFound'
  if (method === 'PUT') return { operation: 'putRoleAssignment', scope, role }
  if (method === 'GET') return { operation: 'getRoleAssignment', scope, role }
  return method === 'DELETE' ? { operation: 'deleteRoleAssignment', scope, role } : 'notFound'
}
