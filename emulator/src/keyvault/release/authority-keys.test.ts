import { generateKeyPairSync } from 'node:crypto'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { outsideFetch } from '../../core/index.ts'
import { type AuthorityKeyCache, createAuthorityKeyCache } from './authority-keys.ts'
import { fetchAuthorityKeys } from './authority-metadata.ts'
import { createIssuerWorld, ISSUER, type IssuerWorld, KID } from './test-issuer.ts'

let world: IssuerWorld
beforeEach(() => {
  world = createIssuerWorld()
})

const publicJwk = (modulusLength = 2048) =>
  generateKeyPairSync('rsa', { modulusLength }).publicKey.export({ format: 'jwk' })
const fetched = () => fetchAuthorityKeys(world.ctx, ISSUER)

describe('what an authority publishes', () => {
  it('may be jwks_uri alone, or say who it is, with a final slash or without', async () => {
    for (const more of [{}, { issuer: ISSUER }, { issuer: `${ISSUER}/` }]) {
      world.issuer.metadata = { jwks_uri: `${ISSUER}/keys`, ...more }
      expect([...(await fetched()).keys()]).toEqual([KID])
    }
  })

  it('is asked for beside the issuer, whose final slash is not doubled', async () => {
    await fetchAuthorityKeys(world.ctx, `${ISSUER}/`)
    expect(world.issuer.asked).toEqual(['/.well-known/openid-configuration', '/keys'])
  })

  it.each<[string, unknown, string]>([
    [
      'of somebody else',
      { jwks_uri: `${ISSUER}/keys`, issuer: 'https://evil.example' },
      'is the metadata of another issuer',
    ],
    ['of nobody', { jwks_uri: `${ISSUER}/keys`, issuer: [ISSUER] }, 'is the metadata of another issuer'],
    ['without jwks_uri', { issuer: ISSUER }, 'has no jwks_uri'],
    ['whose jwks_uri is no address', { jwks_uri: '/keys' }, 'has no jwks_uri'],
    ['that is a list', [], 'answered no JSON object'],
    ['that is nothing', null, 'answered no JSON object'],
  ])('cannot be metadata %s', async (_, metadata, message) => {
    world.issuer.metadata = metadata
    await expect(fetched()).rejects.toMatchObject({
      code: 'ERR_AUTHORITY_METADATA',
      message: expect.stringContaining(message),
    })
  })

  it.each([
    'https://evil.example/keys',
    'http://skerry.weu.attest.azure.net/keys',
    `${ISSUER}:8443/keys`,
    'http://127.0.0.1:1/keys',
    'http://169.254.169.254/metadata/identity',
  ])('cannot lead on to %s, which nobody allowed', async (jwks_uri) => {
    world.issuer.metadata = { jwks_uri }
    await expect(fetched()).rejects.toMatchObject({ code: 'ERR_AUTHORITY_NOT_ALLOWED' })
  })

  it.each(['file:///etc/passwd', 'data:application/json,{"keys":[]}'])('cannot lead on to %s', async (jwks_uri) => {
    world.issuer.metadata = { jwks_uri }
    await expect(fetched()).rejects.toMatchObject({ name: 'AuthorityProblem' })
  })

  it.each<[string, unknown]>([
    ['that is no set', {}],
    ['whose keys are no list', { keys: { 0: {} } }],
  ])('cannot be a key set %s', async (_, keySet) => {
    world.issuer.keySet = keySet
    await expect(fetched()).rejects.toMatchObject({ code: 'ERR_AUTHORITY_METADATA' })
  })

  it.each<[string, Response]>([
    ['that is not there', new Response(null, { status: 404 })],
    ['that fails', Response.json({ jwks_uri: `${ISSUER}/keys` }, { status: 503 })],
    ['that never ends', new Response(endless())],
  ])('cannot be an answer %s', async (_, response) => {
    world.issuer.respond = () => response
    await expect(fetched()).rejects.toMatchObject({ code: 'ERR_AUTHORITY_UNREACHABLE' })
  })

  it('is not quoted where it is refused: it may be anything', async () => {
    world.issuer.respond = () => new Response('{"jwks_uri":"a secret')
    await expect(fetched()).rejects.not.toMatchObject({ message: expect.stringContaining('secret') })
  })
})

describe('a key set', () => {
  const { n, e } = publicJwk()
  const find = async (...keys: unknown[]) => {
    world.issuer.keySet = { keys }
    return await fetched()
  }

  it('has the keys of certificates, as Azure Attestation publishes them', async () => {
    const { chain } = await world.ctx.authority.rsaSigner([new URL(ISSUER).host])
    const keys = await find({ kty: 'RSA', kid: 'certified', x5c: [chain[0]!.toString('base64')] })
    expect(keys.get('certified')).toMatchObject({ asymmetricKeyType: 'rsa' })
  })

  it('does without what is no RSA key, is weak, has no kid, or contradicts itself', async () => {
    const { chain } = await world.ctx.authority.rsaSigner([new URL(ISSUER).host])
    const keys = await find(
      null,
      'key',
      { kty: 'RSA', n, e },
      { kty: 'RSA', kid: 5, n, e },
      { kty: 'oct', kid: 'secret', k: 'AAAA' },
      { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }), kid: 'ec' },
      { ...publicJwk(1024), kid: 'small' },
      { kty: 'RSA', n, e: 'AQ', kid: 'exponent of one' },
      { kty: 'RSA', n, e, kid: 'two keys in one', x5c: [chain[0]!.toString('base64')] },
      { kty: 'RSA', n, e, kid: 'no certificate', x5c: ['AAAA'] },
      { kty: 'RSA', n, e, kid: 'good' },
    )
    expect([...keys.keys()]).toEqual(['good'])
  })

  it('gives no key where two have one kid, and one where the same stands there twice', async () => {
    const key = { kty: 'RSA', n, e, kid: 'k' }
    expect((await find(key, key)).get('k')).toMatchObject({ asymmetricKeyType: 'rsa' })
    expect((await find(key, { ...publicJwk(), kid: 'k' })).get('k')).toBe('ambiguous')
    expect((await find(key, { ...publicJwk(), kid: 'k' }, key)).get('k')).toBe('ambiguous')
  })
})

describe('the keys of an authority are kept', () => {
  let cache: AuthorityKeyCache
  beforeEach(() => {
    cache = createAuthorityKeyCache(world.ctx)
  })
  const questions = () => world.issuer.asked.filter((path) => path === '/keys').length

  it('for five minutes of the emulator’s clock', async () => {
    await cache.find(ISSUER, KID)
    await world.clock.advance(299_000)
    await cache.find(ISSUER, KID)
    expect(questions()).toBe(1)
    await world.clock.advance(1_000)
    await cache.find(ISSUER, KID)
    expect(questions()).toBe(2)
  })

  it('and asked for once by however many ask at a time', async () => {
    await Promise.all(Array.from({ length: 20 }, () => cache.find(ISSUER, KID)))
    expect(questions()).toBe(1)
  })

  it('and asked for again for a kid that is new, though not at everybody’s word', async () => {
    await cache.find(ISSUER, KID)
    for (let index = 0; index < 20; index++) expect(await cache.find(ISSUER, `unknown ${index}`)).toBeUndefined()
    expect(questions()).toBe(1)
    world.issuer.keySet = { keys: [{ ...world.issuer.jwk, kid: 'new' }] }
    await world.clock.advance(10_000)
    expect(await cache.find(ISSUER, 'new')).toMatchObject({ asymmetricKeyType: 'rsa' })
    expect(questions()).toBe(2)
    // What is published no more counts no more.
    expect(await cache.find(ISSUER, KID)).toBeUndefined()
  })

  it('unless they could not be had: the next one asks again', async () => {
    world.issuer.respond = () => new Response(null, { status: 503 })
    await expect(cache.find(ISSUER, KID)).rejects.toMatchObject({ code: 'ERR_AUTHORITY_UNREACHABLE' })
    world.issuer.respond = undefined
    expect(await cache.find(ISSUER, KID)).toMatchObject({ asymmetricKeyType: 'rsa' })
  })

  it('until they cannot be had any more: old keys do not outlive their time', async () => {
    await cache.find(ISSUER, KID)
    world.issuer.respond = () => new Response(null, { status: 503 })
    await world.clock.advance(300_000)
    await expect(cache.find(ISSUER, KID)).rejects.toMatchObject({ code: 'ERR_AUTHORITY_UNREACHABLE' })
  })

  it('of 64 issuers at a time, and no more whoever is named', async () => {
    world.issuer.respond = (path) =>
      Response.json(path.endsWith('/keys') ? world.issuer.keySet : { jwks_uri: `${ISSUER}/keys` })
    await cache.find(ISSUER, KID)
    for (let index = 0; index < 64; index++) await cache.find(`${ISSUER}/${index}`, KID)
    const before = questions()
    await cache.find(`${ISSUER}/63`, KID)
    expect(questions()).toBe(before)
    await cache.find(ISSUER, KID)
    expect(questions()).toBe(before + 1)
  })
})

describe('an authority outside of the emulator', () => {
  const servers: Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server.close().closeAllConnections()
  })
  const listen = async (answer: (origin: string) => RequestListener): Promise<string> => {
    let listener: RequestListener = () => {}
    const server = createServer((request, response) => listener(request, response))
    servers.push(server)
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    listener = answer(origin)
    return origin
  }
  const asked = (origin: string, allowed: string[] = [origin], patienceMs?: number) =>
    fetchAuthorityKeys({ ...world.ctx, outside: outsideFetch(allowed, patienceMs) }, origin)
  const good =
    (origin: string, keysAt = origin): RequestListener =>
    (request, response) => {
      const metadata = request.url === '/.well-known/openid-configuration'
      response.end(JSON.stringify(metadata ? { jwks_uri: `${keysAt}/keys` } : world.issuer.keySet))
    }

  it('is asked when it was allowed, and only then', async () => {
    const origin = await listen((self) => good(self))
    expect([...(await asked(origin)).keys()]).toEqual([KID])
    await expect(asked(origin, [])).rejects.toMatchObject({
      code: 'ERR_AUTHORITY_NOT_ALLOWED',
      hint: expect.stringContaining('--authority'),
    })
  })

  it('may keep its keys at another origin that was allowed, and at no other', async () => {
    const keys = await listen((self) => good(self))
    const origin = await listen((self) => good(self, keys))
    expect([...(await asked(origin, [origin, keys])).keys()]).toEqual([KID])
    await expect(asked(origin)).rejects.toMatchObject({ code: 'ERR_AUTHORITY_NOT_ALLOWED' })
  })

  it.each<[string, (origin: string) => RequestListener, string]>([
    ['redirects', (self) => (_, response) => void response.writeHead(302, { location: `${self}/x` }).end(), 'redirect'],
    ['says nothing', () => () => {}, 'timeout'],
    ['never comes to an end', () => (_, response) => void response.writeHead(200).write('{"jwks_uri":'), 'timeout'],
    [
      'says too much',
      () => (_, response) => void response.end(`{"x":"${'x'.repeat(1_100_000)}"}`),
      'longer than 1048576',
    ],
    ['breaks off', () => (request) => void request.socket.destroy(), 'could not be asked'],
    ['speaks no JSON', () => (_, response) => void response.end('<html>'), 'no JSON object'],
  ])('is not believed when it %s', async (_, answer, message) => {
    const origin = await listen(answer)
    await expect(asked(origin, [origin], message === 'timeout' ? 100 : undefined)).rejects.toMatchObject({
      name: 'AuthorityProblem',
      message: expect.stringMatching(new RegExp(message, 'i')),
    })
  })

  it('stands before an emulated one of the same name: whoever names it wants it', async () => {
    const outside: string[] = []
    const ctx = {
      ...world.ctx,
      outside: async (request: Request) => {
        outside.push(request.url)
        return Response.json(outside.length === 1 ? { jwks_uri: `${ISSUER}/keys` } : world.issuer.keySet)
      },
    }
    await fetchAuthorityKeys(ctx, ISSUER)
    expect(outside).toHaveLength(2)
    expect(world.issuer.asked).toEqual([])
  })
})

function endless(): ReadableStream {
  return new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(32)) })
}
