import type { EmulatorContext, UserRecord } from '../../core/index.ts'
import { findClient } from '../applications.ts'
import { createAuthorizationCode } from '../authorization-codes.ts'
import { missingParameter, TokenServiceError, unknownApplication } from '../errors.ts'
import { requestedScope } from '../grants/user-answer.ts'
import { required } from '../token-form.ts'
import { invalidRedirect } from '../user-errors.ts'
import { escapeHtml, page } from './html.ts'
import { refuseForeignForm, signIn, userFields, type Visitor } from './sign-in.ts'

/** What a client asks of the authorization endpoint, checked. */
interface Wanted {
  readonly clientId: string
  readonly clientName: string
  readonly redirectUri: string
  readonly scope: string
  readonly responseMode: 'query' | 'fragment' | 'form_post'
  readonly state?: string
  readonly nonce?: string
  readonly codeChallenge?: string
  readonly loginHint: string
}

/**
 * The authorization endpoint for clients on this machine (RFC 6749, section 4.1; RFC 8252): a person signs in, and their
 * browser goes back to a loopback address with a code. No other redirect is taken.
 */
export async function authorizePage(ctx: EmulatorContext, request: Request, visitor: Visitor): Promise<Response> {
  let wanted: Wanted
  try {
    wanted = readWanted(ctx, new URL(request.url).searchParams)
  } catch (error) {
    if (!(error instanceof TokenServiceError)) throw error
    return page('Sorry, but we’re having trouble signing you in.', `<p>${escapeHtml(error.message)}</p>`, 400)
  }
  if (request.method === 'GET') return userForm(ctx, visitor, wanted)
  const foreign = refuseForeignForm(request)
  if (foreign !== undefined) return foreign
  const form = new URLSearchParams(await request.text())
  if (form.get('action') === 'decline') {
    return goBack(wanted, {
      error: 'access_denied',
      error_description: 'AADSTS65004: User declined to consent to access the app.',
    })
  }
  const user = await signIn(ctx, form, visitor)
  if (typeof user === 'string') return userForm(ctx, visitor, wanted, user)
  return goBack(wanted, { code: codeFor(ctx, wanted, user), session_state: ctx.random.uuid() })
}

function codeFor(ctx: EmulatorContext, wanted: Wanted, user: UserRecord): string {
  const { clientId, clientName, redirectUri, scope, nonce, codeChallenge } = wanted
  ctx.journal.write({
    service: 'entra',
    operation: 'authorize',
    outcome: 'allowed',
    subject: clientId,
    summary: `${user.userPrincipalName} signed in to ${clientName} in a browser`,
  })
  return createAuthorizationCode(ctx, {
    userId: user.objectId,
    clientId,
    redirectUri,
    scope,
    ...(nonce !== undefined && { nonce }),
    ...(codeChallenge !== undefined && { codeChallenge }),
  })
}

const MODES = ['query', 'fragment', 'form_post'] as const

function readWanted(ctx: EmulatorContext, query: URLSearchParams): Wanted {
  const asked = required(query, 'client_id')
  const client = findClient(ctx, asked)
  if (client === undefined) throw unknownApplication(asked, ctx.seed.tenantId)
  const redirectUri = required(query, 'redirect_uri')
  if (!isLoopback(redirectUri)) throw invalidRedirect(client.clientId)
  if (required(query, 'response_type') !== 'code') {
    throw new TokenServiceError(
      400,
      'unsupported_response_type',
      700054,
      "Only the response_type 'code' is enabled for the application.",
    )
  }
  const scope = required(query, 'scope')
  requestedScope({ version: 'v2', form: query })
  const codeChallenge = query.get('code_challenge') ?? undefined
  // Another program may listen where the browser goes back to: only the one that began can end it (RFC 8252, 8.1).
  if (codeChallenge === undefined && client.publicClient) throw missingParameter('code_challenge')
  if (codeChallenge !== undefined && query.get('code_challenge_method') !== 'S256') {
    throw new TokenServiceError(400, 'invalid_request', 501481, "The 'code_challenge_method' must be 'S256'.")
  }
  const [state, nonce] = [query.get('state') ?? undefined, query.get('nonce') ?? undefined]
  return {
    clientId: client.clientId,
    clientName: client.displayName,
    redirectUri,
    scope,
    responseMode: MODES.find((mode) => mode === query.get('response_mode')) ?? 'query',
    loginHint: query.get('login_hint') ?? '',
    ...(state !== undefined && { state }),
    ...(nonce !== undefined && { nonce }),
    ...(codeChallenge !== undefined && { codeChallenge }),
  }
}

/** RFC 8252, section 7.3. */
function isLoopback(redirectUri: string): boolean {
  if (!URL.canParse(redirectUri)) return false
  const { protocol, hostname, username, password, hash } = new URL(redirectUri)
  const isLocal = hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]'
  return (protocol === 'http:' || protocol === 'https:') && isLocal && username === '' && password === '' && hash === ''
}

function goBack({ redirectUri, responseMode, state }: Wanted, answer: Readonly<Record<string, string>>): Response {
  const parameters = new URLSearchParams({ ...answer, ...(state !== undefined && { state }) })
  if (responseMode === 'form_post') {
    const fields = [...parameters].map(
      ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
    )
    const body = `<form method="post" action="${escapeHtml(redirectUri)}">${fields.join('')}<button autofocus>Continue</button></form>`
    return page('Signed in', body)
  }
  const url = new URL(redirectUri)
  if (responseMode === 'fragment') url.hash = parameters.toString()
  else for (const [name, value] of parameters) url.searchParams.append(name, value)
  return new Response(null, {
    status: 302,
    headers: { Location: url.href, 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' },
  })
}

function userForm(ctx: EmulatorContext, visitor: Visitor, wanted: Wanted, problem?: string): Response {
  const alert = problem === undefined ? '' : `<p role="alert"><strong>${escapeHtml(problem)}</strong></p>`
  const what = `<p><strong>${escapeHtml(wanted.clientName)}</strong> (${escapeHtml(wanted.clientId)}) wants to sign you in for ${escapeHtml(wanted.scope)}.</p>`
  const body = `${alert}${what}<form method="post">${userFields(ctx, visitor, wanted.loginHint)}<button name="action" value="approve">Sign in</button><button name="action" value="decline" formnovalidate>Cancel</button></form>`
  return page('Sign in', body, problem === undefined ? 200 : 400)
}
