export { type AuthorizationDecision, type Authorizer, createAuthorizer } from './authorizer.ts'
export {
  BUILT_IN_ROLES,
  findRole,
  findRoleByRoleName,
  type RoleDefinition,
  type RolePermission,
} from './definitions.ts'
export { actionMatches, type Permission, permissionGrants, scopeContains } from './rules.ts'
