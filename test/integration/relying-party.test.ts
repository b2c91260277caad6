import { createHash } from 'node:crypto'
import { Agent, createServer, type IncomingHttpHeaders, type RequestListener, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { skerryHandlers } from '@skerry/emulator/msw'
import {
  attest,
  attestOpenEnclave,
  attestSgxEnclave,
  createAttestationContext,
  type Fetch,
  verifyAttestationToken,
} from '@skerry/guest'
import { requireAttestation as forExpress } from '@skerry/guest/middleware/express'
import { type AttestedVariables, requireAttestation as forHono } from '@skerry/guest/middleware/hono'
import { requireAttestation as forNode } from '@skerry/guest/middleware/node'
import type { AttestedData } from '@skerry/guest/wire'
import express from 'express'
import { Hono } from 'hono'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TEST_CACHE_DIRECTORY } from '../../emulator/src/core/test-context.ts'
import { rollSigningKey } from '../../emulator/src/maa/key-ring.ts'

/*
 * A service that admits one kind of guest, in each framework, and callers with tokens of the emulator's attestation
 * service: over real connections, on its clock.
 */

const MAA = 'sharedweu.weu.attest.azure.net'
const ELSEWHERE = 'sharedneu.neu.attest.azure.net'
const HOUR = 3_600_000
const azure = skerryHandlers({ cacheDir: TEST_CACHE_DIRECTORY })
const policyOf = (text: string) => Buffer.from(`package policy\n# ${text}\n`).toString('base64')

let now: () => number
let toAzure: Fetch
let hostData: string
/** Which requests the services made of the attestation service. */
const asked: string[] = []
let outage = false
const stops: (() => void)[] = []
const urls: Record<string, string> = {}

beforeAll(async () => {
  const { context, dispatcher } = await azure.emulator()
  now = () => context.clock.now()
  toAzure = (url, init) => dispatcher.dispatch(new Request(url, init), { door: 'process' })
  hostData = (await azure.guest({ ccePolicy: policyOf('meant') })).hostData
  for (const [name, start] of Object.entries(services)) urls[name] = await start()
})
afterAll(async () => {
  for (const stop of stops) stop()
  await azure.close()
})

const gate = (more: object = {}) => ({
  authority: MAA,
  claims: { 'x-ms-sevsnpvm-hostdata': hostData, 'x-ms-compliance-status': 'azure-compliant-uvm' },
  clock: { now, sleep: async () => undefined },
  fetch: async (url: string, init?: RequestInit) => {
    asked.push(url)
    return outage ? new Response(null, { status: 503 }) : await toAzure(url, init)
  },
  ...more,
})

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  stops.push(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

/** Answers with the nonce of who was admitted; the challenge is in a header, where a session would have it. */
const challenged = { nonce: (request: { headers: unknown }) => challengeIn(request.headers) }
const challengeIn = (headers: unknown) =>
  headers instanceof Headers ? (headers.get('challenge') ?? undefined) : (headers as { challenge?: string }).challenge

const services: Record<string, () => Promise<string>> = {
  async Hono() {
    const app = new Hono<AttestedVariables>()
    app.use(forHono(gate(challenged)))
    app.all('/', (c) => c.text(c.get('attestation').nonce ?? ''))
    return await new Promise((done) => {
      const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
        done(`http://127.0.0.1:${port}/`),
      )
      stops.push(() => void server.close())
    })
  },
  async Express() {
    const app = express()
    app.use(forExpress(gate(challenged)))
    app.all(
      '/',
      (req, response) => void response.send((req as { attestation?: { nonce?: string } }).attestation?.nonce),
    )
    return await listen(app)
  },
  'node:http': () => listen(forNode(gate(challenged), (_request, response, { nonce }) => void response.end(nonce))),
}

interface Caller {
  readonly text?: string
  readonly debug?: boolean
  readonly authority?: string
  readonly nonce?: string
}

/** A guest is launched, and attested. */
async function tokenOf({ text = 'meant', debug = false, authority = MAA, nonce = 'mine' }: Caller = {}) {
  const context = await createAttestationContext(await azure.guest({ ccePolicy: policyOf(text), debug }))
  return await attest(context, { maaEndpoint: authority, runtimeData: Buffer.from('{}'), nonce, fetch: toAzure })
}

interface Asked {
  readonly token?: string
  readonly method?: string
  readonly body?: Buffer
  readonly agent?: Agent
}

/** One request on a connection that is kept, as `agent` has it. */
function ask(url: string, { token, method = 'GET', body, agent }: Asked = {}) {
  const headers = {
    challenge: 'mine',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(body !== undefined && { 'content-length': body.length }),
  }
  return new Promise<{ status?: number; text: string; headers: IncomingHttpHeaders; reused: boolean }>(
    (done, failed) => {
      const sent = request(url, { method, headers, ...(agent && { agent }) }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () =>
          done({ status: response.statusCode!, text, headers: response.headers, reused: sent.reusedSocket }),
        )
      })
      sent.on('error', failed).end(body)
    },
  )
}

const frameworks = Object.keys(services)

describe.each(frameworks)('a service with %s', (name) => {
  it('admits the guest that it means, and asks for the keys once, whoever comes first', async () => {
    const token = await tokenOf()
    asked.length = 0
    const answers = await Promise.all(Array.from({ length: 16 }, () => ask(urls[name]!, { token })))
    expect(answers.map(({ status, text }) => [status, text])).toEqual(Array(16).fill([200, 'mine']))
    expect(asked).toEqual([`https://${MAA}/certs`])
  })

  it.each<[string, Caller, number, string]>([
    ['whose memory its host may read', { debug: true }, 403, 'ERR_TOKEN_DEBUGGABLE'],
    ['of another policy', { text: 'another' }, 403, 'ERR_TOKEN_CLAIM'],
    ['attested by another authority', { authority: ELSEWHERE }, 401, 'ERR_TOKEN_ISSUER'],
    ['with the token of an earlier challenge', { nonce: 'earlier' }, 401, 'ERR_TOKEN_NONCE'],
  ])('keeps out a guest %s', async (_what, caller, status, code) => {
    const answer = await ask(urls[name]!, { token: await tokenOf(caller) })
    expect([answer.status, JSON.parse(answer.text).error.code]).toEqual([status, code])
  })

  it('goes on with a connection whose request it refused, body and all', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const token = await tokenOf()
    const refused = await ask(urls[name]!, { method: 'POST', body: Buffer.alloc(300_000), agent })
    expect([refused.status, refused.reused]).toEqual([401, false])
    const head = await ask(urls[name]!, { method: 'HEAD', agent })
    expect([head.status, head.text]).toEqual([401, ''])
    const preflight = await ask(urls[name]!, { method: 'OPTIONS', agent })
    expect(preflight.status).toBe(401)
    const admitted = await ask(urls[name]!, { method: 'POST', body: Buffer.from('x'), token, agent })
    expect([admitted.status, admitted.text]).toEqual([200, 'mine'])
    agent.destroy()
  })
})

describe('time passes: a service', () => {
  it('admits by a new key half a minute after it last asked, and still by the one before', async () => {
    const { context } = await azure.emulator()
    const url = urls.Express!
    const before = await tokenOf()
    await azure.advance(2 * HOUR)
    expect((await ask(url, { token: before })).status).toBe(200)
    rollSigningKey(context)
    const after = await tokenOf()
    const early = await ask(url, { token: after })
    expect([early.status, JSON.parse(early.text).error.code]).toEqual([401, 'ERR_TOKEN_KEY'])
    await azure.advance(30_000)
    expect((await ask(url, { token: after })).status).toBe(200)
    expect((await ask(url, { token: before })).status).toBe(200)
  })

  it('keeps out a token that has expired', async () => {
    const token = await tokenOf()
    await azure.advance(8 * HOUR + 59_000)
    expect((await ask(urls.Hono!, { token })).status).toBe(200)
    await azure.advance(2000)
    const late = await ask(urls.Hono!, { token })
    expect([late.status, JSON.parse(late.text).error.code]).toEqual([401, 'ERR_TOKEN_EXPIRED'])
  })

  it('that never got the keys asks to be asked later, and recovers', async () => {
    const url = await listen(forNode(gate(), (_request, response) => void response.end('in')))
    const token = await tokenOf()
    outage = true
    asked.length = 0
    const answers = await Promise.all([ask(url, { token }), ask(url, { token })])
    for (const { status, headers } of answers) expect([status, headers['retry-after']]).toEqual([503, '30'])
    outage = false
    expect((await ask(url, { token })).status).toBe(503)
    expect(asked).toHaveLength(1)
    await azure.advance(30_000)
    expect((await ask(url, { token })).status).toBe(200)
  })
})

describe('a guest that shows what it was launched with', () => {
  const launched = async (policy: string, initTimeData: AttestedData) => {
    const guest = await azure.guest({ ccePolicy: Buffer.from(policy).toString('base64') })
    const context = await createAttestationContext(guest)
    const options = { maaEndpoint: MAA, runtimeData: Buffer.from('{}'), fetch: toAzure }
    return decodeJwt(await attest(context, { ...options, initTimeData }))
  }
  const policy = '{"program":"p"}\n'

  it('has it attested as the claim x-ms-inittime where it is JSON, and bound alone where it is a policy in Rego', async () => {
    const claims = await launched(policy, { data: Buffer.from(policy), dataType: 'JSON' })
    expect(claims['x-ms-inittime']).toEqual({ program: 'p' })
    const rego = 'package policy\n'
    const bound = await launched(rego, { data: Buffer.from(rego), dataType: 'Binary' })
    expect(bound).not.toHaveProperty('x-ms-inittime')
    expect(bound['x-ms-sevsnpvm-hostdata']).toBe(createHash('sha256').update(rego).digest('hex'))
  })

  it('is not attested with anything else', async () => {
    const other = { data: Buffer.from('{"program":"q"}\n'), dataType: 'JSON' } as const
    await expect(launched(policy, other)).rejects.toMatchObject({ code: 'ERR_UPSTREAM_STATUS', status: 400 })
  })
})

describe('an enclave', () => {
  it.each([
    ['SGX', attestSgxEnclave, 'quote'],
    ['Open Enclave', attestOpenEnclave, 'openEnclaveReport'],
  ] as const)('of %s is attested, and admitted by what its signer made', async (_what, attestEnclave, evidenceOf) => {
    const { sgx } = await azure.emulator()
    const data = Buffer.from('{"keys":[]}')
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', data))
    const enclave = sgx.launch({ mrSigner: new Uint8Array(32).fill(0xb2), svn: 4 })
    const token = await attestEnclave(await enclave[evidenceOf](digest), {
      maaEndpoint: MAA,
      runtimeData: { data, dataType: 'JSON' },
      nonce: 'mine',
      fetch: toAzure,
    })
    const options = { ...gate(), nonce: 'mine', runtimeData: data }
    const claims = { 'x-ms-attestation-type': 'sgx', 'x-ms-sgx-mrsigner': 'b2'.repeat(32) }
    await expect(verifyAttestationToken(token, { ...options, claims })).resolves.toMatchObject({ 'x-ms-sgx-svn': 4 })
    const other = { ...claims, 'x-ms-sgx-mrsigner': 'b3'.repeat(32) }
    await expect(verifyAttestationToken(token, { ...options, claims: other })).rejects.toMatchObject({
      code: 'ERR_TOKEN_CLAIM',
    })
  })
})
