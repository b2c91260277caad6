import { COLLECTIONS, type EmulatorContext, type RoleDefinitionRecord } from '../core/index.ts'
import { BUILT_IN_ROLES, findRole, roleNameOf } from './definitions.ts'
import type { RoleDefinition } from './role.ts'

/** The roles of the tenant: the built-in ones and those that somebody made. */
export interface RoleDefinitions {
  /** By GUID, or by a full id that ends in it. */
  find(idOrName: string): RoleDefinition | undefined
  findCustom(idOrName: string): RoleDefinitionRecord | undefined
  custom(): RoleDefinitionRecord[]
  all(): readonly RoleDefinition[]
  put(record: RoleDefinitionRecord): void
  remove(name: string): void
}

export function openRoleDefinitions(ctx: Pick<EmulatorContext, 'store'>): RoleDefinitions {
  const records = ctx.store.collection<RoleDefinitionRecord>(COLLECTIONS.roleDefinitions)
  return {
    find: (idOrName) => findRole(idOrName) ?? records.get(roleNameOf(idOrName)),
    findCustom: (idOrName) => records.get(roleNameOf(idOrName)),
    custom: () => records.values(),
    all: () => [...BUILT_IN_ROLES, ...records.values()],
    put: (record) => records.put(record.name, record),
    remove: (name) => void records.delete(name.toLowerCase()),
  }
}
