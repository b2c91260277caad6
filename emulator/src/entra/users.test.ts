import { decodeJwt } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import { createTestContext, type TestWorld } from '../core/test-context.ts'
import {
  approveDeviceCode,
  createEntraService,
  createTokenVerifier,
  declineDeviceCode,
  ensureApplication,
  ensureUser,
} from './index.ts'

const CLI = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'
const POWERSHELL = '1950a258-227b-4e31-a9cf-717495945fc2'
const VAULT = 'https://vault.azure.net'
const SCOPE = `${VAULT}/.default openid profile offline_access`
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

let world: TestWorld
let ada: ReturnType<typeof ensureUser>

beforeEach(() => {
  world = createTestContext()
  world.use(createEntraService(world.ctx, { devicePage: () => 'http://127.0.0.1:1/.skerry/device' }))
  ada = ensureUser(world.ctx, { userPrincipalName: 'ada', displayName: 'Ada Lovelace', password: 'correct horse' })
})

interface Answer {
  readonly status: number
  readonly error?: string
  readonly error_codes?: number[]
  readonly access_token: string
  readonly refresh_token: string
  readonly id_token: string
  readonly client_info: string
  readonly scope: string
  readonly [member: string]: unknown
}

async function post(path: string, form: Record<string, string>): Promise<Answer> {
  const url = `https://login.microsoftonline.com/${path}`
  const response = await world.fetch(new Request(url, { method: 'POST', body: new URLSearchParams(form) }))
  return { ...((await response.json()) as Answer), status: response.status }
}

const token = (form: Record<string, string>, tenant = 'organizations') =>
  post(`${tenant}/oauth2/v2.0/token`, { client_id: CLI, ...form })

const deviceCode = async (client = CLI) => {
  const answer = await post('organizations/oauth2/v2.0/devicecode', { client_id: client, scope: SCOPE })
  return answer as Answer & { device_code: string; user_code: string }
}

const poll = (code: string, form: Record<string, string> = {}) =>
  token({ grant_type: DEVICE_GRANT, device_code: code, client_info: '1', ...form })

const password = (change: Record<string, string> = {}) =>
  token({
    grant_type: 'password',
    username: ada.userPrincipalName,
    password: 'correct horse',
    scope: SCOPE,
    client_info: '1',
    ...change,
  })

describe('a device signs its user in', () => {
  it('shows a code and where to type it', async () => {
    expect(await deviceCode()).toEqual({
      status: 200,
      user_code: expect.stringMatching(/^[A-Z2-9]{9}$/),
      device_code: expect.any(String),
      verification_uri: 'http://127.0.0.1:1/.skerry/device',
      expires_in: 900,
      interval: 5,
      message: expect.stringMatching(
        /^To sign in, use a web browser to open the page \S+ and enter the code [A-Z2-9]{9} to authenticate\.$/,
      ),
    })
  })

  it('waits until a person approved, and gets the tokens of that user then', async () => {
    const code = await deviceCode()
    expect(await poll(code.device_code)).toMatchObject({
      status: 400,
      error: 'authorization_pending',
      error_codes: [70016],
    })
    const approved = approveDeviceCode(world.ctx, code.user_code.toLowerCase(), 'ADA@skerry.example')
    expect(approved).toMatchObject({ clientName: 'Microsoft Azure CLI', clientId: CLI })
    const tokens = await poll(code.device_code)
    expect(decodeJwt(tokens.access_token)).toMatchObject({
      aud: VAULT,
      appid: CLI,
      appidacr: '0',
      idtyp: 'user',
      oid: ada.objectId,
      scp: 'user_impersonation',
      upn: 'ada@skerry.example',
      unique_name: 'ada@skerry.example',
      tid: world.ctx.seed.tenantId,
    })
    expect(decodeJwt(tokens.id_token)).toMatchObject({
      aud: CLI,
      iss: `https://login.microsoftonline.com/${world.ctx.seed.tenantId}/v2.0`,
      oid: ada.objectId,
      preferred_username: 'ada@skerry.example',
      ver: '2.0',
    })
    expect(JSON.parse(Buffer.from(tokens.client_info, 'base64url').toString())).toEqual({
      uid: ada.objectId,
      utid: world.ctx.seed.tenantId,
    })
    expect(tokens.scope.split(' ')).toEqual([`${VAULT}/user_impersonation`, `${VAULT}/.default`])
  })

  it('and resources know the user', async () => {
    const code = await deviceCode()
    approveDeviceCode(world.ctx, code.user_code, ada.objectId)
    const { access_token: bearer } = await poll(code.device_code)
    const request = new Request(VAULT, { headers: { authorization: `Bearer ${bearer}` } })
    expect(await createTokenVerifier(world.ctx).verify(request, [VAULT])).toMatchObject({
      objectId: ada.objectId,
      kind: 'user',
      upn: 'ada@skerry.example',
    })
  })

  it('once: a code that was used up is not known any more', async () => {
    const code = await deviceCode()
    approveDeviceCode(world.ctx, code.user_code, 'ada@skerry.example')
    expect((await poll(code.device_code)).status).toBe(200)
    expect(await poll(code.device_code)).toMatchObject({ status: 400, error: 'bad_verification_code' })
  })

  it('is told that the person said no', async () => {
    const code = await deviceCode()
    declineDeviceCode(world.ctx, code.user_code)
    expect(await poll(code.device_code)).toMatchObject({ status: 400, error: 'authorization_declined' })
  })

  it('is told after fifteen minutes that its code expired, and nobody can approve it any more', async () => {
    const code = await deviceCode()
    await world.clock.advance(900_000)
    expect(await poll(code.device_code)).toMatchObject({ status: 400, error: 'expired_token', error_codes: [70020] })
    expect(() => approveDeviceCode(world.ctx, code.user_code, 'ada@skerry.example')).toThrow(/no device waits/)
  })

  it('cannot use the code of another client', async () => {
    const code = await deviceCode()
    approveDeviceCode(world.ctx, code.user_code, 'ada@skerry.example')
    expect(await poll(code.device_code, { client_id: POWERSHELL })).toMatchObject({ error: 'bad_verification_code' })
    expect((await poll(code.device_code)).status).toBe(200)
  })

  it('is refused without a person of that name, and the code stays', async () => {
    const code = await deviceCode()
    expect(() => approveDeviceCode(world.ctx, code.user_code, 'nobody')).toThrow(
      expect.objectContaining({ field: 'user' }),
    )
    expect(await poll(code.device_code)).toMatchObject({ error: 'authorization_pending' })
  })

  it('asks in the first version of the protocol, too', async () => {
    const tenant = world.ctx.seed.tenantId
    const code = await post(`${tenant}/oauth2/devicecode`, { client_id: CLI, resource: VAULT })
    expect(code).toMatchObject({ verification_url: expect.any(String), expires_in: '900', interval: '5' })
    approveDeviceCode(world.ctx, String(code.user_code), ada.objectId)
    const form = { client_id: CLI, grant_type: 'device_code', code: String(code.device_code), resource: VAULT }
    expect(await post(`${tenant}/oauth2/token`, form)).toMatchObject({
      resource: VAULT,
      expires_in: '4499',
      refresh_token: expect.any(String),
    })
  })

  it('writes who signed in to the journal, and no code', async () => {
    const code = await deviceCode()
    approveDeviceCode(world.ctx, code.user_code, 'ada@skerry.example')
    const { access_token: bearer, refresh_token: refresh } = await poll(code.device_code)
    const journal = JSON.stringify(world.ctx.journal.records())
    expect(journal).toContain('ada@skerry.example')
    for (const secret of [code.device_code, code.user_code, bearer, refresh]) expect(journal).not.toContain(secret)
  })

  it('leaves no codes behind', async () => {
    for (let at = 0; at < 30; at += 1) await deviceCode()
    await world.clock.advance(3_600_000)
    await deviceCode()
    expect(world.ctx.store.collection('entraDeviceCodes').entries()).toHaveLength(1)
  })
})

describe('a user signs in with a password', () => {
  it('and gets the tokens that were asked for', async () => {
    expect(Object.keys(await password()).sort()).toEqual([
      'access_token',
      'client_info',
      'expires_in',
      'ext_expires_in',
      'id_token',
      'refresh_token',
      'scope',
      'status',
      'token_type',
    ])
    expect(Object.keys(await password({ scope: `${VAULT}/.default`, client_info: '0' }))).not.toContain('refresh_token')
  })

  it.each([
    ['a wrong password', { password: 'battery staple' }, 'invalid_grant', 50126],
    ['an unknown name', { username: 'bob@skerry.example' }, 'invalid_grant', 50034],
    ['an unknown client', { client_id: '00000000-1111-2222-3333-444444444444' }, 'unauthorized_client', 700016],
    ['no password', { password: '' }, 'invalid_request', 900144],
    [
      'scopes of two resources',
      { scope: `${VAULT}/.default https://management.azure.com/.default` },
      'invalid_scope',
      70011,
    ],
    ['a resource of nobody', { scope: 'https://example.org/.default' }, 'invalid_resource', 500011],
    ['a secret for a public client', { client_secret: 'x' }, 'invalid_client', 700025],
  ])('not with %s', async (_, change, error, code) => {
    expect(await password(change)).toMatchObject({ error, error_codes: [code] })
  })

  it('not without having one', async () => {
    ensureUser(world.ctx, { userPrincipalName: 'eve' })
    expect(await password({ username: 'eve@skerry.example', password: 'x' })).toMatchObject({ error_codes: [50126] })
  })

  it('not through a confidential client that shows no secret', async () => {
    const app = ensureApplication(world.ctx, { displayName: 'web', secret: 's3cret' })
    expect(await password({ client_id: app.clientId })).toMatchObject({ status: 401, error_codes: [7000218] })
    expect(await password({ client_id: app.clientId, client_secret: 's3cret' })).toMatchObject({ status: 200 })
  })

  it('in a realm that is managed here', async () => {
    const realm = async (name: string) =>
      (await world.fetch(`https://login.microsoftonline.com/common/userrealm/${name}?api-version=1.0`)).json()
    expect(await realm('ada@skerry.example')).toMatchObject({
      ver: '1.0',
      account_type: 'Managed',
      domain_name: 'skerry.example',
    })
    expect(await realm('ada@example.org')).toMatchObject({ account_type: 'Unknown' })
  })

  it('and its password is kept as a hash alone', () => {
    const kept = JSON.stringify(world.ctx.store.collection('users').entries())
    expect(kept).toContain(ada.objectId)
    expect(kept).not.toContain('correct horse')
  })
})

describe('a refresh token', () => {
  const refresh = (refreshToken: string, change: Record<string, string> = {}) =>
    token({ grant_type: 'refresh_token', refresh_token: refreshToken, scope: SCOPE, ...change })

  it('gives tokens for another resource, and the next refresh token', async () => {
    const before = await password()
    const after = await refresh(before.refresh_token, {
      scope: 'https://management.core.windows.net//.default offline_access',
    })
    expect(decodeJwt(after.access_token)).toMatchObject({
      aud: 'https://management.core.windows.net',
      oid: ada.objectId,
    })
    expect(after.refresh_token).not.toBe(before.refresh_token)
    expect((await refresh(after.refresh_token)).status).toBe(200)
  })

  it('is of no use to another client', async () => {
    const { refresh_token: stolen } = await password()
    expect(await refresh(stolen, { client_id: POWERSHELL })).toMatchObject({
      status: 400,
      error: 'invalid_grant',
      error_codes: [70000],
    })
    expect(world.ctx.journal.records().at(-1)?.conditions).toMatchObject([
      { found: `a refresh token of the client ${CLI}` },
    ])
  })

  it('cannot be guessed', async () => {
    expect(await refresh('1.guess')).toMatchObject({ error: 'invalid_grant', error_codes: [70000] })
  })

  it('ends after ninety days without use', async () => {
    const { refresh_token: old } = await password()
    await world.clock.advance(91 * 24 * 3_600_000)
    expect(await refresh(old)).toMatchObject({ error: 'invalid_grant', error_codes: [700082] })
  })

  it('is kept as a hash alone', async () => {
    const { refresh_token: given } = await password()
    expect(JSON.stringify(world.ctx.store.collection('entraRefreshTokens').entries())).not.toContain(given)
  })
})

describe('the tenants of users', () => {
  it.each(['common', 'organizations', 'skerry.example'])('take %s', async (tenant) => {
    const form = { grant_type: 'password', username: 'ada@skerry.example', password: 'correct horse', scope: SCOPE }
    expect((await token(form, tenant)).status).toBe(200)
  })

  it('do not say whose application it is that asks for itself', async () => {
    const { admin } = world.ctx.seed
    const form = {
      grant_type: 'client_credentials',
      client_id: admin.clientId,
      client_secret: admin.clientSecret,
      scope: `${VAULT}/.default`,
    }
    expect(await token(form, 'common')).toMatchObject({ status: 400, error_codes: [50059] })
  })
})

describe('ensureUser', () => {
  it('keeps the object id of a user that exists, and changes what is given', () => {
    const again = ensureUser(world.ctx, { userPrincipalName: 'ADA@skerry.example', displayName: 'Countess' })
    expect(again).toMatchObject({ objectId: ada.objectId, displayName: 'Countess', password: ada.password })
  })

  it.each([
    ['userPrincipalName', { userPrincipalName: 'a b@c' }],
    ['objectId', { userPrincipalName: 'bob', objectId: '1' }],
    ['password', { userPrincipalName: 'bob', password: '' }],
  ])('names a bad %s', (field, request) => {
    expect(() => ensureUser(world.ctx, request)).toThrow(expect.objectContaining({ code: 'ERR_DIRECTORY', field }))
  })
})
