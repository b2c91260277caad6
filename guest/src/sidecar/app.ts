import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { withoutTokens } from '../http/upstream.ts'
import { encodeHex } from '../wire/index.ts'
import { createOperations, type SidecarOptions } from './operations.ts'
import { BadRequestError, decodeRuntimeData, readBody } from './requests.ts'

export type { SidecarOptions } from './operations.ts'

/** Runtime data and three names: nothing that is asked here is longer. */
const BODY_LIMIT = 1024 * 1024

/** What the original says has failed, in front of why. */
const FAILED: Readonly<Record<string, { readonly status: 403 | 500; readonly words: string }>> = {
  '/attest/raw': { status: 403, words: 'failure to fetch attestation report hex' },
  '/attest/combined': { status: 500, words: 'failure to fetch attestation report bytes' },
  '/attest/maa': { status: 403, words: 'attestation failed' },
  '/key/release': { status: 403, words: 'secure key release failed' },
}

/**
 * The HTTP API of the open-source SKR sidecar: same paths, fields and status codes. Errors are one document
 * `{"error": text}`: 400 for a body that does not bind, 403 when attestation or release fails, for a name that is none
 * too (500 from /attest/combined).
 * Whoever reaches it gets keys: it must only be served on the loopback of the container group.
 */
export function createSidecar(options: SidecarOptions): Hono {
  const { log } = options
  const operations = createOperations(options)
  const app = new Hono()

  app.use(async (c, next) => {
    // A page in a browser on the same network must not be able to ask for keys: a name that leads here is not ours.
    const host = URL.parse(c.req.url)?.hostname
    if (host !== 'localhost' && host !== '127.0.0.1' && host !== '[::1]')
      return c.json({ error: 'this service answers to localhost only' }, 403)
    return await next()
  })

  app.use(async (c, next) => {
    await next()
    if (c.res.headers.get('content-type') === 'application/json')
      c.res.headers.set('content-type', 'application/json; charset=utf-8')
  })

  app.use(bodyLimit({ maxSize: BODY_LIMIT, onError: (c) => c.json({ error: 'the body is too long' }, 413) }))

  app.get('/status', (c) => (c.req.method === 'HEAD' ? c.notFound() : c.json({ message: 'Status OK' })))

  app.post('/attest/raw', async (c) => {
    const body = await readBody(c.req, ['runtime_data'])
    return c.json({ report: encodeHex(await operations.report(decodeRuntimeData(body.runtime_data))) })
  })

  app.post('/attest/combined', async (c) => {
    const body = await readBody(c.req, ['runtime_data'])
    const data = await operations.attestationData(decodeRuntimeData(body.runtime_data))
    return c.json({
      endorsed_tcb: data.endorsedTcb,
      endorsements: data.certificates,
      evidence: data.report,
      uvm_endorsements: data.uvmReferenceInfo,
    })
  })

  app.post('/attest/maa', async (c) => {
    const body = await readBody(c.req, ['maa_endpoint', 'runtime_data'])
    return c.json({ token: await operations.attest(body.maa_endpoint, decodeRuntimeData(body.runtime_data)) })
  })

  app.post('/key/release', async (c) => {
    const body = await readBody(c.req, ['maa_endpoint', 'akv_endpoint', 'kid'], ['access_token'])
    const { jwk } = await operations.release({
      maaEndpoint: body.maa_endpoint,
      akvEndpoint: body.akv_endpoint,
      kid: body.kid,
      ...(body.access_token !== undefined && { accessToken: body.access_token }),
    })
    return c.json({ key: sortedJson(jwk) })
  })

  app.notFound((c) => {
    const { path, method } = c.req
    const wanted = path.slice(0, -1)
    // A slash too many is redirected as the original's router does it: 307 has the client send its body again.
    if (path.endsWith('/') && app.routes.some((route) => route.path === wanted && route.method === method)) {
      if (method !== 'GET') return c.redirect(wanted, 307)
      return c.html(`<a href="${wanted}">Moved Permanently</a>.\n\n`, 301, {
        Location: wanted,
        'Content-Type': 'text/html; charset=utf-8',
      })
    }
    return c.body('404 page not found', 404, { 'Content-Type': 'text/plain' })
  })

  app.onError((error, c) => {
    const failed = error instanceof BadRequestError ? undefined : FAILED[c.req.path]
    const reason = withoutTokens(error.message)
    const message = failed === undefined ? reason : `${failed.words}: ${reason}`
    log('error', `${c.req.path}: ${message}`)
    return c.json({ error: message }, error instanceof BadRequestError ? 400 : (failed?.status ?? 500))
  })
  return app
}

/** Members by name: the order in which the original writes a key. */
function sortedJson(value: object): string {
  return JSON.stringify(Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))))
}
