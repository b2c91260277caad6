import type { Context, Hono } from 'hono'
import type { EmulatorContext, JournalCondition } from '../core/index.ts'
import { answer, type Routes } from './answer.ts'
import { type ApiVersion, certificateResultClaim, requireApiVersion } from './api-version.ts'
import { type AttestationType, attestationType } from './attestation-types.ts'
import type { Gate, Right } from './caller.ts'
import { AttestationError, badMessage, policyEvaluationError } from './errors.ts'
import { type Change, changeSigners, resetPolicy, setPolicy } from './policies/change.ts'
import { effectivePolicy, storedPolicyJws } from './policies/effective.ts'
import { listSigners } from './policies/signers.ts'
import { PolicyRunError } from './policy/errors.ts'
import { tcbBaselines } from './tcb-baselines.ts'
import { policyToken } from './token.ts'

/** Policies, policy signers and baselines: what an administrator asks of a provider, with a token of Entra's. */
export function managementRoutes(app: Hono<Routes>, ctx: EmulatorContext, gate: Gate): void {
  const manage = managed(ctx, gate)

  app.get('/policies/:type', (c) =>
    manage(c, 'getPolicy', 'read', c.req.param('type'), (type) => ({
      claims: { 'x-ms-policy': storedPolicyJws(ctx, c.get('provider'), type) },
      summary: `the policy of ${c.get('provider').host} for ${type} was read`,
      details: {},
      conditions: [],
    })),
  )
  app.put('/policies/:type', (c) =>
    manage(c, 'setPolicy', 'write', c.req.param('type'), async (type) =>
      setPolicy(ctx, { provider: c.get('provider'), type }, await jwsText(c)),
    ),
  )
  // The colon belongs to the last segment of the path.
  app.post('/policies/:reset{.+:reset}', (c) =>
    manage(c, 'resetPolicy', 'delete', c.req.param('reset').slice(0, -':reset'.length), async (type) =>
      resetPolicy(ctx, { provider: c.get('provider'), type }, await jwsText(c)),
    ),
  )
  app.get('/certificates', (c) =>
    manage(c, 'getPolicySigners', 'read', undefined, () => ({
      claims: { 'x-ms-policy-certificates': listSigners(ctx, c.get('provider').host) },
      summary: `the policy signers of ${c.get('provider').host} were read`,
      details: {},
      conditions: [],
    })),
  )
  for (const what of ['add', 'remove'] as const) {
    const wrapped = what === 'add' ? 'policyCertificateToAdd' : 'policyCertificateToRemove'
    const operation = what === 'add' ? 'addPolicySigner' : 'removePolicySigner'
    app.post(`/:certificates{certificates:${what}}`, (c) =>
      manage(c, operation, what === 'add' ? 'write' : 'delete', undefined, async (_, version) =>
        changeSigners(ctx, c.get('provider'), what, await jwsText(c, wrapped), certificateResultClaim(version)),
      ),
    )
  }
  app.get('/tcbbaselines/:type', async (c) => {
    requireApiVersion(c.req.query('api-version'), 'tcbbaselines')
    const type = requireType(c.req.param('type'))
    await gate.admit(c.req.raw, c.get('provider'), 'read')
    const current = c.req.query('provideCurrentTcbInPolicy')?.toLowerCase() === 'true'
    if (!current) return answer(c, 200, tcbBaselines(type))
    try {
      return answer(c, 200, tcbBaselines(type, { policy: effectivePolicy(ctx, c.get('provider'), type)?.policy }))
    } catch (error) {
      throw error instanceof PolicyRunError ? policyEvaluationError(error.message) : error
    }
  })
}

type Manage = (
  c: Context<Routes>,
  operation: string,
  right: Right,
  type: string | undefined,
  change: (type: AttestationType, version: ApiVersion) => Change | Promise<Change>,
) => Promise<Response>

/** Who asks, what comes of it, and the journal's record of either. */
function managed(ctx: EmulatorContext, gate: Gate): Manage {
  return async (c, operation, right, segment, change) => {
    const { host } = c.get('provider')
    const requestId = c.get('requestId')
    const seen: JournalCondition[] = []
    const version = requireApiVersion(c.req.query('api-version'))
    const type = segment === undefined ? 'SgxEnclave' : requireType(segment)
    const subject = segment === undefined ? host : `${host}/${type}`
    try {
      const { principal, conditions } = await gate.admit(c.req.raw, c.get('provider'), right)
      seen.push(...conditions)
      const { claims, summary, details, conditions: more } = await change(type, version)
      const token = await policyToken(ctx, c.get('issuer'), claims)
      ctx.journal.write({
        service: 'maa',
        operation,
        outcome: 'allowed',
        subject,
        summary,
        conditions: [...seen, ...more],
        answer: { status: 200, requestId },
        details: { principalId: principal.objectId, ...details },
      })
      return answer(c, 200, { token })
    } catch (error) {
      if (!(error instanceof AttestationError)) throw error
      const conditions = [...seen, ...error.conditions]
      const hint = conditions.find(({ met }) => !met)?.hint
      ctx.journal.write({
        service: 'maa',
        operation,
        outcome: error.status === 501 ? 'failed' : 'denied',
        subject,
        summary: `${host} refused ${operation}: ${conditions.find(({ met }) => !met)?.name ?? error.message}`,
        conditions,
        ...(hint !== undefined && { action: hint }),
        answer: { status: error.status, code: error.code, requestId },
      })
      throw error
    }
  }
}

function requireType(segment: string): AttestationType {
  const type = attestationType(segment)
  if (type === undefined) throw new AttestationError(404, 'NotFound', 'The requested path does not exist.')
  return type
}

/**
 * The JWS of a request: bare text whatever the content type says, or a JSON string, or (2025-06-01) a JSON object around
 * it.
 */
async function jwsText(c: Context<Routes>, wrapped?: string): Promise<string> {
  const body = (await c.req.text()).trim()
  if (!body.startsWith('"') && !body.startsWith('{')) return body
  try {
    const value: unknown = JSON.parse(body)
    const inner =
      wrapped !== undefined && typeof value === 'object' ? (value as Record<string, unknown>)[wrapped] : value
    if (typeof inner === 'string') return inner
  } catch {
    // No JSON, and no JWS either.
  }
  throw badMessage('Malformed JWT: Could not find first period in the token.')
}
