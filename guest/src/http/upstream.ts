/** What is looked at of a `Response`. */
export interface Answer {
  readonly status: number
  readonly ok: boolean
  readonly headers: { get(name: string): string | null }
  readonly body: AsyncIterable<Uint8Array> | null
}

/** The `fetch` that requests go through: Node's own, or one that a caller brings. */
export type Fetch = (input: string, init?: RequestInit) => Promise<Answer>

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
  /** Stable; see above. */
  readonly code: 'ERR_UPSTREAM_UNREACHABLE' | 'ERR_UPSTREAM_STATUS' | 'ERR_UPSTREAM_BODY'
  /** Which service, in words. */
  readonly service: string
  /** Of the HTTP answer, where there was one. */
  readonly status?: number
  /** Azure's `error.code`. */
  readonly upstreamCode?: string
  /** Azure's `error.message`, without tokens. */
  readonly upstreamMessage?: string
  /** How long the service asks to be left alone, in milliseconds (RFC 9110, 10.2.3). */
  readonly retryAfterMs?: number

  constructor(
    code: UpstreamError['code'],
    service: string,
    message: string,
    details: {
      status?: number
      upstreamCode?: string
      upstreamMessage?: string
      retryAfterMs?: number
      cause?: unknown
    } = {},
  ) {
    super(`${service}: ${message}`, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'UpstreamError'
    this.code = code
    this.service = service
    if (details.status !== undefined) this.status = details.status
    if (details.upstreamCode !== undefined) this.upstreamCode = details.upstreamCode
    if (details.upstreamMessage !== undefined) this.upstreamMessage = details.upstreamMessage
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs
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
  const bytes = await requestBytes(fetch, service, url, init, timeLimitMs)
  const value = parseJson(bytes.toString('utf8'))
  if (value === undefined) throw new UpstreamError('ERR_UPSTREAM_BODY', service, 'the answer is not JSON')
  return value
}

/**
 * The same for an answer that is not JSON, such as a certificate.
 * @throws UpstreamError
 */
export async function requestBytes(
  fetch: Fetch,
  service: string,
  url: string,
  init: RequestInit = {},
  timeLimitMs = TIME_LIMIT_MS,
): Promise<Buffer> {
  const response = await send(fetch, service, url, {
    ...init,
    redirect: 'error',
    signal: AbortSignal.timeout(timeLimitMs),
  })
  const bytes = await readBytes(service, response)
  if (!response.ok) throw statusError(service, response, bytes.toString('utf8'))
  return bytes
}

async function send(fetch: Fetch, service: string, url: string, init: RequestInit): Promise<Answer> {
  try {
    return await fetch(url, init)
  } catch (cause) {
    throw new UpstreamError('ERR_UPSTREAM_UNREACHABLE', service, reasonOf(cause), { cause })
  }
}

async function readBytes(service: string, response: Answer): Promise<Buffer> {
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
  return Buffer.concat(chunks)
}

function statusError(service: string, response: Answer, text: string): UpstreamError {
  const { status, headers } = response
  const retryAfterMs = retryAfterOf(headers)
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
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
}

/** Seconds, or a date: by the clock of whoever wrote it. */
function retryAfterOf(headers: Answer['headers']): number | undefined {
  const value = headers.get('retry-after')?.trim()
  if (!value) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  const wait = Date.parse(value) - Date.parse(headers.get('date') ?? '')
  return Number.isNaN(wait) ? undefined : Math.max(0, wait)
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
