import { sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../core/test-context.ts'
import { createEntraService, ensureApplication, ensureUser } from './index.ts'
import { assertionClaims, assertionForm, testCertificate } from './test-clients.ts'

const world = createTestContext()
world.use(createEntraService(world.ctx))
const { ctx } = world
const certificate = await testCertificate(ctx, 'client')
const app = ensureApplication(ctx, {
  displayName: 'hostile',
  certificates: [certificate.pem],
  federatedCredentials: [
    { name: 'cluster', issuer: 'https://issuer.example', subject: 's', audiences: ['api://AzureADTokenExchange'] },
  ],
})
ensureUser(ctx, { userPrincipalName: 'ada', password: 'secret' })

const LONG = 'x'.repeat(20_000)
const ODD = [
  null,
  true,
  0,
  -1,
  1e308,
  '',
  ' ',
  '\u0000',
  '\ud800',
  '__proto__',
  '%',
  '<b>',
  "'",
  LONG,
  [],
  [null],
  [[]],
  {},
  { a: {} },
]
const ODD_TEXT = ODD.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))

async function post(path: string, form: Record<string, string>) {
  const url = `https://login.microsoftonline.com/${path}`
  const response = await world.fetch(new Request(url, { method: 'POST', body: new URLSearchParams(form) }))
  return { status: response.status, text: await response.text() }
}

const token = (form: Record<string, string>) => post(`${ctx.seed.tenantId}/oauth2/v2.0/token`, form)

/** A JWS over anything at all, truly signed with the application's key. */
function jws(header: unknown, payload: unknown): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${part(header)}.${part(payload)}`
  return `${input}.${sign('sha256', Buffer.from(input), certificate.privateKey).toString('base64url')}`
}

const header = { alg: 'RS256', typ: 'JWT', x5t: certificate.x5t }
const claims = assertionClaims(ctx, app.clientId)
const federated = { ...claims, iss: 'https://issuer.example', sub: 's', aud: 'api://AzureADTokenExchange' }

async function expectRefused(assertion: string): Promise<void> {
  const { status, text } = await token(assertionForm(app.clientId, assertion))
  expect([400, 401]).toContain(status)
  expect(text).toMatch(/"AADSTS\d+: /)
}

describe('an assertion is refused, never failed over', () => {
  it('is one, as it stands', async () => {
    expect((await token(assertionForm(app.clientId, jws(header, claims)))).status).toBe(200)
  })

  it.each(['iss', 'sub', 'aud', 'exp', 'nbf'])('whatever its claim %s is', async (name) => {
    // A time of 0 or long ago is a good beginning of validity.
    const bad = name === 'nbf' ? ODD.filter((value) => typeof value !== 'number' || value > 1e10) : ODD
    for (const value of name === 'exp' ? bad.filter((one) => one !== 1e308) : bad) {
      await expectRefused(jws(header, { ...claims, [name]: value }))
      await expectRefused(jws(header, { ...federated, [name]: value }))
    }
  })

  it.each(['alg', 'crit', 'b64'])('whatever its header %s is', async (name) => {
    for (const value of ODD) await expectRefused(jws({ ...header, [name]: value }, claims))
  })

  it.each(['x5t', 'x5t#S256', 'kid', 'x5c', 'jku', 'jwk', 'typ', 'x5u'])(
    'or taken with any %s, and answered',
    async (name) => {
      for (const value of ODD) {
        const { status } = await token(assertionForm(app.clientId, jws({ ...header, [name]: value }, claims)))
        expect([200, 400, 401]).toContain(status)
        expect([400, 401]).toContain(
          (await token(assertionForm(app.clientId, jws({ ...header, [name]: value }, federated)))).status,
        )
      }
    },
  )

  it('when it is no object, or no token at all', async () => {
    for (const value of ODD) {
      await expectRefused(jws(header, value))
      await expectRefused(jws(value, claims))
    }
    for (const text of ['.', '..', '...', 'e30.e30.', `${LONG}.${LONG}.${LONG}`]) await expectRefused(text)
  })
})

describe('every form is answered', () => {
  const grants = [
    ['client_credentials', ['client_id', 'client_secret', 'scope', 'client_assertion', 'client_assertion_type']],
    ['password', ['client_id', 'username', 'password', 'scope']],
    ['refresh_token', ['client_id', 'refresh_token', 'scope']],
    ['authorization_code', ['client_id', 'code', 'redirect_uri', 'code_verifier']],
    ['urn:ietf:params:oauth:grant-type:device_code', ['client_id', 'device_code']],
  ] as const
  const usual: Readonly<Record<string, string>> = {
    client_id: '04b07795-8ddb-461a-bbee-02f9e1bf7b46',
    scope: 'https://vault.azure.net/.default',
    username: 'ada@skerry.example',
    redirect_uri: 'http://localhost',
  }

  it.each(grants)('of %s', async (grant, members) => {
    for (const member of members) {
      for (const value of ODD_TEXT) {
        const form = Object.fromEntries(members.map((name) => [name, usual[name] ?? 'x']))
        const { status } = await token({ grant_type: grant, ...form, [member]: value })
        expect([200, 400, 401]).toContain(status)
      }
    }
  })

  it('of the devices’ endpoint and of any grant, in both versions', async () => {
    for (const value of ODD_TEXT) {
      for (const path of ['common/oauth2/devicecode', 'common/oauth2/v2.0/devicecode']) {
        expect([200, 400]).toContain(
          (await post(path, { client_id: usual.client_id!, scope: value, resource: value })).status,
        )
      }
      for (const path of ['common/oauth2/token', 'common/oauth2/v2.0/token']) {
        expect([400, 401]).toContain((await post(path, { grant_type: value, client_id: 'x' })).status)
      }
    }
  })

  it('of the pages', async () => {
    for (const value of ODD_TEXT) {
      expect([200, 400]).toContain(
        (await post('common/oauth2/deviceauth', { code: value, user: value, action: 'approve' })).status,
      )
      const query = new URLSearchParams({
        client_id: usual.client_id!,
        redirect_uri: value,
        scope: value,
        response_type: 'code',
      })
      expect([400]).toContain((await post(`common/oauth2/v2.0/authorize?${query}`, { user: value })).status)
      const realm = await world.fetch(
        `https://login.microsoftonline.com/common/userrealm/${encodeURIComponent(value.toWellFormed())}x`,
      )
      expect(realm.status).toBe(200)
    }
  })
})
