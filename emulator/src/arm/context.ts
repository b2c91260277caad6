import type { ContainerGroups } from '../aci/index.ts'
import type { EmulatorContext } from '../core/index.ts'
import type { Principal, TokenVerifier } from '../entra/index.ts'
import type { Authorizer } from '../rbac/index.ts'
import type { ArmAddress } from './address.ts'
import type { RoleAssignments } from './authorization/role-assignments.ts'
import type { Deployments } from './deployments/state.ts'
import type { ResourceGroups } from './groups.ts'
import type { Operations } from './operations.ts'
import type { ResourceType } from './providers/types.ts'

/** What the routes of Resource Manager work with. */
export interface ArmContext {
  readonly ctx: EmulatorContext
  readonly tokens: TokenVerifier
  readonly authorizer: Authorizer
  readonly containerGroups: ContainerGroups
  readonly groups: ResourceGroups
  readonly operations: Operations
  readonly deployments: Deployments
  readonly roleAssignments: RoleAssignments
  /** The types that live in a resource group. */
  readonly types: readonly ResourceType[]
}

export interface ArmVariables {
  readonly Variables: { caller: Principal; address: ArmAddress; apiVersion: string }
}

/** The type of that name, whatever the case. */
export function findType(arm: Pick<ArmContext, 'types'>, type: string): ResourceType | undefined {
  return arm.types.find((candidate) => candidate.type.toLowerCase() === type.toLowerCase())
}
