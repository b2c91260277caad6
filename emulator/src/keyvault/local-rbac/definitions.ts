import type { Store } from '../../core/index.ts'
import { badParameter, KeyVaultError } from '../errors.ts'
import { knownDataAction } from './data-actions.ts'
import { findLocalRole, isGuid, LOCAL_ROLES, type LocalRole, localRoleGrants, localRoleGuid } from './roles.ts'

/** The role definitions of one managed HSM: the built-in ones and those made there. */
export interface LocalDefinitions {
  find(id: string): LocalRole | undefined
  /** The built-in ones first, then the others by GUID. */
  all(): LocalRole[]
  /** Makes a custom role or changes it. Throws 400 for what cannot be one. */
  put(guid: string, wanted: WantedLocalRole): LocalRole
  /** Throws 404 for a role that is not there and 400 for a built-in one. */
  remove(guid: string): LocalRole
  /** Names of the roles that have a data action, the narrowest first. */
  rolesFor(dataAction: string): string[]
}

export interface WantedLocalRole {
  readonly roleName?: string
  readonly description?: string
  readonly type?: string
  readonly assignableScopes?: readonly string[]
  readonly permissions?: readonly {
    readonly actions?: readonly string[]
    readonly notActions?: readonly string[]
    readonly dataActions?: readonly string[]
    readonly notDataActions?: readonly string[]
  }[]
}

const MOST_CUSTOM_ROLES = 50

export function localDefinitions(store: Store, host: string): LocalDefinitions {
  const custom = store.collection<LocalRole>('managedhsm.roleDefinitions')
  const keyOf = (id: string) => `${host}/${localRoleGuid(id)}`
  const find = (id: string) => findLocalRole(id) ?? custom.get(keyOf(id))
  const all = () => [...LOCAL_ROLES, ...custom.values(`${host}/`)]
  return {
    find,
    all,
    put(guid, wanted) {
      if (!isGuid(guid)) throw badParameter(`Invalid role definition name: ${guid}`)
      if (findLocalRole(guid) !== undefined) throw badParameter('Built-in role definitions cannot be changed')
      const others = custom.values(`${host}/`).filter((role) => role.guid !== guid.toLowerCase())
      const role = customRole(guid.toLowerCase(), wanted)
      if ([...LOCAL_ROLES, ...others].some(({ roleName }) => roleName.toLowerCase() === role.roleName.toLowerCase())) {
        throw new KeyVaultError(409, 'Conflict', `A role definition of the name ${role.roleName} already exists`)
      }
      if (others.length >= MOST_CUSTOM_ROLES) {
        throw badParameter(`There are no more than ${MOST_CUSTOM_ROLES} custom role definitions`)
      }
      custom.put(keyOf(guid), role)
      return role
    },
    remove(guid) {
      const role = find(guid)
      if (role === undefined) throw definitionNotFound(guid)
      if (role.custom === undefined) throw badParameter('Built-in role definitions cannot be deleted')
      custom.delete(keyOf(guid))
      return role
    },
    rolesFor: (dataAction) =>
      all()
        .filter((role) => localRoleGrants(role, dataAction))
        .sort((a, b) => a.dataActions.length - b.dataActions.length)
        .map(({ roleName }) => roleName),
  }
}

export const definitionNotFound = (name: string): KeyVaultError =>
  new KeyVaultError(404, 'RoleDefinitionNotFound', `Role definition ${name} was not found`)

function customRole(guid: string, wanted: WantedLocalRole): LocalRole {
  const { roleName, description = '', type, permissions = [], assignableScopes = ['/'] } = wanted
  if (roleName === undefined || roleName.trim() === '') throw badParameter('Property properties.roleName is missing')
  if (type !== undefined && type !== 'CustomRole') throw badParameter(`Invalid role type: ${type}`)
  if (assignableScopes.some((scope) => scope !== '/' && scope !== '/keys')) {
    throw badParameter('Property properties.assignableScopes may hold / and /keys only')
  }
  const dataActions = permissions.flatMap((permission) => readActions(permission.dataActions))
  const notDataActions = permissions.flatMap((permission) => readActions(permission.notDataActions))
  if (permissions.some(({ actions, notActions }) => actions?.length || notActions?.length)) {
    throw badParameter('A managed HSM has data actions only: actions and notActions must be empty')
  }
  return { guid, roleName, dataActions, notDataActions, custom: { description, assignableScopes } }
}

function readActions(actions: readonly string[] = []): string[] {
  return actions.map((action) => {
    const known = knownDataAction(action)
    if (known === undefined) throw badParameter(`Invalid data action: ${action}`)
    return known
  })
}
