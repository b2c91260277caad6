import type { EmulatorContext, Store } from '../../core/index.ts'
import { badParameter, KeyVaultError } from '../errors.ts'
import {
  ADMINISTRATOR,
  CRYPTO_OFFICER,
  CRYPTO_USER,
  findLocalRole,
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
  /** The assignment that gives a principal a data action at a scope, if any. */
  allows(host: string, principalId: string, dataAction: string, scope: string): LocalAssignment | undefined
  put(assignment: LocalAssignment): LocalAssignment
  get(host: string, scope: string, name: string): LocalAssignment
  remove(host: string, scope: string, name: string): LocalAssignment
  /** Those at a scope and below it. */
  list(host: string, scope: string): LocalAssignment[]
}

/** What the administrator that a managed HSM starts with may do: on Azure one grants the crypto roles by hand. */
const INITIAL_ROLES = [ADMINISTRATOR, CRYPTO_OFFICER, CRYPTO_USER]

export function createLocalRbac(ctx: EmulatorContext): LocalRbac {
  const assignments = openAssignments(ctx.store)
  const activated = ctx.store.collection<true>('managedhsm.activated')
  const keyOf = (host: string, name: string) => `${host}/${name.toLowerCase()}`

  /** A managed HSM is activated by the first request that reaches it. */
  const activate = (host: string) => {
    if (activated.has(host)) return
    ctx.store.transaction(() => {
      for (const role of INITIAL_ROLES) {
        const name = ctx.random.uuid()
        assignments.put(keyOf(host, name), { host, name, scope: '/', role, principalId: ctx.seed.admin.objectId })
      }
      activated.put(host, true)
    })
  }
  const all = (host: string) => {
    activate(host)
    return assignments.values(`${host}/`)
  }
  const get = (host: string, scope: string, name: string) => {
    activate(host)
    const found = assignments.get(keyOf(host, name))
    if (found !== undefined && found.scope.toLowerCase() === scope.toLowerCase()) return found
    throw new KeyVaultError(404, 'RoleAssignmentNotFound', `Role assignment ${name} was not found at scope ${scope}`)
  }

  return {
    allows: (host, principalId, dataAction, scope) =>
      all(host).find((assignment) => {
        const role = findLocalRole(assignment.role)
        return (
          assignment.principalId.toLowerCase() === principalId.toLowerCase() &&
          localScopeContains(assignment.scope, scope) &&
          role !== undefined &&
          localRoleGrants(role, dataAction)
        )
      }),
    put(assignment) {
      activate(assignment.host)
      if (!/^\/(keys(\/[0-9a-z-]{1,127})?)?$/i.test(assignment.scope)) {
        throw badParameter(`Invalid scope: ${assignment.scope}`)
      }
      if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(assignment.name)) {
        throw badParameter(`Invalid role assignment name: ${assignment.name}`)
      }
      const key = keyOf(assignment.host, assignment.name)
      const existing = assignments.get(key)
      if (existing !== undefined && !sameGrant(existing, assignment)) {
        throw new KeyVaultError(409, 'RoleAssignmentExists', `The role assignment ${assignment.name} already exists`)
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
    list: (host, scope) => all(host).filter((assignment) => localScopeContains(scope, assignment.scope)),
  }
}

const openAssignments = (store: Store) => store.collection<LocalAssignment>('managedhsm.roleAssignments')

function sameGrant(a: LocalAssignment, b: LocalAssignment): boolean {
  const lower = ({ scope, role, principalId }: LocalAssignment) => `${scope} ${role} ${principalId}`.toLowerCase()
  return lower(a) === lower(b)
}
