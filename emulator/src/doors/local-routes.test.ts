import { request as httpRequest } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createTestContext, type TestWorld } from '../core/test-context.ts'
import { createEntraService, createManagedIdentity, ensureUser, findDeviceCode } from '../entra/index.ts'
import { instanceCredential } from './credential.ts'
import { createLocalRoutes, DEVICE_PATH } from './local-routes.ts'
import { createWireDoor, type WireDoor } from './wire.ts'

const CLI = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'
const credential = instanceCredential(Buffer.alloc(32, 7))

let world: TestWorld
let door: WireDoor
let port: number
let isOwner: boolean

beforeEach(async () => {
  isOwner = true
  world = createTestContext()
  world.use(createEntraService(world.ctx))
  ensureUser(world.ctx, { userPrincipalName: 'ada', displayName: 'Ada <b>' })
  ensureUser(world.ctx, { userPrincipalName: 'bob', password: 'secret' })
  door = createWireDoor({
    dispatcher: world.dispatcher,
    authority: world.ctx.authority,
    journal: world.ctx.journal,
    credential,
    control: async () => new Response(null, { status: 204 }),
    local: createLocalRoutes(world.ctx, credential),
    mayConnect: async () => isOwner,
  })
  port = await door.listen()
})
afterEach(() => door.close())

/** Plain node:http: `fetch` would not send these headers as they are. */
function send(path: string, options: { form?: Record<string, string>; headers?: Record<string, string> } = {}) {
  const { form, headers = {} } = options
  return new Promise<{ status: number; headers: Record<string, unknown>; text: string }>((done, failed) => {
    const method = form === undefined ? 'GET' : 'POST'
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      path,
      method,
      headers: { host: `127.0.0.1:${port}`, ...headers },
    })
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('end', () => done({ status: response.statusCode ?? 0, headers: response.headers, text }))
    })
    request.on('error', failed).end(form && new URLSearchParams(form).toString())
  })
}

const post = (form: Record<string, string>, headers?: Record<string, string>) =>
  send(DEVICE_PATH, {
    form,
    headers: { origin: `http://127.0.0.1:${port}`, 'sec-fetch-site': 'same-origin', ...headers },
  })

async function login(path: string, form: Record<string, string>) {
  const url = `https://login.microsoftonline.com/organizations/oauth2/v2.0/${path}`
  const response = await world.fetch(
    new Request(url, { method: 'POST', body: new URLSearchParams({ client_id: CLI, ...form }) }),
  )
  return (await response.json()) as Record<string, string>
}

const begin = () =>
  login('devicecode', { scope: 'https://vault.azure.net/.default' }) as Promise<{
    user_code: string
    device_code: string
  }>
const poll = (code: string) =>
  login('token', { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: code })

describe('a person signs in at a device, in their browser', () => {
  it('by typing the code, seeing who asks, and choosing who they are', async () => {
    const { user_code: code, device_code: device } = await begin()
    expect((await send(DEVICE_PATH)).text).toContain('name="code"')
    const second = await post({ code })
    expect(second.text).toContain('Microsoft Azure CLI')
    expect(second.text).toContain('ada@skerry.example')
    expect((await post({ code, action: 'approve', user: 'ada@skerry.example' })).text).toContain('Signed in')
    expect(await poll(device)).toMatchObject({ access_token: expect.any(String) })
  })

  it('with the password, where the user has one', async () => {
    const { user_code: code } = await begin()
    const bob = { code, action: 'approve', user: 'bob@skerry.example' }
    expect((await post(bob)).status).toBe(400)
    expect((await post({ ...bob, password: 'guess' })).status).toBe(400)
    expect((await post({ ...bob, password: 'secret' })).status).toBe(200)
  })

  it('or says no', async () => {
    const { user_code: code, device_code: device } = await begin()
    await post({ code, action: 'decline' })
    expect(await poll(device)).toMatchObject({ error: 'authorization_declined' })
  })

  it('is told of a code that nobody waits under', async () => {
    expect(await post({ code: 'AAAAAAAAA' })).toMatchObject({ status: 400, text: expect.stringContaining('not known') })
  })

  it('on a page that no other page may frame or script', async () => {
    const { headers } = await send(DEVICE_PATH)
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
    expect(headers['x-frame-options']).toBe('DENY')
  })

  it('and names are shown as text', async () => {
    const { user_code: code } = await begin()
    const { text } = await post({ code })
    expect(text).not.toContain('<b>')
    expect(text).toContain('Ada &#60;b&#62;')
  })

  it.each([
    ['of another origin', { origin: 'https://evil.example' }],
    ['of an unknown origin', { origin: 'null' }],
    ['of another port', { origin: 'http://127.0.0.1:1' }],
    ['that the browser calls cross-site', { 'sec-fetch-site': 'cross-site' }],
  ])('but not by a form %s', async (_, headers) => {
    const { user_code: code } = await begin()
    const answer = await post(
      { code, action: 'approve', user: 'ada@skerry.example' },
      headers as Record<string, string>,
    )
    expect(answer.status).toBe(403)
    expect(findDeviceCode(world.ctx, code).userCode).toBe(code)
  })

  it('but not under a name that resolves to loopback (DNS rebinding)', async () => {
    const { user_code: code } = await begin()
    const headers = { host: `evil.example:${port}`, origin: `http://evil.example:${port}` }
    expect((await post({ code, action: 'approve', user: 'ada@skerry.example' }, headers)).status).toBe(403)
  })

  it('but not from a program of another user of the machine', async () => {
    isOwner = false
    expect((await send(DEVICE_PATH)).status).toBe(403)
  })

  it('but a workload that reaches Entra needs a password, and sees no names', async () => {
    const { user_code: code } = await begin()
    const at = (form: Record<string, string>) =>
      world.fetch(
        new Request('https://login.microsoftonline.com/common/oauth2/deviceauth', {
          method: 'POST',
          body: new URLSearchParams({ code, ...form }),
        }),
        { door: 'group', containerGroupId: '/g' },
      )
    expect(await (await at({})).text()).not.toContain('ada@')
    expect((await at({ action: 'approve', user: 'ada@skerry.example' })).status).toBe(400)
    expect((await at({ action: 'approve', user: 'bob@skerry.example', password: 'secret' })).status).toBe(200)
  })
})

describe('the token service of App Service', () => {
  const path = '/.skerry/msi/token?api-version=2019-08-01&resource=https://vault.azure.net'
  const headers = { 'x-identity-header': credential.identityHeader() }
  beforeEach(() => {
    const id = '/subscriptions/s/resourceGroups/r/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i'
    createManagedIdentity(world.ctx, { id, name: 'i', location: 'westeurope' })
  })

  it('answers whoever knows its secret', async () => {
    expect(await send(path, { headers })).toMatchObject({ status: 200, text: expect.stringContaining('access_token') })
    expect((await send(path)).status).toBe(401)
  })

  it('answers no browser, whatever it knows', async () => {
    expect((await send(path, { headers: { ...headers, origin: `http://127.0.0.1:${port}` } })).status).toBe(403)
    expect((await send(path, { headers: { ...headers, host: `evil.example:${port}` } })).status).toBe(403)
  })
})

describe('the control routes beside them', () => {
  it('still want the credential', async () => {
    expect((await send('/.skerry/status')).status).toBe(401)
    expect(
      (await send('/.skerry/status', { headers: { authorization: `Bearer ${credential.controlToken}` } })).status,
    ).toBe(204)
  })
})
