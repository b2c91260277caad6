import { COLLECTIONS, type EmulatorContext, type Store, type VaultRecord } from '../../core/index.ts'
import { badParameter, KeyVaultError } from '../errors.ts'
import { type LocalDefinitions, localDefinitions } from './definitions.ts'
import {
  ADMINISTRATOR,
  CRYPTO_OFFICER,
  CRYPTO_USER,
  isGuid,
  isLocalScope,
  localRoleGrants,
  localScopeContains,
} from './roles.ts'

/** An assignment in the local RBAC of one managed HSM. */
export interface LocalAssignment {
  readonly host: string
  /** A GUID, lower case. */
  readonly name: string
  /** `/`, `/keys` or `/keys/<name>`. */
  readonly scope: string
  /** GUID of the role. */
  readonly role: string
  readonly principalId: string
}

export interface LocalRbac {
  definitions(host: string): LocalDefinitions
  /** The assignment that gives a principal a data action at a scope, if any. */
  allows(host: string, principalId: string, dataAction: string, scope: string): LocalAssignment | undefined
  put(assignment: LocalAssignment): LocalAssignment
  get(host: string, scope: string, name: string): LocalAssignment
  remove(host: string, scope: string, name: string): LocalAssignment
  /** Every assignment of a managed HSM. */
  all(host: string): readonly LocalAssignment[]
  /** Forgets everything that a managed HSM had: it was purged. */
  forget(host: string): void
}

/**
 * What the seeded administrator may do in a managed HSM for which nobody else was named: on Azure one grants the crypto
 * roles by hand.
 */
const SEEDED_ROLES = [ADMINISTRATOR, CRYPTO_OFFICER, CRYPTO_USER]

export function createLocalRbac(ctx: EmulatorContext): LocalRbac {
  const { store } = ctx
  const assignments = openAssignments(store)
  const activated = store.collection<true>('managedhsm.activated')
  const vaults = store.collection<VaultRecord>(COLLECTIONS.vaults)
  const keyOf = (host: string, name: string) => `${host}/${name.toLowerCase()}`
  // Every call of a managed HSM asks; the store is read again only after a change.
  const known = new Map<string, readonly LocalAssignment[]>()
  store.watch(['managedhsm.roleAssignments', 'managedhsm.activated'], () => known.clear())

  /** A managed HSM is activated by the first request that reaches it. */
  const activate = (host: string) => {
    if (activated.has(host)) return
    const admins = vaults.get(host)?.initialAdminObjectIds
    const first =
      admins === undefined
        ? SEEDED_ROLES.map((role) => ({ role, principalId: ctx.seed.admin.objectId }))
        : admins.map((principalId) => ({ role: ADMINISTRATOR, principalId }))
    store.transaction(() => {
      for (const { role, principalId } of first) {
        const name = ctx.random.uuid()
        assignments.put(keyOf(host, name), { host, name, scope: '/', role, principalId })
      }
      activated.put(host, true)
    })
  }
  const all = (host: string) => {
    const kept = known.get(host)
    if (kept !== undefined) return kept
    activate(host)
    const read = assignments.values(`${host}/`)
    known.set(host, read)
    return read
  }
  const get = (host: string, scope: string, name: string) => {
    activate(host)
    const found = assignments.get(keyOf(host, name))
    if (found !== undefined && found.scope.toLowerCase() === scope.toLowerCase()) return found
    throw new KeyVaultError(404, 'RoleAssignmentNotFound', `Role assignment ${name} was not found at scope ${scope}`)
  }
  const definitions = (host: string) => localDefinitions(store, host)

  return {
    definitions,
    allows(host, principalId, dataAction, scope) {
      const roles = definitions(host)
      return all(host).find((assignment) => {
        if (assignment.principalId.toLowerCase() !== principalId.toLowerCase()) return false
        if (!localScopeContains(assignment.scope, scope)) return false
        const role = roles.find(assignment.role)
        return role !== undefined && localRoleGrants(role, dataAction)
      })
    },
    put(assignment) {
      activate(assignment.host)
      if (!isLocalScope(assignment.scope)) throw badParameter(`Invalid scope: ${assignment.scope}`)
      if (!isGuid(assignment.name)) throw badParameter(`Invalid role assignment name: ${assignment.name}`)
      if (!isGuid(assignment.principalId)) throw badParameter(`Invalid principal id: ${assignment.principalId}`)
      const key = keyOf(assignment.host, assignment.name)
      const existing = assignments.get(key)
      const twin = existing ?? all(assignment.host).find((other) => sameGrant(other, assignment))
      if (twin !== undefined && (existing === undefined || !sameGrant(existing, assignment))) {
        throw new KeyVaultError(409, 'RoleAssignmentExists', `The role assignment ${twin.name} already exists`)
      }
      if (existing === undefined) assignments.put(key, assignment)
      return existing ?? assignment
    },
    get,
    remove(host, scope, name) {
      const found = get(host, scope, name)
      assignments.delete(keyOf(host, name))
      return found
    },
    all,
    forget(host) {
      const roleDefinitions = store.collection('managedhsm.roleDefinitions')
      store.transaction(() => {
        for (const [key] of assignments.entries(`${host}/`)) assignments.delete(key)
        for (const [key] of roleDefinitions.entries(`${host}/`)) roleDefinitions.delete(key)
        store.collection('managedhsm.settings').delete(host)
        activated.delete(host)
      })
    },
  }
}

const openAssignments = (store: Store) => store.collection<LocalAssignment>('managedhsm.roleAssignments')

function sameGrant(a: LocalAssignment, b: LocalAssignment): boolean {
  const lower = ({ scope, role, principalId }: LocalAssignment) => `${scope} ${role} ${principalId}`.toLowerCase()
  return lower(a) === lower(b)
}
