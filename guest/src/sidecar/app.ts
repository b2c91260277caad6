import { withoutTokens } from '../http/upstream.ts'
import { encodeHex } from '../wire/index.ts'
import { toGoJson } from './go-json.ts'
import { type HttpAnswer, type HttpRequest, isLoopbackName, parseTarget } from './http-message.ts'
import { createOperations, type Operations, type SidecarOptions } from './operations.ts'
import { BadRequestError, decodeRuntimeData, readBody } from './requests.ts'

export type { HttpAnswer, HttpRequest } from './http-message.ts'
export type { SidecarOptions } from './operations.ts'

/** Answers one request; it never rejects. */
export type SidecarHandler = (request: HttpRequest) => Promise<HttpAnswer>

interface Route {
  readonly method: 'GET' | 'POST'
  /** What the original says has failed, in front of why. */
  readonly failed?: { readonly status: 403 | 500; readonly words: string }
  /** The members of the answer. */
  answer(body: string, operations: Operations): Promise<object>
}

const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['/status', { method: 'GET', answer: async () => ({ message: 'Status OK' }) }],
  [
    '/attest/raw',
    {
      method: 'POST',
      failed: { status: 403, words: 'failure to fetch attestation report hex' },
      async answer(text, { report }) {
        const body = readBody(text, ['runtime_data'])
        return { report: encodeHex(await report(decodeRuntimeData(body.runtime_data))) }
      },
    },
  ],
  [
    '/attest/combined',
    {
      method: 'POST',
      failed: { status: 500, words: 'failure to fetch attestation report bytes' },
      async answer(text, { attestationData }) {
        const body = readBody(text, ['runtime_data'])
        const data = await attestationData(decodeRuntimeData(body.runtime_data))
        return {
          endorsed_tcb: data.endorsedTcb,
          endorsements: data.certificates,
          evidence: data.report,
          uvm_endorsements: data.uvmReferenceInfo,
        }
      },
    },
  ],
  [
    '/attest/maa',
    {
      method: 'POST',
      failed: { status: 403, words: 'attestation failed' },
      async answer(text, { attest }) {
        const body = readBody(text, ['maa_endpoint', 'runtime_data'])
        return { token: await attest(body.maa_endpoint, decodeRuntimeData(body.runtime_data)) }
      },
    },
  ],
  [
    '/key/release',
    {
      method: 'POST',
      failed: { status: 403, words: 'secure key release failed' },
      async answer(text, { release }) {
        const body = readBody(text, ['maa_endpoint', 'akv_endpoint', 'kid'], ['access_token'])
        const { jwk } = await release({
          maaEndpoint: body.maa_endpoint,
          akvEndpoint: body.akv_endpoint,
          kid: body.kid,
          ...(body.access_token !== undefined && { accessToken: body.access_token }),
        })
        return { key: sortedJson(jwk) }
      },
    },
  ],
])

/**
 * The HTTP API of the open-source SKR sidecar: same paths, fields and status codes. Errors are one document
 * `{"error": text}`: 400 for a body that does not bind, 403 when attestation or release fails, for a name that is none
 * too (500 from /attest/combined).
 * Whoever reaches it gets keys: it must only be served on the loopback of the container group.
 */
export function createSidecar(options: SidecarOptions): SidecarHandler {
  const { log } = options
  const operations = createOperations(options)
  return async (request) => {
    const target = parseTarget(request)
    if (target === undefined) return plain(400, '400 Bad Request')
    const { path, query, hostName } = target
    const { method, body } = request
    // A page in a browser on the same network must not be able to ask for keys: a name that leads here is not ours.
    if (!isLoopbackName(hostName)) return json(403, { error: 'this service answers to localhost only' })
    const route = routeOf(method, path)
    if (route === undefined) return elsewhere(method, path, query)
    try {
      return json(200, await route.answer(body, operations))
    } catch (error) {
      const failed = error instanceof BadRequestError ? undefined : route.failed
      const reason = withoutTokens((error as Error).message)
      const message = failed === undefined ? reason : `${failed.words}: ${reason}`
      log('error', `${path}: ${message}`)
      return json(error instanceof BadRequestError ? 400 : (failed?.status ?? 500), { error: message })
    }
  }
}

function routeOf(method: string, path: string): Route | undefined {
  const route = ROUTES.get(path)
  return route?.method === method ? route : undefined
}

/** A slash too many is redirected as the original's router does it: 307 has the client send its body again. */
function elsewhere(method: string, path: string, query: string): HttpAnswer {
  const wanted = path.slice(0, -1)
  if (!path.endsWith('/') || routeOf(method, wanted) === undefined) return plain(404, '404 page not found')
  const location = `${wanted}${query}`
  if (method !== 'GET') return { status: 307, headers: { Location: location }, body: '' }
  const headers = { 'Content-Type': 'text/html; charset=utf-8', Location: location }
  return { status: 301, headers, body: `<a href="${asAttribute(location)}">Moved Permanently</a>.\n\n` }
}

function json(status: number, value: object): HttpAnswer {
  return { status, headers: { 'Content-Type': 'application/json; charset=utf-8' }, body: toGoJson(value) }
}

function plain(status: number, body: string): HttpAnswer {
  return { status, headers: { 'Content-Type': 'text/plain' }, body }
}

function asAttribute(value: string): string {
  return value.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** Members by name: the order in which the original writes a key. */
function sortedJson(value: object): string {
  return JSON.stringify(Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))))
}
