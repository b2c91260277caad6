import type { EmulatorContext, RoleAssignmentRecord, VaultRecord } from '../core/index.ts'
import type { Principal } from '../entra/index.ts'
import type { Authorizer } from '../rbac/index.ts'
import { forbidden, KeyVaultError, notCovered } from './errors.ts'
import type { LocalRbac } from './local-rbac/assignments.ts'
import { managedHsmDataAction, vaultDataAction } from './permissions.ts'
import type { Target } from './target.ts'

/** The assignment that allows a call on a vault; undefined on a managed HSM, whose assignments are not shown. */
export type Authorize = (
  vault: VaultRecord,
  principal: Principal,
  target: Target,
) => { readonly assignment?: RoleAssignmentRecord }

export interface Deciders {
  readonly ctx: EmulatorContext
  readonly authorizer: Authorizer
  readonly localRbac: LocalRbac
}

/** Throws 403 with what was missing, in the journal's evidence, and 501 for calls that the service does not have. */
export function createAuthorize({ ctx, authorizer, localRbac }: Deciders): Authorize {
  return (vault, principal, target) => {
    if (vault.kind === 'managedHsm') {
      authorizeLocally(localRbac, vault, principal, target)
      return {}
    }
    const { assignment } = authorizeByRole(authorizer, ctx, vault, principal, target)
    return assignment === undefined ? {} : { assignment }
  }
}

function authorizeByRole(
  authorizer: Authorizer,
  ctx: EmulatorContext,
  vault: VaultRecord,
  principal: Principal,
  target: Target,
) {
  const dataAction = vaultDataAction(target.operation)
  if (dataAction === undefined) throw notFoundHere()
  if (!vault.enableRbacAuthorization) {
    throw notCovered(
      'SkerryAccessPoliciesNotCovered',
      `The vault ${vault.name} uses access policies, which Skerry does not cover. Set enableRbacAuthorization.`,
    )
  }
  const scope = target.name === undefined ? vault.id : `${vault.id}/keys/${target.name}`
  const decision = authorizer.check(principal.objectId, { dataAction }, scope)
  if (decision.allowed) return decision
  const { clientId, objectId, tenantId } = principal
  const message = [
    'Caller is not authorized to perform action on resource.',
    'If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.',
    `Caller: appid=${clientId};oid=${objectId};iss=https://sts.windows.net/${tenantId}/`,
    `Action: '${dataAction}'`,
    `Resource: '${scope.toLowerCase()}'`,
    'Assignment: (not found)',
    'DenyAssignmentId: null',
    'DecisionReason: null',
    `Vault: ${vault.name};location=${vault.location}`,
    '',
  ].join('\r\n')
  throw forbidden(message, 'ForbiddenByRbac', missingRole(ctx, principal, dataAction, scope))
}

function authorizeLocally(localRbac: LocalRbac, vault: VaultRecord, principal: Principal, target: Target): void {
  // Not covered, whoever asks: its handler says so.
  if (target.operation === 'managedHsmAdministration') return
  const dataAction = managedHsmDataAction(target.operation)
  if (dataAction === undefined) throw notFoundHere()
  const scope = target.scope ?? (target.name === undefined ? '/keys' : `/keys/${target.name}`)
  if (localRbac.allows(vault.host, principal.objectId, dataAction, scope) !== undefined) return
  throw new KeyVaultError(403, 'AccessDenied', `Not authorized to access ${dataAction} on ${scope}`, {
    evidence: missingRole(undefined, principal, dataAction, `https://${vault.host}${scope}`),
  })
}

function missingRole(ctx: EmulatorContext | undefined, principal: Principal, dataAction: string, scope: string) {
  const admin = ctx?.seed.admin.objectId === principal.objectId
  const action = `Assign a role that has ${dataAction} to ${principal.objectId} at ${scope} or above${
    dataAction.endsWith('/keys/release/action') ? ' (… Crypto Service Release User)' : ''
  }.`
  return {
    summary: `${admin ? 'The administrator' : `Principal ${principal.objectId}`} has no role with ${dataAction}.`,
    conditions: [{ name: 'role', wanted: dataAction, found: '(no assignment)', met: false, hint: action }],
    action,
    details: { principalId: principal.objectId, clientId: principal.clientId, scope },
  }
}

const notFoundHere = () => new KeyVaultError(404, 'NotFound', 'There is no such operation here.')
