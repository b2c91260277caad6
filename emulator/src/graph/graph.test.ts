import { beforeEach, describe, expect, it } from 'vitest'
import { createTestContext, type TestWorld } from '../core/test-context.ts'
import {
  createEntraService,
  createManagedIdentity,
  createTokenVerifier,
  ensureApplication,
  ensureUser,
} from '../entra/index.ts'
import { createGraphService } from './index.ts'

const GRAPH = 'https://graph.microsoft.com'
const CLI = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'

let world: TestWorld
let ada: ReturnType<typeof ensureUser>
let app: ReturnType<typeof ensureApplication>
let identity: ReturnType<typeof createManagedIdentity>
let bearer: string

async function tokenOf(form: Record<string, string>): Promise<string> {
  const url = `https://login.microsoftonline.com/${world.ctx.seed.tenantId}/oauth2/v2.0/token`
  const body = new URLSearchParams({ scope: `${GRAPH}/.default`, ...form })
  const response = await world.fetch(new Request(url, { method: 'POST', body }))
  return ((await response.json()) as { access_token: string }).access_token
}

beforeEach(async () => {
  world = createTestContext()
  world.use(createEntraService(world.ctx))
  world.use(createGraphService(world.ctx, { tokens: createTokenVerifier(world.ctx) }))
  ada = ensureUser(world.ctx, { userPrincipalName: "o'hara", displayName: 'Ada', password: 'secret' })
  app = ensureApplication(world.ctx, { displayName: 'web', secret: 's3cret' })
  const id = '/subscriptions/s/resourceGroups/r/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i'
  identity = createManagedIdentity(world.ctx, { id, name: 'i', location: 'westeurope' })
  bearer = await tokenOf({
    grant_type: 'password',
    client_id: CLI,
    username: ada.userPrincipalName,
    password: 'secret',
  })
})

async function ask(path: string, options: { token?: string; body?: unknown } = {}) {
  const { token = bearer, body } = options
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  const headers = new Headers(token === '' ? {} : { authorization: `Bearer ${token}` })
  const response = await world.fetch(new Request(`${GRAPH}/v1.0/${path}`, { ...init, headers }))
  return {
    status: response.status,
    body: (await response.json()) as { value: { id: string }[] } & Record<string, unknown>,
  }
}

const found = async (set: string, filter: string) =>
  (await ask(`${set}?$filter=${encodeURIComponent(filter)}`)).body.value.map(({ id }) => id)

describe('Microsoft Graph tells who is who', () => {
  it('of the user who asks', async () => {
    expect((await ask('me')).body).toMatchObject({
      '@odata.context': `${GRAPH}/v1.0/$metadata#users/$entity`,
      id: ada.objectId,
      displayName: 'Ada',
      userPrincipalName: "o'hara@skerry.example",
    })
  })

  it('of users by name, id or filter', async () => {
    expect((await ask(`users/${encodeURIComponent(ada.userPrincipalName)}`)).body.id).toBe(ada.objectId)
    expect((await ask(`users/${ada.objectId}`)).body.userPrincipalName).toBe(ada.userPrincipalName)
    expect(await found('users', "userPrincipalName eq 'o''hara@skerry.example'")).toEqual([ada.objectId])
    expect(await found('users', "userPrincipalName eq 'nobody'")).toEqual([])
    expect(await found('users', "startswith(displayName,'AD') or mail eq 'x'")).toEqual([ada.objectId])
  })

  it('of applications and managed identities by client id', async () => {
    expect(await found('servicePrincipals', `servicePrincipalNames/any(c:c eq '${app.clientId}')`)).toEqual([
      app.objectId,
    ])
    expect(await found('servicePrincipals', `appId eq '${identity.clientId}'`)).toEqual([identity.principalId])
    expect((await ask(`servicePrincipals/${identity.principalId}`)).body.servicePrincipalType).toBe('ManagedIdentity')
    expect((await ask(`applications?$filter=appId eq '${app.clientId}'`)).body.value).toMatchObject([
      { displayName: 'web' },
    ])
  })

  it('of object ids, with their kind', async () => {
    const ids = [ada.objectId, app.objectId, 'unknown']
    expect((await ask('directoryObjects/getByIds', { body: { ids, types: ['user'] } })).body.value).toMatchObject([
      { '@odata.type': '#microsoft.graph.user', id: ada.objectId },
      { '@odata.type': '#microsoft.graph.servicePrincipal', id: app.objectId },
    ])
  })
})

describe('Microsoft Graph refuses', () => {
  it('a request without a token, and one with the token of another resource', async () => {
    expect(await ask('me', { token: '' })).toMatchObject({
      status: 401,
      body: { error: { code: 'InvalidAuthenticationToken' } },
    })
    const { clientId, clientSecret } = world.ctx.seed.admin
    const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret }
    const token = await tokenOf({ ...form, scope: 'https://vault.azure.net/.default' })
    expect((await ask('me', { token })).status).toBe(401)
  })

  it('an application that was given nothing, and lets the administrator read', async () => {
    const credentials = { grant_type: 'client_credentials', client_id: app.clientId, client_secret: 's3cret' }
    expect(await ask('users', { token: await tokenOf(credentials) })).toMatchObject({
      status: 403,
      body: { error: { code: 'Authorization_RequestDenied' } },
    })
    expect(world.ctx.journal.records().at(-1)).toMatchObject({ service: 'graph', outcome: 'denied' })
    const { clientId, clientSecret } = world.ctx.seed.admin
    const token = await tokenOf({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret })
    expect((await ask('users', { token })).status).toBe(200)
    expect(await ask('me', { token })).toMatchObject({ status: 400 })
  })

  it.each([
    ['an unknown user', 'users/nobody', 404, 'Request_ResourceNotFound'],
    ['an unknown principal', 'servicePrincipals/1', 404, 'Request_ResourceNotFound'],
    ['a filter that it does not know', "users?$filter=endswith(mail,'x')", 501, 'SkerryNotCovered'],
    ['what else it has', 'me/messages', 501, 'SkerryNotCovered'],
  ])('%s', async (_, path, status, code) => {
    expect(await ask(path)).toMatchObject({ status, body: { error: { code } } })
  })

  it('ids that are none', async () => {
    expect((await ask('directoryObjects/getByIds', { body: { ids: 'x' } })).status).toBe(400)
  })
})
