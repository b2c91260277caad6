import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { type AttestationContext, collectEvidence } from '../attest/evidence.ts'
import type { Clock } from '../clock.ts'
import { type Fetch, withoutTokens } from '../http/upstream.ts'
import type { TokenSource } from '../identity/vault-token.ts'
import { attest } from '../maa/attest.ts'
import { releaseKey } from '../skr/release.ts'
import type { TrustStore } from '../skr/trust-store.ts'
import type { WrappingKeys } from '../skr/wrapping-key.ts'
import { encodeBase64, encodeHex, encodeUtf8 } from '../wire/index.ts'
import type { Log } from './log.ts'
import { BadRequestError, decodeRuntimeData, readBody } from './requests.ts'

export interface SidecarOptions {
  readonly context: AttestationContext
  /** Content of `reference-info-base64`, as /attest/combined hands it on. */
  readonly referenceInfoBase64?: string
  readonly credential: TokenSource
  readonly wrappingKeys?: WrappingKeys
  readonly trust?: TrustStore
  readonly fetch?: Fetch
  readonly clock?: Clock
  readonly log: Log
}

/** Runtime data and three names: nothing that is asked here is longer. */
const BODY_LIMIT = 1024 * 1024

/**
 * The HTTP API of the open-source SKR sidecar: same paths, fields and status codes. Errors are one document
 * `{"error": text}`: 400 for a body that does not bind, 403 when attestation or release fails, for a name that is none
 * too (500 from /attest/combined).
 * Whoever reaches it gets keys: it must only be served on the loopback of the container group.
 */
export function createSidecar(options: SidecarOptions): Hono {
  const { context, log } = options
  const app = new Hono()
  const ambient = { ...(options.fetch && { fetch: options.fetch }), ...(options.clock && { clock: options.clock }) }

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

  app.get('/status', (c) => c.json({ message: 'Status OK' }))

  app.post('/attest/raw', async (c) => {
    const body = await readBody(c.req, ['runtime_data'])
    const evidence = await collectEvidence(context, { runtimeData: decodeRuntimeData(body.runtime_data) })
    return c.json({ report: encodeHex(evidence.report) })
  })

  app.post('/attest/combined', async (c) => {
    const body = await readBody(c.req, ['runtime_data'])
    const evidence = await collectEvidence(context, { runtimeData: decodeRuntimeData(body.runtime_data) })
    return c.json({
      endorsed_tcb: evidence.certification.tcbm,
      endorsements: encodeBase64(encodeUtf8(evidence.certificateChainPem)),
      evidence: encodeBase64(evidence.report),
      uvm_endorsements: options.referenceInfoBase64 ?? '',
    })
  })

  app.post('/attest/maa', async (c) => {
    const body = await readBody(c.req, ['maa_endpoint', 'runtime_data'])
    const runtimeData = decodeRuntimeData(body.runtime_data)
    const token = await attest(context, { maaEndpoint: body.maa_endpoint, runtimeData, ...ambient })
    return c.json({ token })
  })

  app.post('/key/release', async (c) => {
    const body = await readBody(c.req, ['maa_endpoint', 'akv_endpoint', 'kid'], ['access_token'])
    log('info', 'Performing secure key release...')
    log('debug', `Releasing key blob: {${body.kid}}`)
    const { jwk, kid } = await releaseKey(context, {
      maaEndpoint: body.maa_endpoint,
      akvEndpoint: body.akv_endpoint,
      kid: body.kid,
      credential: options.credential,
      ...(body.access_token !== undefined && { accessToken: body.access_token }),
      ...(options.wrappingKeys && { wrappingKeys: options.wrappingKeys }),
      ...(options.trust && { trust: options.trust }),
      ...ambient,
    })
    log('debug', `Key released of type ${jwk.kty}: ${kid}`)
    return c.json({ key: JSON.stringify(jwk) })
  })

  app.notFound((c) => {
    const { path, method } = c.req
    const wanted = path.slice(0, -1)
    // A slash too many is redirected as the original's router does it: 307 has the client send its body again.
    if (path.endsWith('/') && app.routes.some((route) => route.path === wanted && route.method === method))
      return c.redirect(wanted, method === 'GET' ? 301 : 307)
    return c.body('404 page not found', 404, { 'Content-Type': 'text/plain' })
  })

  app.onError((error, c) => {
    const message = withoutTokens(error.message)
    log('error', `${c.req.path}: ${message}`)
    if (error instanceof BadRequestError) return c.json({ error: message }, 400)
    return c.json({ error: message }, c.req.path === '/attest/combined' ? 500 : 403)
  })

  return app
}
