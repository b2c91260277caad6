import type { AccessPolicy, AccessPolicyPermissions } from '../../core/index.ts'
import { jsonText } from '../../core/json-text.ts'
import { badRequest } from './errors.ts'

/** Access policies as Resource Manager takes and merges them (Azure REST API, Key Vault management, "AccessPolicyEntry"). */

const RESTORABLE = ['backup', 'restore', 'recover', 'purge']
const KINDS = {
  keys: [
    ...['all', 'encrypt', 'decrypt', 'wrapKey', 'unwrapKey', 'sign', 'verify', 'get', 'list', 'create', 'update'],
    ...['import', 'delete', ...RESTORABLE, 'release', 'rotate', 'getrotationpolicy', 'setrotationpolicy'],
  ],
  secrets: ['all', 'get', 'list', 'set', 'delete', ...RESTORABLE],
  certificates: [
    ...['all', 'get', 'list', 'delete', 'create', 'import', 'update', 'managecontacts', 'getissuers', 'listissuers'],
    ...['setissuers', 'deleteissuers', 'manageissuers', ...RESTORABLE],
  ],
  storage: [
    ...['all', 'get', 'list', 'delete', 'set', 'update', 'regeneratekey', ...RESTORABLE, 'setsas', 'listsas'],
    ...['getsas', 'deletesas'],
  ],
} as const

type Kind = keyof typeof KINDS
const KIND_NAMES = Object.keys(KINDS) as Kind[]
const MOST_POLICIES = 1024

/** @throws ArmError 400 that names the entry and what is wrong with it */
export function readAccessPolicies(value: unknown, tenantId: string): AccessPolicy[] {
  if (!Array.isArray(value)) throw badRequest('The property "accessPolicies" must be an array.')
  if (value.length > MOST_POLICIES) {
    throw badRequest(`The property "accessPolicies" has ${value.length} entries; a vault takes ${MOST_POLICIES}.`)
  }
  const policies = value.map((entry: unknown, at) => readEntry(entry, at, tenantId))
  const seen = new Set<string>()
  for (const policy of policies) {
    if (seen.has(identityOf(policy))) {
      throw badRequest(`The object ID '${policy.objectId}' is in more than one entry of the property "accessPolicies".`)
    }
    seen.add(identityOf(policy))
  }
  return policies
}

function readEntry(entry: unknown, at: number, tenantId: string): AccessPolicy {
  const where = `accessPolicies[${at}]`
  if (!isObject(entry)) throw badRequest(`The property "${where}" must be an object.`)
  const { objectId, applicationId, permissions } = entry
  if (typeof objectId !== 'string' || objectId === '') throw badRequest(`The property "${where}.objectId" is missing.`)
  if (applicationId != null && typeof applicationId !== 'string') {
    throw badRequest(`The property "${where}.applicationId" must be a GUID.`)
  }
  if (typeof entry.tenantId !== 'string' || entry.tenantId.toLowerCase() !== tenantId.toLowerCase()) {
    throw badRequest(`The property "${where}.tenantId" must be the tenant ID of the vault, '${tenantId}'.`)
  }
  if (!isObject(permissions)) throw badRequest(`The property "${where}.permissions" is missing.`)
  return {
    tenantId: entry.tenantId,
    objectId,
    ...(typeof applicationId === 'string' && applicationId !== '' && { applicationId }),
    permissions: readPermissions(permissions, where),
  }
}

function readPermissions(permissions: Readonly<Record<string, unknown>>, where: string): AccessPolicyPermissions {
  const kinds = KIND_NAMES.flatMap((kind) => {
    const words = permissions[kind]
    if (words == null) return []
    if (!Array.isArray(words)) throw badRequest(`The property "${where}.permissions.${kind}" must be an array.`)
    const known = new Set(KINDS[kind].map((word) => word.toLowerCase()))
    const unknown: unknown = words.find((word) => typeof word !== 'string' || !known.has(word.toLowerCase()))
    if (unknown !== undefined) {
      throw badRequest(`The value '${jsonText(unknown)}' is not one that "${where}.permissions.${kind}" can have.`)
    }
    return [[kind, words as string[]] as const]
  })
  return Object.fromEntries(kinds)
}

export type PolicyChange = 'add' | 'replace' | 'remove'

export const isPolicyChange = (text: string): text is PolicyChange => ['add', 'replace', 'remove'].includes(text)

/**
 * The policies after a change. `add` gives more to those who have some, `replace` puts an entry in place of the one of
 * the same identity, `remove` takes the named permissions (an entry without any is gone).
 */
export function changeAccessPolicies(
  before: readonly AccessPolicy[],
  change: PolicyChange,
  wanted: readonly AccessPolicy[],
): AccessPolicy[] {
  const named = new Map(wanted.map((policy) => [identityOf(policy), policy]))
  const kept = before.flatMap((policy) => {
    const other = named.get(identityOf(policy))
    if (other === undefined) return [policy]
    if (change === 'replace') return [other]
    const permissions = merged(policy.permissions, other.permissions, change)
    return change === 'remove' && isEmpty(permissions) ? [] : [{ ...policy, permissions }]
  })
  if (change === 'remove') return kept
  const known = new Set(before.map(identityOf))
  return [...kept, ...wanted.filter((policy) => !known.has(identityOf(policy)))]
}

function merged(
  before: AccessPolicyPermissions,
  wanted: AccessPolicyPermissions,
  change: 'add' | 'remove',
): AccessPolicyPermissions {
  const kinds = KIND_NAMES.flatMap((kind) => {
    const [mine, theirs] = [before[kind], wanted[kind] ?? []]
    if (mine === undefined && theirs.length === 0) return []
    const has = (words: readonly string[], word: string) =>
      words.some((other) => other.toLowerCase() === word.toLowerCase())
    const own = mine ?? []
    const words =
      change === 'add'
        ? [...own, ...theirs.filter((word) => !has(own, word))]
        : own.filter((word) => !has(theirs, word))
    return [[kind, words] as const]
  })
  return Object.fromEntries(kinds)
}

const isEmpty = (permissions: AccessPolicyPermissions) =>
  KIND_NAMES.every((kind) => (permissions[kind] ?? []).length === 0)

const identityOf = ({ objectId, applicationId = '' }: AccessPolicy): string =>
  `${objectId} ${applicationId}`.toLowerCase()

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
