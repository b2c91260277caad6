import { createHash } from 'node:crypto'
import { decodeJwt } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Caller } from '../../core/index.ts'
import { createTestContext, type TestWorld } from '../../core/test-context.ts'
import { createEntraService, ensureApplication, ensureUser } from '../index.ts'

const CLI = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'
const POWERSHELL = '1950a258-227b-4e31-a9cf-717495945fc2'
const LOGIN = 'https://login.microsoftonline.com/organizations/oauth2/v2.0'
const VERIFIER = 'v'.repeat(43)
const REDIRECT = 'http://localhost:8400/back?a=b'

const asked = {
  client_id: CLI,
  response_type: 'code',
  redirect_uri: REDIRECT,
  scope: 'https://vault.azure.net/.default openid offline_access',
  state: 'st&ate',
  nonce: 'n-1',
  code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
  code_challenge_method: 'S256',
}

let world: TestWorld
let ada: ReturnType<typeof ensureUser>

beforeEach(() => {
  world = createTestContext()
  world.use(createEntraService(world.ctx))
  ada = ensureUser(world.ctx, { userPrincipalName: 'ada', displayName: 'Ada' })
  ensureUser(world.ctx, { userPrincipalName: 'bob', password: 'secret' })
})

const asAda = { action: 'approve', user: 'ada@skerry.example' }

function authorize(change: Record<string, string> = {}, form?: Record<string, string>, caller?: Caller, headers = {}) {
  const query = new URLSearchParams(Object.entries({ ...asked, ...change }).filter(([, value]) => value !== ''))
  const init = form === undefined ? { headers } : { method: 'POST', body: new URLSearchParams(form), headers }
  return world.fetch(new Request(`${LOGIN}/authorize?${query}`, init), caller)
}

async function codeOf(change: Record<string, string> = {}): Promise<string> {
  const { headers } = await authorize(change, asAda)
  return new URL(headers.get('location')!).searchParams.get('code')!
}

async function redeem(code: string, change: Record<string, string> = {}) {
  const form = {
    grant_type: 'authorization_code',
    client_id: CLI,
    code,
    redirect_uri: REDIRECT,
    code_verifier: VERIFIER,
    client_info: '1',
    ...change,
  }
  const body = new URLSearchParams(Object.entries(form).filter(([, value]) => value !== ''))
  const response = await world.fetch(new Request(`${LOGIN}/token`, { method: 'POST', body }))
  return (await response.json()) as { access_token?: string; id_token?: string; error?: string; error_codes?: number[] }
}

describe('a browser signs its user in', () => {
  it('and goes back to the client with a code and the state', async () => {
    expect(await (await authorize()).text()).toContain('Ada (ada@skerry.example)')
    const answer = await authorize({}, asAda)
    const back = new URL(answer.headers.get('location')!)
    expect([answer.status, back.origin + back.pathname, back.searchParams.get('state')]).toEqual([
      302,
      'http://localhost:8400/back',
      'st&ate',
    ])
    expect(back.searchParams.get('a')).toBe('b')
  })

  it('whose code brings the tokens of that user, with the nonce', async () => {
    const tokens = await redeem(await codeOf())
    expect(decodeJwt(tokens.access_token!)).toMatchObject({
      oid: ada.objectId,
      appid: CLI,
      aud: 'https://vault.azure.net',
    })
    expect(decodeJwt(tokens.id_token!)).toMatchObject({ aud: CLI, nonce: 'n-1', oid: ada.objectId })
  })

  it('in the fragment or by a form, where the client asked for that', async () => {
    const fragment = await authorize({ response_mode: 'fragment' }, asAda)
    expect(new URL(fragment.headers.get('location')!).hash).toMatch(/^#code=1\./)
    const form = await (await authorize({ response_mode: 'form_post' }, asAda)).text()
    expect(form).toContain('name="code"')
    expect(form).toContain('value="st&#38;ate"')
  })

  it('or refuses', async () => {
    const { headers } = await authorize({}, { action: 'decline' })
    expect(new URL(headers.get('location')!).searchParams.get('error')).toBe('access_denied')
  })

  it('but a workload that came by another door needs a password', async () => {
    const door = { door: 'group', containerGroupId: '/g' } as const
    expect((await authorize({}, asAda, door)).status).toBe(400)
    expect(
      (await authorize({}, { action: 'approve', user: 'bob@skerry.example', password: 'secret' }, door)).status,
    ).toBe(302)
  })

  it('but not by the form of another page', async () => {
    expect((await authorize({}, asAda, undefined, { origin: 'https://evil.example' })).status).toBe(403)
  })

  it.each([
    ['another host', { redirect_uri: 'https://evil.example/' }, 'AADSTS50011'],
    ['a host that begins like loopback', { redirect_uri: 'http://localhost.evil.example/' }, 'AADSTS50011'],
    ['a host behind a user name', { redirect_uri: 'http://localhost:80@evil.example/' }, 'AADSTS50011'],
    ['a script', { redirect_uri: 'javascript://localhost/%0aalert(1)' }, 'AADSTS50011'],
    ['an unknown client', { client_id: '00000000-1111-2222-3333-444444444444' }, 'AADSTS700016'],
    ['tokens in place of a code', { response_type: 'token' }, 'AADSTS700054'],
    ['a public client without PKCE', { code_challenge: '' }, 'AADSTS900144'],
    ['PKCE in plain text', { code_challenge_method: 'plain' }, 'AADSTS501481'],
    [
      'scopes of two resources',
      { scope: 'https://vault.azure.net/.default https://management.azure.com/.default' },
      'AADSTS70011',
    ],
  ])('never for %s', async (_, change, code) => {
    for (const form of [undefined, asAda]) {
      const answer = await authorize(change as Record<string, string>, form)
      expect(answer.status).toBe(400)
      expect(await answer.text()).toContain(code)
    }
  })
})

describe('an authorization code', () => {
  it('is good once', async () => {
    const code = await codeOf()
    await redeem(code)
    expect(await redeem(code)).toMatchObject({ error: 'invalid_grant', error_codes: [54005] })
  })

  it.each([
    ['another verifier', { code_verifier: 'w'.repeat(43) }, 50148],
    ['no verifier', { code_verifier: '' }, 50148],
    ['another redirect', { redirect_uri: 'http://localhost:8400/other' }, 70000],
    ['another client', { client_id: POWERSHELL }, 70000],
  ])('is of no use with %s', async (_, change, code) => {
    expect(await redeem(await codeOf(), change as Record<string, string>)).toMatchObject({
      error: 'invalid_grant',
      error_codes: [code],
    })
  })

  it('is of no use after its verifier was guessed wrong', async () => {
    const code = await codeOf()
    await redeem(code, { code_verifier: 'w'.repeat(43) })
    expect(await redeem(code)).toMatchObject({ error_codes: [54005] })
  })

  it('ends after ten minutes', async () => {
    const code = await codeOf()
    await world.clock.advance(600_000)
    expect(await redeem(code)).toMatchObject({ error: 'invalid_grant', error_codes: [70000] })
  })

  it('of a confidential client wants its secret in place of PKCE', async () => {
    const web = ensureApplication(world.ctx, { displayName: 'web', secret: 's3cret' })
    const plain = { client_id: web.clientId, code_challenge: '', code_challenge_method: '' }
    const of = { client_id: web.clientId, code_verifier: '' }
    expect(await redeem(await codeOf(plain), of)).toMatchObject({ error_codes: [7000218] })
    expect(await redeem(await codeOf(plain), { ...of, client_secret: 's3cret' })).toHaveProperty('access_token')
  })

  it('stands in no journal', async () => {
    const code = await codeOf()
    await redeem(code)
    expect(JSON.stringify(world.ctx.journal.records())).not.toContain(code)
  })
})
