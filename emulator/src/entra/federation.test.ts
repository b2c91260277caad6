import { createPublicKey } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeJwt, exportJWK, type JWTPayload } from 'jose'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestContext, type TestWorld } from '../core/test-context.ts'
import {
  createEntraService,
  createManagedIdentity,
  ensureApplication,
  ensureIssuer,
  putFederatedCredential,
} from './index.ts'
import { assertionForm, signed, testCertificate, unsigned } from './test-clients.ts'

const SUBJECT = 'system:serviceaccount:default:app'
const AUDIENCE = 'api://AzureADTokenExchange'

// An OpenID issuer on loopback, as a cluster has one: metadata and keys, and what it is asked for.
const first = await testCertificate(createTestContext().ctx, 'issuer')
const second = await testCertificate(createTestContext().ctx, 'issuer, later')
const jwk = async (key: typeof first, kid: string) => ({
  ...(await exportJWK(createPublicKey(key.privateKey))),
  kid,
  use: 'sig',
})
const published: { keys: object[]; issuer?: string; asked: string[]; status: number; redirect?: string } = {
  keys: [],
  asked: [],
  status: 200,
}
const server = createServer((request, response) => {
  published.asked.push(request.url ?? '')
  if (published.redirect) return void response.writeHead(302, { location: published.redirect }).end()
  const body =
    request.url === '/keys'
      ? { keys: published.keys }
      : { issuer: published.issuer ?? issuer, jwks_uri: `${issuer}/keys` }
  response.writeHead(published.status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
})
await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
afterAll(() => server.close())

let world: TestWorld
let clientId: string

async function start(authorities: readonly string[] = [issuer]) {
  world = createTestContext({ settings: { authorities } })
  world.use(createEntraService(world.ctx))
  const credential = { name: 'cluster', issuer, subject: SUBJECT, audiences: [AUDIENCE] }
  clientId = ensureApplication(world.ctx, { displayName: 'workload', federatedCredentials: [credential] }).clientId
}

beforeEach(async () => {
  Object.assign(published, {
    keys: [await jwk(first, 'one')],
    issuer: undefined,
    asked: [],
    status: 200,
    redirect: undefined,
  })
  await start()
})

function claims(change: JWTPayload = {}): JWTPayload {
  const now = Math.floor(world.clock.now() / 1000)
  const all = { iss: issuer, sub: SUBJECT, aud: [AUDIENCE], iat: now, nbf: now, exp: now + 3600, ...change }
  return JSON.parse(JSON.stringify(all)) as JWTPayload
}

const token = (change: JWTPayload = {}, key = first, kid = 'one') =>
  signed(key.privateKey, claims(change), { alg: 'RS256', kid })

async function exchange(assertion: string, as = clientId) {
  const url = `https://login.microsoftonline.com/${world.ctx.seed.tenantId}/oauth2/v2.0/token`
  const response = await world.fetch(
    new Request(url, { method: 'POST', body: new URLSearchParams(assertionForm(as, assertion)) }),
  )
  const body = (await response.json()) as {
    access_token?: string
    error?: string
    error_codes?: number[]
    error_description?: string
  }
  return { status: response.status, ...body, journal: world.ctx.journal.records().at(-1) }
}

describe('a token of a configured issuer stands for an application', () => {
  it('by the keys that the issuer’s metadata leads to', async () => {
    const { access_token: issued } = await exchange(await token())
    expect(decodeJwt(issued!)).toMatchObject({ appid: clientId, idtyp: 'app', appidacr: '2' })
    expect(published.asked).toEqual(['/.well-known/openid-configuration', '/keys'])
  })

  it('by keys that were given at the start, with no network', async () => {
    await start([])
    ensureIssuer(world.ctx, { issuer, keys: [await jwk(first, 'one')] })
    expect((await exchange(await token())).status).toBe(200)
    expect(published.asked).toEqual([])
  })

  it('for a managed identity too', async () => {
    const identity = createManagedIdentity(world.ctx, {
      id: '/subscriptions/s/resourceGroups/r/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i',
      name: 'i',
      location: 'westeurope',
    })
    putFederatedCredential(world.ctx, identity.principalId, {
      name: 'cluster',
      issuer,
      subject: SUBJECT,
      audiences: [AUDIENCE],
    })
    const { access_token: issued } = await exchange(await token(), identity.clientId)
    expect(decodeJwt(issued!)).toMatchObject({ oid: identity.principalId, appid: identity.clientId })
  })

  it('after the issuer changed its key', async () => {
    await exchange(await token())
    published.keys = [await jwk(second, 'two')]
    await world.clock.advance(60_000)
    expect((await exchange(await token({}, second, 'two'))).status).toBe(200)
  })

  it('and the issuer is not asked again for each token, nor for each unknown key', async () => {
    await exchange(await token())
    await exchange(await token())
    await exchange(await token({}, second, 'two'))
    await exchange(await token({}, second, 'two'))
    expect(published.asked).toHaveLength(2)
  })
})

describe('a token of another issuer is refused', () => {
  it.each([
    ['for another subject', { sub: 'system:serviceaccount:default:other' }, 700213, 'cluster.subject'],
    ['for a subject in another case', { sub: SUBJECT.toUpperCase() }, 700213, 'cluster.subject'],
    ['for another audience', { aud: 'https://vault.azure.net' }, 700212, 'cluster.audience'],
    ['of an issuer that nobody configured', { iss: 'https://issuer.example' }, 700211, 'cluster.issuer'],
    ['of the issuer with a slash more', { iss: `${issuer}/` }, 700211, 'cluster.issuer'],
    ['that is expired', { nbf: 1, exp: 1000 }, 700024, 'assertion.exp'],
    ['that is not valid yet', { nbf: 4_000_000_000, exp: 4_000_000_100 }, 700024, 'assertion.nbf'],
    ['without an end', { exp: undefined }, 700024, 'assertion.exp'],
  ])('%s', async (_, change, code, condition) => {
    const answer = await exchange(await token(change as JWTPayload))
    expect(answer).toMatchObject({ status: 401, error: 'invalid_client', error_codes: [code] })
    expect(answer.journal?.conditions?.filter(({ met }) => !met).map(({ name }) => name)).toContain(condition)
  })

  it('with a key that the issuer does not publish', async () => {
    expect((await exchange(await token({}, second, 'two'))).error_codes).toEqual([50013])
  })

  it('with the id of a published key on another one', async () => {
    expect((await exchange(await token({}, second, 'one'))).error_codes).toEqual([50013])
  })

  it('with a claim changed after it was signed', async () => {
    const parts = (await token({ sub: 'system:serviceaccount:default:other' })).split('.')
    const forged = [parts[0], Buffer.from(JSON.stringify(claims())).toString('base64url'), parts[2]].join('.')
    expect((await exchange(forged)).error_codes).toEqual([50013])
  })

  it('without a signature (alg none)', async () => {
    expect((await exchange(unsigned(claims()))).error_codes).toEqual([5002738])
  })

  it('with an HMAC, even when the issuer publishes a symmetric key', async () => {
    const secret = Buffer.alloc(32, 1)
    published.keys = [{ kty: 'oct', kid: 'one', k: secret.toString('base64url') }]
    expect((await exchange(await signed(secret, claims(), { alg: 'HS256', kid: 'one' }))).error_codes).toEqual([
      5002738,
    ])
  })

  it('that brings its own key or the address of one', async () => {
    const header = { alg: 'RS256', kid: 'two', jwk: await jwk(second, 'two'), jku: 'https://issuer.example/keys' }
    expect((await exchange(await signed(second.privateKey, claims(), header))).error_codes).toEqual([50013])
  })

  it('by an application that has no federated credential', async () => {
    const plain = ensureApplication(world.ctx, { displayName: 'plain', secret: 's' })
    expect((await exchange(await token(), plain.clientId)).error_codes).toEqual([70025])
    expect(published.asked).toEqual([])
  })

  it('when its issuer’s origin was not allowed at the start', async () => {
    await start([])
    const answer = await exchange(await token())
    expect(answer).toMatchObject({ status: 400, error: 'invalid_request', error_codes: [501661] })
    expect(answer.journal?.action).toContain(`skerry up --authority ${issuer}`)
    expect(published.asked).toEqual([])
  })

  it.each([
    ['is down', { status: 500 }],
    ['has metadata of another issuer', { issuer: 'https://issuer.example' }],
    ['sends its clients elsewhere', { redirect: 'https://issuer.example/' }],
  ])('when its issuer %s', async (_, change) => {
    Object.assign(published, change)
    expect((await exchange(await token())).error_codes).toEqual([501661])
  })

  it('and the journal says which, and never the token', async () => {
    const assertion = await token({ sub: 'other' })
    const { journal } = await exchange(assertion)
    expect(journal).toMatchObject({
      service: 'entra',
      outcome: 'denied',
      subject: clientId,
      answer: { status: 401, code: 'AADSTS700213' },
      conditions: [{ met: true }, { wanted: SUBJECT, found: 'other', met: false }, { met: true }],
    })
    expect(JSON.stringify(world.ctx.journal.records())).not.toContain(assertion.split('.')[2])
  })
})

describe('a federated credential', () => {
  const valid = { name: 'cluster', issuer, subject: SUBJECT, audiences: [AUDIENCE] }
  it.each([
    ['name', { name: 'a b' }],
    ['issuer', { issuer: 'cluster' }],
    ['subject', { subject: '' }],
    ['audiences', { audiences: [] }],
    ['audiences', { audiences: ['a', 'b'] }],
  ])('is refused for its %s', (field, change) => {
    const credentials = [{ ...valid, ...change }]
    expect(() => ensureApplication(world.ctx, { federatedCredentials: credentials })).toThrow(
      expect.objectContaining({ code: 'ERR_DIRECTORY', field }),
    )
  })

  it('is refused when issuer and subject are those of another', () => {
    const credentials = [valid, { ...valid, name: 'again' }]
    expect(() => ensureApplication(world.ctx, { federatedCredentials: credentials })).toThrow('already exists')
  })

  it('is the twentieth at most', () => {
    const credentials = Array.from({ length: 21 }, (_, at) => ({ ...valid, name: `name-${at}`, subject: `s${at}` }))
    expect(() => ensureApplication(world.ctx, { federatedCredentials: credentials })).toThrow('at most 20')
  })

  it('never comes with a private key of its issuer', async () => {
    const keys = [await exportJWK(first.privateKey)] as Record<string, unknown>[]
    expect(() => ensureIssuer(world.ctx, { issuer, keys })).toThrow('only public keys')
  })
})
