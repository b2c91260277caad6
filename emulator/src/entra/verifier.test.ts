import { generateKeyPairSync } from 'node:crypto'
import { decodeJwt, SignJWT } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import { createTestContext, type TestWorld } from '../core/test-context.ts'
import { createEntraService, createTokenVerifier, findByObjectId, issueToken, type TokenVerifier } from './index.ts'
import { tokenSigner } from './signer.ts'

const VAULT = 'https://vault.azure.net'

let world: TestWorld
let verifier: TokenVerifier
let fetched: string[]
/** Whether the tenant's key set is empty. */
let withdrawn: boolean

beforeEach(() => {
  world = createTestContext()
  const entra = createEntraService(world.ctx)
  fetched = []
  withdrawn = false
  world.use({
    ...entra,
    handle: (request, caller) => {
      fetched.push(request.url)
      if (withdrawn && request.url.includes('/keys')) return Response.json({ keys: [] })
      return entra.handle(request, caller)
    },
  })
  verifier = createTokenVerifier(world.ctx)
})

const admin = () => findByObjectId(world.ctx, world.ctx.seed.admin.objectId)!
const bearer = (token: string) => new Request(`${VAULT}/`, { headers: { authorization: `Bearer ${token}` } })
const issue = async (resource = VAULT) => (await issueToken(world.ctx, { principal: admin(), resource })).accessToken
const verify = (token: string, audiences: readonly string[] = [VAULT]) => verifier.verify(bearer(token), audiences)

/** The same claims, changed and signed again by the tenant's own key. */
async function forge(changes: Record<string, unknown>, key?: Awaited<ReturnType<typeof tokenSigner>>['privateKey']) {
  const signer = await tokenSigner(world.ctx)
  return new SignJWT({ ...decodeJwt(await issue()), ...changes })
    .setProtectedHeader({ alg: 'RS256', kid: signer.kid })
    .sign(key ?? signer.privateKey)
}

describe('a token of the tenant', () => {
  it('names its principal', async () => {
    const { tenantId, admin } = world.ctx.seed
    expect(await verify(await issue())).toEqual({
      objectId: admin.objectId,
      clientId: admin.clientId,
      tenantId,
      kind: 'application',
    })
  })

  it('is accepted for an audience that is written with a trailing slash', async () => {
    await expect(
      verify(await issue('https://management.azure.com/'), ['https://management.azure.com/']),
    ).resolves.toBeDefined()
  })

  it('is accepted without asking for metadata and keys again', async () => {
    await verify(await issue())
    await verify(await issue())
    expect(fetched).toHaveLength(2)
  })

  it('makes the verifier look at the keys again after a day', async () => {
    await verify(await issue())
    await world.clock.advance(24 * 3600 * 1000)
    await verify(await issue())
    expect(fetched).toHaveLength(4)
  })
})

describe('a request is refused', () => {
  it('without a token', async () => {
    await expect(verifier.verify(new Request(VAULT), [VAULT])).rejects.toMatchObject({ code: 'missing' })
  })

  it.each(['Basic abc', 'Bearer', 'Bearer a b'])('with the authorization %j', async (authorization) => {
    const request = new Request(VAULT, { headers: { authorization } })
    await expect(verifier.verify(request, [VAULT])).rejects.toMatchObject({ code: 'malformed' })
  })

  it('with a token that is no JWT', async () => {
    await expect(verify('abc')).rejects.toMatchObject({ code: 'malformed' })
  })

  it('with a token for another audience, which it names', async () => {
    const token = await issue('https://management.azure.com')
    await expect(verify(token)).rejects.toMatchObject({ code: 'audience', found: 'https://management.azure.com' })
  })

  it('with a token of another tenant, which it names', async () => {
    const iss = 'https://sts.windows.net/00000000-0000-0000-0000-000000000000/'
    await expect(verify(await forge({ iss }))).rejects.toMatchObject({ code: 'issuer', found: iss })
  })

  it('with an expired token', async () => {
    const token = await issue()
    await world.clock.advance(3599 * 1000)
    await expect(verify(token)).rejects.toMatchObject({ code: 'expired' })
  })

  it('with a token that is not valid yet', async () => {
    const nbf = Math.floor(world.clock.now() / 1000) + 60
    await expect(verify(await forge({ nbf }))).rejects.toMatchObject({ code: 'notYetValid' })
  })

  it('with claims that the signature does not cover', async () => {
    const [header, , signature] = (await issue()).split('.')
    const claims = { ...decodeJwt(await issue()), oid: 'someone-else' }
    const payload = Buffer.from(JSON.stringify(claims)).toString('base64url')
    await expect(verify(`${header}.${payload}.${signature}`)).rejects.toMatchObject({ code: 'signature' })
  })

  it('with a token signed by another key under the key id of the tenant', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    await expect(verify(await forge({}, privateKey))).rejects.toMatchObject({ code: 'signature' })
  })

  it('with a token under an unknown key id', async () => {
    const signer = await tokenSigner(world.ctx)
    const token = await new SignJWT(decodeJwt(await issue()))
      .setProtectedHeader({ alg: 'RS256', kid: 'unknown' })
      .sign(signer.privateKey)
    await expect(verify(token)).rejects.toMatchObject({ code: 'signature' })
  })

  it('with an unsigned token', async () => {
    const header = Buffer.from('{"alg":"none"}').toString('base64url')
    const payload = (await issue()).split('.')[1]
    await expect(verify(`${header}.${payload}.`)).rejects.toMatchObject({ name: 'TokenError' })
  })

  it.each(['oid', 'appid', 'tid', 'exp', 'nbf'])('with a token that has no %s', async (claim) => {
    await expect(verify(await forge({ [claim]: undefined }))).rejects.toMatchObject({ code: 'malformed' })
  })
})

describe('a token whose signature was verified before', () => {
  it('is refused once it is expired', async () => {
    const token = await issue()
    await verify(token)
    await world.clock.advance(3599 * 1000)
    await expect(verify(token)).rejects.toMatchObject({ code: 'expired', found: String(decodeJwt(token).exp) })
  })

  it('is refused while it is not valid yet, should the clock ever say so', async () => {
    const token = await issue()
    await verify(token)
    world.ctx.clock.now = () => decodeJwt(token).nbf! * 1000 - 1
    await expect(verify(token)).rejects.toMatchObject({ code: 'notYetValid' })
  })

  it('is refused by a resource that it is not for', async () => {
    const token = await issue()
    await verify(token)
    const elsewhere = verify(token, ['https://management.azure.com/'])
    await expect(elsewhere).rejects.toMatchObject({ code: 'audience', found: VAULT })
    await expect(verify(token, ['https://other/', `${VAULT}/`])).resolves.toBeDefined()
  })

  it('is refused once the tenant has withdrawn the key', async () => {
    const token = await forge({ exp: Math.floor(world.clock.now() / 1000) + 7 * 24 * 3600 })
    await verify(token)
    withdrawn = true
    await expect(verify(token)).resolves.toBeDefined()
    await world.clock.advance(24 * 3600 * 1000)
    await expect(verify(token)).rejects.toMatchObject({ code: 'signature' })
  })

  it('vouches for no other token with the same claims', async () => {
    const token = await issue()
    await verify(token)
    await expect(verify(`${token.slice(0, -4)}AAAA`)).rejects.toMatchObject({ code: 'signature' })
  })
})
