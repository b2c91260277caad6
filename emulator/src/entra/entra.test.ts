import { X509Certificate } from 'node:crypto'
import { ClientSecretCredential } from '@azure/identity'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { describe, expect, it } from 'vitest'
import { sdkHttpClient } from '../../../test/support/sdk-http-client.ts'
import { createTestContext } from '../core/test-context.ts'
import { createEntraService, ensureServicePrincipal } from './index.ts'

const world = createTestContext()
world.use(createEntraService(world.ctx))
const { seed } = world.ctx
const LOGIN = 'https://login.microsoftonline.com'

const credential = (tenant: string, clientId: string, secret: string) =>
  new ClientSecretCredential(tenant, clientId, secret, { httpClient: sdkHttpClient(world.fetch) })

function post(path: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  return world.fetch(new Request(`${LOGIN}/${path}`, { method: 'POST', body: new URLSearchParams(form), headers }))
}

const v2 = `${seed.tenantId}/oauth2/v2.0/token`
const good = {
  grant_type: 'client_credentials',
  client_id: seed.admin.clientId,
  client_secret: seed.admin.clientSecret,
  scope: 'https://vault.azure.net/.default',
}

async function errorOf(response: Response) {
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

describe('a client secret credential of the official SDK', () => {
  it('gets a token for the vault', async () => {
    const { clientId, clientSecret, objectId } = seed.admin
    const { token } = (await credential(seed.tenantId, clientId, clientSecret).getToken(
      'https://vault.azure.net/.default',
    ))!
    expect(decodeJwt(token)).toMatchObject({
      aud: 'https://vault.azure.net',
      iss: `https://sts.windows.net/${seed.tenantId}/`,
      tid: seed.tenantId,
      appid: clientId,
      oid: objectId,
      idtyp: 'app',
      ver: '1.0',
    })
  })

  it('that can handle claims challenges reads so in its token', async () => {
    const { clientId, clientSecret } = seed.admin
    const wanted = { enableCae: true } as const
    const { token } = (await credential(seed.tenantId, clientId, clientSecret).getToken(good.scope, wanted))!
    expect(decodeJwt(token).xms_cc).toEqual(['CP1'])
    const plain = (await credential(seed.tenantId, clientId, clientSecret).getToken(good.scope))!
    expect(decodeJwt(plain.token)).not.toHaveProperty('xms_cc')
  })

  it.each(['https://management.azure.com/.default', 'https://management.azure.com//.default'])(
    'gets a token for the resource manager by %s',
    async (scope) => {
      const { clientId, clientSecret } = seed.admin
      const { token } = (await credential(seed.tenantId, clientId, clientSecret).getToken(scope))!
      expect(decodeJwt(token).aud).toBe('https://management.azure.com')
    },
  )

  it('is told that its secret is wrong', async () => {
    const attempt = credential(seed.tenantId, seed.admin.clientId, 'guess').getToken(good.scope)
    await expect(attempt).rejects.toThrow(/AADSTS7000215/)
  })

  it('is told that the application is unknown', async () => {
    const attempt = credential(seed.tenantId, '00000000-1111-2222-3333-444444444444', 'guess').getToken(good.scope)
    await expect(attempt).rejects.toThrow(/AADSTS700016/)
  })

  it('is told that the tenant is unknown', async () => {
    const attempt = credential('99999999-1111-2222-3333-444444444444', seed.admin.clientId, 'guess')
    await expect(attempt.getToken(good.scope)).rejects.toThrow(/AADSTS90002|endpoints_resolution_error/)
  })
})

describe('the token endpoint', () => {
  it('answers as Entra does, with numbers', async () => {
    const response = await post(v2, good)
    expect(response.headers.get('cache-control')).toBe('no-store, no-cache')
    expect(await response.json()).toEqual({
      token_type: 'Bearer',
      expires_in: 3599,
      ext_expires_in: 3599,
      access_token: expect.any(String),
    })
  })

  it('takes the scope of MSAL for Go and Java, which adds those of OpenID Connect', async () => {
    const response = await post(v2, { ...good, scope: `${good.scope} openid offline_access profile` })
    const { access_token: token } = (await response.json()) as { access_token: string }
    expect(decodeJwt(token).aud).toBe('https://vault.azure.net')
  })

  it('answers with strings in its first version, and names the resource', async () => {
    const { scope: _, ...rest } = good
    const response = await post(`${seed.tenantId}/oauth2/token`, { ...rest, resource: 'https://managedhsm.azure.net' })
    expect(await response.json()).toMatchObject({
      expires_in: '3599',
      expires_on: String(Math.floor(world.clock.now() / 1000) + 3599),
      resource: 'https://managedhsm.azure.net',
    })
  })

  it('takes the client id and secret in a Basic header, form-encoded', async () => {
    const clientSecret = 'a:b+c d%'
    const app = ensureServicePrincipal(world.ctx, { displayName: 'basic', kind: 'application', clientSecret })
    const pair = `${app.clientId}:${encodeURIComponent(clientSecret)}`
    const headers = { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
    const { status } = await post(v2, { grant_type: 'client_credentials', scope: good.scope }, headers)
    expect(status).toBe(200)
  })

  it('tells a wrong secret in the body shape of Entra', async () => {
    const { status, body } = await errorOf(await post(v2, { ...good, client_secret: 'guess' }))
    expect(status).toBe(401)
    expect(Object.keys(body)).toEqual([
      ...['error', 'error_description', 'error_codes', 'timestamp', 'trace_id', 'correlation_id', 'error_uri'],
    ])
    expect(body).toMatchObject({
      error: 'invalid_client',
      error_codes: [7000215],
      timestamp: '2026-01-01 00:00:00Z',
      error_uri: `${LOGIN}/error?code=7000215`,
    })
    expect(body.error_description).toBe(
      [
        `AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '${seed.admin.clientId}'.`,
        `Trace ID: ${body.trace_id}`,
        `Correlation ID: ${body.correlation_id}`,
        `Timestamp: ${body.timestamp}`,
      ].join('\r\n'),
    )
  })

  it.each([
    ['no grant type', { grant_type: '' }, 400, 'invalid_request', 900144],
    [
      'a token on behalf of a user',
      { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer' },
      400,
      'unsupported_grant_type',
      70003,
    ],
    ['no client id', { client_id: '' }, 400, 'invalid_request', 900144],
    ['no secret', { client_secret: '' }, 401, 'invalid_client', 7000216],
    ['no scope', { scope: '' }, 400, 'invalid_request', 900144],
    ['a scope that is not /.default', { scope: 'https://vault.azure.net/read' }, 400, 'invalid_scope', 1002012],
    ['two resources', { scope: `${good.scope} https://managedhsm.azure.net/.default` }, 400, 'invalid_scope', 1002012],
    ['scopes of OpenID Connect alone', { scope: 'openid profile' }, 400, 'invalid_scope', 1002012],
    ['a resource of nobody', { scope: 'https://example.org/.default' }, 400, 'invalid_resource', 500011],
  ])('refuses %s', async (_, change, status, error, code) => {
    const answer = await errorOf(await post(v2, { ...good, ...change }))
    expect(answer).toMatchObject({ status, body: { error, error_codes: [code] } })
  })

  it('refuses a managed identity that claims to have a secret', async () => {
    const identity = ensureServicePrincipal(world.ctx, { displayName: 'id', kind: 'managedIdentity' })
    const answer = await errorOf(await post(v2, { ...good, client_id: identity.clientId }))
    expect(answer.body.error_codes).toEqual([7000215])
  })

  it('writes neither secrets nor tokens to the journal', async () => {
    const { access_token: token } = (await (await post(v2, good)).json()) as { access_token: string }
    await post(v2, { ...good, client_secret: 'canary-secret' })
    const journal = JSON.stringify(world.ctx.journal.records())
    for (const secret of [token, seed.admin.clientSecret, 'canary-secret']) expect(journal).not.toContain(secret)
    expect(world.ctx.journal.records().at(-1)).toMatchObject({ service: 'entra', outcome: 'denied' })
  })
})

describe('the claims parameter', () => {
  it.each(['', 'no JSON', '[]', '{"access_token":null}', '{"access_token":{"xms_cc":{"values":["cp9"]}}}'])(
    'that says nothing known, %j, changes nothing',
    async (claims) => {
      const answer = (await (await post(v2, { ...good, claims })).json()) as { access_token: string }
      expect(decodeJwt(answer.access_token)).not.toHaveProperty('xms_cc')
    },
  )
})

describe('the metadata', () => {
  const json = async (url: string) => (await (await world.fetch(url)).json()) as { issuer: string; jwks_uri: string }

  it('leads from the first version to the key that signs tokens', async () => {
    const metadata = await json(`${LOGIN}/${seed.tenantId}/.well-known/openid-configuration`)
    expect(metadata.issuer).toBe(`https://sts.windows.net/${seed.tenantId}/`)
    const { keys } = (await json(metadata.jwks_uri)) as unknown as {
      keys: { kid: string; x5t: string; x5c: string[] }[]
    }
    const { access_token: token } = (await (await post(v2, good)).json()) as { access_token: string }
    expect(keys.map((key) => key.kid)).toContain(decodeProtectedHeader(token).kid)
  })

  it('shows a certificate that does not pretend to be of Microsoft', async () => {
    const { keys } = (await json(`${LOGIN}/common/discovery/keys`)) as unknown as { keys: { x5c: string[] }[] }
    const certificate = new X509Certificate(Buffer.from(keys[0]!.x5c[0]!, 'base64'))
    expect(certificate.subject).toContain('not Microsoft Entra')
    expect(certificate.verify(certificate.publicKey)).toBe(true)
  })

  it('names endpoints of the second version', async () => {
    const metadata = await json(`${LOGIN}/${seed.tenantId}/v2.0/.well-known/openid-configuration`)
    expect(metadata).toMatchObject({
      issuer: `${LOGIN}/${seed.tenantId}/v2.0`,
      token_endpoint: `${LOGIN}/${seed.tenantId}/oauth2/v2.0/token`,
      jwks_uri: `${LOGIN}/${seed.tenantId}/discovery/v2.0/keys`,
    })
  })

  it('knows no tenant but its own', async () => {
    const url = `${LOGIN}/00000000-0000-0000-0000-000000000000/v2.0/.well-known/openid-configuration`
    const answer = await errorOf(await world.fetch(url))
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request', error_codes: [90002] } })
  })

  it('answers 501 for what it does not cover', async () => {
    expect((await world.fetch(`${LOGIN}/${seed.tenantId}/oauth2/v2.0/logout`)).status).toBe(501)
  })
})
