import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { connect, createServer as createServerOfHttp2 } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import express from 'express'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { stillClock } from '../../testing/clock.ts'
import { createProvider, MAA, now } from '../../testing/provider.ts'
import { requireAttestation as forExpress } from './express.ts'
import type { GateOptions } from './gate.ts'
import { type AttestedVariables, requireAttestation as forHono } from './hono.ts'
import { requireAttestation as forNode } from './node.ts'

const provider = createProvider()
const HOST_DATA = 'ab'.repeat(32)
const good = () => provider.token({ 'x-ms-sevsnpvm-hostdata': HOST_DATA, nonce: '7' })

type Options = Partial<Pick<GateOptions<unknown>, 'header' | 'nonce' | 'onRefused'>>
const gate = (options: Options = {}) => ({
  authority: MAA,
  claims: { 'x-ms-sevsnpvm-hostdata': HOST_DATA },
  fetch: provider.fetch,
  clock: stillClock(),
  ...options,
})

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  provider.fail(false)
  await Promise.all(stops.splice(0).map((stop) => stop()))
})

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  stops.push(() => new Promise((done) => server.close(() => done())))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret`
}

/** The same service three times: answers with the host data of its caller. */
const servers: Record<string, (options?: Options) => Promise<string>> = {
  async hono(options) {
    const app = new Hono<AttestedVariables>()
    app.use('/secret', forHono(gate(options)))
    app.get('/secret', (c) => c.text(c.get('attestation')['x-ms-sevsnpvm-hostdata'] ?? ''))
    return await new Promise((done) => {
      const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
        done(`http://127.0.0.1:${port}/secret`),
      )
      stops.push(() => new Promise((stopped) => server.close(() => stopped())))
    })
  },
  async express(options) {
    const app = express()
    app.use('/secret', forExpress(gate(options)))
    app.get('/secret', (request, response) => {
      const { attestation } = request as { attestation?: Record<string, unknown> }
      response.send(attestation?.['x-ms-sevsnpvm-hostdata'])
    })
    return await listen(app)
  },
  'node:http': (options) =>
    listen(forNode(gate(options), (_request, response, claims) => void response.end(claims['x-ms-sevsnpvm-hostdata']))),
}

const ask = (url: string, token: string | undefined, header = 'Authorization') =>
  fetch(url, {
    headers: {
      Connection: 'close',
      ...(token !== undefined && { [header]: header === 'Authorization' ? `Bearer ${token}` : token }),
    },
  })

describe.each(Object.keys(servers))('%s behind the gate', (name) => {
  const start = servers[name]!

  it('serves attested callers, and knows who they are', async () => {
    const answer = await ask(await start(), good())
    expect([answer.status, await answer.text()]).toEqual([200, HOST_DATA])
  })

  it('answers 401 without a token', async () => {
    const answer = await ask(await start(), undefined)
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="attested callers"')
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(await answer.json()).toMatchObject({ error: { code: 'ERR_TOKEN_MISSING' } })
  })

  it('answers 401 to a token that is not valid', async () => {
    const answer = await ask(await start(), provider.token({ exp: now - 100 }))
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"')
    expect(await answer.json()).toMatchObject({ error: { code: 'ERR_TOKEN_EXPIRED' } })
  })

  it('answers 403 to another guest, and keeps to itself whom it admits', async () => {
    const refused: string[] = []
    const url = await start({ onRefused: (error) => refused.push(error.message) })
    const answer = await ask(url, provider.token({ 'x-ms-sevsnpvm-hostdata': 'cd'.repeat(32) }))
    expect(answer.status).toBe(403)
    expect(await answer.text()).not.toContain('abab')
    expect(refused[0]).toContain('abab')
  })

  it("answers 503 while the authority's keys cannot be had", async () => {
    provider.fail()
    const answer = await ask(await start(), good())
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '30'])
  })

  it('takes the token from another header when told so', async () => {
    const url = await start({ header: 'X-Attestation' })
    expect((await ask(url, good(), 'X-Attestation')).status).toBe(200)
    expect((await ask(url, good())).status).toBe(401)
  })

  it('admits a token for its own challenge only', async () => {
    expect((await ask(await start({ nonce: () => '7' }), good())).status).toBe(200)
    const other = await ask(await start({ nonce: async () => '8' }), good())
    expect([other.status, await other.json()]).toMatchObject([401, { error: { code: 'ERR_TOKEN_NONCE' } }])
    expect((await ask(await start({ nonce: () => undefined }), good())).status).toBe(401)
  })
})

describe('a gate', () => {
  it.each([
    ['authority', { authority: 'http://x' }],
    ['authority', { authority: [] }],
    ['claims', { claims: undefined }],
    ['maxAgeSeconds', { maxAgeSeconds: Number.NaN }],
  ])('is not made of options that cannot be meant: %s', (field, wrong) => {
    for (const make of [forHono, forExpress, (options: never) => forNode(options, () => undefined)])
      expect(() => make({ ...gate(), ...wrong } as never)).toThrow(expect.objectContaining({ field }))
  })
})

describe('a plain server', () => {
  it('may speak HTTP/2', async () => {
    const server = createServerOfHttp2(forNode(gate(), (_request, response) => void response.end('in')) as never)
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    stops.push(async () => {
      session.close()
      server.close()
    })
    const statusOf = async (authorization: object) => {
      const stream = session.request({ ':path': '/secret', ...authorization })
      const [headers] = await once(stream, 'response')
      stream.resume()
      return headers[':status']
    }
    expect(await statusOf({ authorization: `Bearer ${good()}` })).toBe(200)
    expect(await statusOf({})).toBe(401)
  })

  it('takes no token from a header that is there twice', async () => {
    const url = await servers['node:http']!({ header: 'X-Attestation' })
    const headers = new Headers([['X-Attestation', good()]])
    headers.append('X-Attestation', good())
    expect((await fetch(url, { headers })).status).toBe(401)
  })

  it('answers 500 when its listener fails', async () => {
    const url = await listen(
      forNode(gate(), () => {
        throw new Error('secret')
      }),
    )
    const answer = await ask(url, good())
    expect([answer.status, await answer.text()]).toEqual([500, ''])
  })
})
