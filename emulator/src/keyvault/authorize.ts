import type { RoleAssignmentRecord, VaultRecord } from '../core/index.ts'
import type { Principal } from '../entra/index.ts'
import type { Authorizer } from '../rbac/index.ts'
import { accessPolicyGrants, accessPolicyWord, policiesOf } from './access-policies.ts'
import { type Evidence, forbidden, KeyVaultError } from './errors.ts'
import { CLIENT_ADDRESS, firewallVerdict } from './firewall.ts'
import type { LocalRbac } from './local-rbac/assignments.ts'
import { managedHsmDataAction, vaultDataAction } from './permissions.ts'
import type { Target } from './target.ts'

/**
 * The assignment that allows a call on a vault; undefined where there is none to show: under access policies, and on a
 * managed HSM.
 */
export type Authorize = (
  vault: VaultRecord,
  principal: Principal,
  target: Target,
) => { readonly assignment?: RoleAssignmentRecord }

export interface Deciders {
  readonly authorizer: Authorizer
  readonly localRbac: LocalRbac
}

/** Throws 403 with what was missing, in the journal's evidence, and 404 for calls that the service does not have. */
export function createAuthorize({ authorizer, localRbac }: Deciders): Authorize {
  return (vault, principal, target) => {
    passFirewall(vault, principal)
    if (vault.kind === 'managedHsm') {
      authorizeLocally(localRbac, vault, principal, target)
      return {}
    }
    if (!vault.enableRbacAuthorization) {
      authorizeByPolicy(vault, principal, target)
      return {}
    }
    const { assignment } = authorizeByRole(authorizer, vault, principal, target)
    return assignment === undefined ? {} : { assignment }
  }
}

function passFirewall(vault: VaultRecord, principal: Principal): void {
  const verdict = firewallVerdict(vault)
  if (verdict === 'open') return
  const disabled = verdict === 'publicAccessDisabled'
  const lines = disabled
    ? ['Public network access is disabled and request is not from a trusted service nor via an approved private link.']
    : ['Client address is not authorized and caller is not a trusted service.', `Client address: ${CLIENT_ADDRESS}`]
  const message = [...lines, `Caller: ${callerOf(principal)}`, `Vault: ${placeOf(vault)}`, ''].join('\r\n')
  throw forbidden(message, disabled ? 'ForbiddenByConnection' : 'ForbiddenByFirewall', {
    summary: disabled
      ? `Public network access of ${vault.name} is disabled, and there is no private link here.`
      : `The firewall of ${vault.name} denies by default and has no rule for ${CLIENT_ADDRESS}, the address of every client here.`,
    conditions: [
      disabled
        ? { name: 'vault.publicNetworkAccess', wanted: 'Enabled', found: 'Disabled', met: false }
        : {
            name: 'vault.networkAcls.ipRules',
            wanted: CLIENT_ADDRESS,
            found: vault.networkAcls?.ipRules.map(({ value }) => value) ?? [],
            met: false,
          },
    ],
    action: disabled
      ? `Set publicNetworkAccess of ${vault.id} to Enabled.`
      : `Add an ipRule for ${CLIENT_ADDRESS}/32 to ${vault.id}, or set its networkAcls.defaultAction to Allow.`,
  })
}

function authorizeByRole(authorizer: Authorizer, vault: VaultRecord, principal: Principal, target: Target) {
  const dataAction = vaultDataAction(target.operation)
  if (dataAction === undefined) throw notFoundHere()
  const scope = target.name === undefined ? vault.id : `${vault.id}/keys/${target.name}`
  const decision = authorizer.check(principal.objectId, { dataAction }, scope)
  if (decision.allowed) return decision
  const message = [
    'Caller is not authorized to perform action on resource.',
    'If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.',
    `Caller: ${callerOf(principal)}`,
    `Action: '${dataAction}'`,
    `Resource: '${scope.toLowerCase()}'`,
    'Assignment: (not found)',
    'DenyAssignmentId: null',
    'DecisionReason: null',
    `Vault: ${placeOf(vault)}`,
    '',
  ].join('\r\n')
  const evidence = missingRole({ principal, dataAction, scope, roles: authorizer.rolesFor({ dataAction }) })
  const ignored = policiesOf(vault, principal).length > 0
  throw forbidden(message, 'ForbiddenByRbac', ignored ? { ...evidence, ...withNote(evidence, vault) } : evidence)
}

/** That a vault has policies for the caller is what a person looks at first, and it does not count. */
function withNote({ summary }: Evidence, { name }: VaultRecord): Evidence {
  return { summary: `${summary} The access policies of ${name} do not count: it has enableRbacAuthorization.` }
}

function authorizeByPolicy(vault: VaultRecord, principal: Principal, target: Target): void {
  const word = accessPolicyWord(target.operation)
  if (word === undefined) throw notFoundHere()
  if (accessPolicyGrants(vault, principal, word)) return
  const message = `The user, group or application '${callerOf(principal)}' does not have keys ${word} permission on key vault '${placeOf(vault)}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287`
  const action = `Give ${principal.objectId} the keys permission ${word} in an access policy of ${vault.id} (az keyvault set-policy --key-permissions ${word}), or set enableRbacAuthorization.`
  throw forbidden(message, 'AccessDenied', {
    summary: `Principal ${principal.objectId} has no access policy with the keys permission ${word} on ${vault.name}, which does not use role assignments.`,
    conditions: [
      {
        name: 'accessPolicy.permissions.keys',
        wanted: word,
        found: policiesOf(vault, principal).flatMap(({ permissions }) => permissions.keys ?? []),
        met: false,
        hint: action,
      },
    ],
    action,
    details: { principalId: principal.objectId, clientId: principal.clientId, scope: vault.id },
  })
}

function authorizeLocally(localRbac: LocalRbac, vault: VaultRecord, principal: Principal, target: Target): void {
  // Not covered, whoever asks: its handler says so.
  if (target.operation === 'managedHsmAdministration') return
  const dataAction = managedHsmDataAction(target.operation)
  if (dataAction === undefined) throw notFoundHere()
  const scope = target.scope ?? (target.name === undefined ? '/keys' : `/keys/${target.name}`)
  if (localRbac.allows(vault.host, principal.objectId, dataAction, scope) !== undefined) return
  const roles = localRbac.definitions(vault.host).rolesFor(dataAction)
  const evidence = missingRole({ principal, dataAction, scope: `https://${vault.host}${scope}`, roles })
  throw new KeyVaultError(403, 'AccessDenied', `Not authorized to access ${dataAction} on ${scope}`, { evidence })
}

interface Missing {
  readonly principal: Principal
  readonly dataAction: string
  readonly scope: string
  /** Names of the roles that would do, the narrowest first. */
  readonly roles: readonly string[]
}

function missingRole({ principal, dataAction, scope, roles }: Missing): Evidence {
  const [first, ...others] = roles
  const also = others.length === 0 ? '' : ` (or ${others.slice(0, 3).join(', ')})`
  const which = first === undefined ? `a role that has ${dataAction}` : `the role ${first}${also}`
  const action = `Assign ${which} to ${principal.objectId} at ${scope} or above.`
  return {
    summary: `Principal ${principal.objectId} has no role with ${dataAction} at ${scope}.`,
    conditions: [{ name: 'role', wanted: dataAction, found: '(no assignment)', met: false, hint: action }],
    action,
    details: { principalId: principal.objectId, clientId: principal.clientId, scope },
  }
}

const callerOf = ({ clientId, objectId, tenantId }: Principal): string =>
  `appid=${clientId};oid=${objectId};iss=https://sts.windows.net/${tenantId}/`

const placeOf = ({ name, location }: VaultRecord): string => `${name};location=${location}`

const notFoundHere = () => new KeyVaultError(404, 'NotFound', 'There is no such operation here.')
