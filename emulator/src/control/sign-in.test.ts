import { beforeEach, describe, expect, it } from 'vitest'
import { createTestContext, type TestWorld } from '../core/test-context.ts'
import { createEntraService, ensureUser } from '../entra/index.ts'
import { signInRoutes } from './sign-in.ts'

const CLI = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'

let world: TestWorld
let code: string
let deviceCode: string

const login = async (path: string, form: Record<string, string>) => {
  const url = `https://login.microsoftonline.com/common/oauth2/v2.0/${path}`
  const body = new URLSearchParams({ client_id: CLI, ...form })
  return (await (await world.fetch(new Request(url, { method: 'POST', body }))).json()) as Record<string, string>
}

beforeEach(async () => {
  world = createTestContext()
  world.use(createEntraService(world.ctx))
  ensureUser(world.ctx, { userPrincipalName: 'ada', displayName: 'Ada', password: 'secret' })
  const begun = await login('devicecode', { scope: 'https://vault.azure.net/.default' })
  code = begun.user_code!
  deviceCode = begun.device_code!
})

async function send(method: string, path: string, body?: unknown) {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) }
  const response = await signInRoutes(world.ctx).request(`http://127.0.0.1/.skerry/${path}`, init)
  return { status: response.status, body: (await response.json()) as unknown }
}

const poll = () =>
  login('token', { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: deviceCode })

describe('the control routes of the sign-in', () => {
  it('name the users, without their passwords', async () => {
    const { body } = await send('GET', 'users')
    expect(body).toEqual([
      { objectId: expect.any(String), userPrincipalName: 'ada@skerry.example', displayName: 'Ada' },
    ])
  })

  it('say who waits under a code', async () => {
    expect(await send('GET', `device-codes/${code}`)).toMatchObject({
      status: 200,
      body: { userCode: code, clientId: CLI },
    })
  })

  it('sign a user in at the device', async () => {
    expect((await send('POST', `device-codes/${code}`, { user: 'ada@skerry.example' })).status).toBe(200)
    expect(await poll()).toHaveProperty('access_token')
  })

  it('refuse for the user', async () => {
    await send('POST', `device-codes/${code}`, { user: null })
    expect(await poll()).toMatchObject({ error: 'authorization_declined' })
  })

  it.each([
    ['an unknown code', () => 'AAAAAAAAA', { user: 'ada@skerry.example' }, 404, 'userCode'],
    ['an unknown user', () => code, { user: 'bob' }, 404, 'user'],
    ['no user', () => code, {}, 400, 'user'],
    ['what is no JSON', () => code, undefined, 400, 'Object'],
  ])('tell of %s', async (_, which, body, status, word) => {
    const answer = await send('POST', `device-codes/${which()}`, body)
    expect(answer).toMatchObject({ status, body: { error: { message: expect.stringContaining(word) } } })
    expect(await poll()).toMatchObject({ error: 'authorization_pending' })
  })
})
