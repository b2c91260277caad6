/** The `fetch` that requests go through: Node's own, or one that a caller brings. */
export type Fetch = (input: string, init?: RequestInit) => Promise<Response>

/** Node's `fetch` as it is at the time of the call, so that an interceptor installed later is honoured. */
export const globalFetch: Fetch = (input, init) => globalThis.fetch(input, init)

/**
 * A service did not give what was asked of it.
 * - `ERR_UPSTREAM_UNREACHABLE`: no answer (name, connection, TLS, time limit);
 * - `ERR_UPSTREAM_STATUS`: an error status; `upstreamCode` and `upstreamMessage` are Azure's `error.code` and `error.message`;
 * - `ERR_UPSTREAM_BODY`: a success whose body is not what the service documents.
 *
 * Messages never hold a token: what looks like one is cut out of an upstream's text.
 */
export class UpstreamError extends Error {
  readonly code: 'ERR_UPSTREAM_UNREACHABLE' | 'ERR_UPSTREAM_STATUS' | 'ERR_UPSTREAM_BODY'
  /** Which service, in words. */
  readonly service: string
  readonly status?: number
  readonly upstreamCode?: string
  readonly upstreamMessage?: string

  constructor(
    code: UpstreamError['code'],
    service: string,
    message: string,
    details: { status?: number; upstreamCode?: string; upstreamMessage?: string; cause?: unknown } = {},
  ) {
    super(`${service}: ${message}`, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'UpstreamError'
    this.code = code
    this.service = service
    if (details.status !== undefined) this.status = details.status
    if (details.upstreamCode !== undefined) this.upstreamCode = details.upstreamCode
    if (details.upstreamMessage !== undefined) this.upstreamMessage = details.upstreamMessage
  }
}

/** A silent service must not hang a caller for good. */
const TIME_LIMIT_MS = 30_000

/** Far above any answer that is asked for here. */
const BODY_LIMIT = 1024 * 1024

/**
 * Sends one request and gives the parsed JSON of a success. Redirects are errors: a body with an attestation token goes
 * to the host it was meant for or nowhere.
 * @param service names the other end in errors, such as `MAA contoso.weu.attest.azure.net`
 * @throws UpstreamError
 */
export async function requestJson(
  fetch: Fetch,
  service: string,
  url: string,
  init: RequestInit,
  timeLimitMs = TIME_LIMIT_MS,
): Promise<unknown> {
  const response = await send(fetch, service, url, {
    ...init,
    redirect: 'error',
    signal: AbortSignal.timeout(timeLimitMs),
  })
  const text = await readText(service, response)
  if (!response.ok) throw statusError(service, response.status, text)
  const value = parseJson(text)
  if (value === undefined)
    throw new UpstreamError('ERR_UPSTREAM_BODY', service, 'the answer is not JSON', { status: response.status })
  return value
}

async function send(fetch: Fetch, service: string, url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (cause) {
    throw new UpstreamError('ERR_UPSTREAM_UNREACHABLE', service, reasonOf(cause), { cause })
  }
}

async function readText(service: string, response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of response.body ?? []) {
      length += chunk.length
      if (length > BODY_LIMIT) throw new RangeError(`the answer is longer than ${BODY_LIMIT} bytes`)
      chunks.push(chunk)
    }
  } catch (cause) {
    throw new UpstreamError('ERR_UPSTREAM_BODY', service, reasonOf(cause), { status: response.status, cause })
  }
  return Buffer.concat(chunks).toString('utf8')
}

function statusError(service: string, status: number, text: string): UpstreamError {
  const error = (parseJson(text) as { error?: unknown } | undefined)?.error
  const { code, message } =
    typeof error === 'object' && error !== null ? (error as { code?: unknown; message?: unknown }) : {}
  const upstreamCode =
    typeof code === 'string' ? withoutTokens(code) : typeof error === 'string' ? withoutTokens(error) : undefined
  const upstreamMessage = typeof message === 'string' ? withoutTokens(message) : undefined
  const words = [upstreamCode, upstreamMessage].filter((part) => part !== undefined).join(': ')
  return new UpstreamError('ERR_UPSTREAM_STATUS', service, words === '' ? `${status}` : `${status} ${words}`, {
    status,
    ...(upstreamCode !== undefined && { upstreamCode }),
    ...(upstreamMessage !== undefined && { upstreamMessage }),
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The innermost reason: `fetch failed` says nothing, its cause does. */
export function reasonOf(error: unknown): string {
  const seen = new Set<unknown>()
  let at = error
  while (at instanceof Error && at.cause instanceof Error && !seen.has(at)) {
    seen.add(at)
    at = at.cause
  }
  if (!(at instanceof Error)) return withoutTokens(String(at))
  const code = (at as NodeJS.ErrnoException).code
  const message = at.message || at.name
  return withoutTokens(typeof code === 'string' && !message.includes(code) ? `${code}: ${message}` : message)
}

/** JSON Web Tokens begin with `{"` in base64url. */
export function withoutTokens(text: string): string {
  return text.replaceAll(/eyJ[\w-]+(?:\.[\w-]*)+/g, '(token)')
}
