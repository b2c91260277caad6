import type { AttestationProviderRecord, EmulatorContext, JournalCondition } from '../core/index.ts'
import { type Principal, TokenError, type TokenVerifier } from '../entra/index.ts'
import type { Authorizer } from '../rbac/index.ts'
import { AttestationError, unauthorized } from './errors.ts'

/*
 * Who may manage a provider. Source: Microsoft Learn, "Azure Attestation troubleshooting guide": the actions
 * `Microsoft.Attestation/attestationProviders/attestation/{read,write,delete}` of a role; whoever has them not gets 401.
 */

export interface Gate {
  /**
   * Whoever sent a token of the tenant for Azure Attestation, and has the right.
   * @throws AttestationError 401, with what was missing
   */
  admit(
    request: { readonly headers: Pick<Headers, 'get'> },
    provider: AttestationProviderRecord,
    right: Right,
  ): Promise<{ readonly principal: Principal; readonly conditions: readonly JournalCondition[] }>
}

export type Right = 'read' | 'write' | 'delete'

const AUDIENCES = ['https://attest.azure.net', 'https://attest.azure.net/']

export function createGate(
  ctx: EmulatorContext,
  { tokens, authorizer }: { readonly tokens: TokenVerifier; readonly authorizer: Authorizer },
): Gate {
  return {
    async admit(request, provider, right) {
      const principal = await verify(tokens, request)
      const token: JournalCondition = { name: 'token', wanted: AUDIENCES[0], found: principal.objectId, met: true }
      const action = `Microsoft.Attestation/attestationProviders/attestation/${right}`
      // Nobody has a role on a shared provider; its policies are public knowledge.
      if (provider.trustModel === 'Shared' && right === 'read') return { principal, conditions: [token] }
      const shared = provider.trustModel === 'Shared'
      const scope = provider.id ?? `/subscriptions/${ctx.seed.subscriptionId}`
      const { allowed, assignment } = shared
        ? { allowed: false }
        : authorizer.check(principal.objectId, { action }, scope)
      const role: JournalCondition = {
        name: 'role',
        wanted: action,
        found: assignment?.roleDefinitionId ?? 'none',
        met: allowed,
        ...(!allowed && {
          hint: shared
            ? 'a shared provider cannot be changed: create one of your own through Resource Manager'
            : `assign ${authorizer.rolesFor({ action })[0] ?? 'a role'} to ${principal.objectId} at ${scope}`,
        }),
      }
      if (!allowed) throw refused([token, role])
      return { principal, conditions: [token, role] }
    },
  }
}

async function verify(tokens: TokenVerifier, request: { readonly headers: Pick<Headers, 'get'> }): Promise<Principal> {
  try {
    return await tokens.verify(request, AUDIENCES)
  } catch (error) {
    if (!(error instanceof TokenError)) throw error
    throw refused([
      {
        name: 'token',
        wanted: AUDIENCES[0],
        found: error.found === undefined ? error.message : `${error.message}: ${error.found}`,
        met: false,
        hint: `get a token with the scope ${AUDIENCES[0]}/.default`,
      },
    ])
  }
}

function refused(conditions: readonly JournalCondition[]): AttestationError {
  const { status, code, message } = unauthorized()
  return new AttestationError(status, code, message, conditions)
}
