import { beforeEach, describe, expect, it } from 'vitest'
import { createVaultWorld, MANAGED_HSM, VAULT, type VaultWorld } from '../test-vaults.ts'

let world: VaultWorld
let now: number
beforeEach(() => {
  world = createVaultWorld()
  now = world.clock.now() / 1000
})

const create = (url: string) => world.call('POST', `${url}/keys/k/create`, { kty: 'EC' })
const put = (url: string, policy: object, name = 'k') => world.call('PUT', `${url}/keys/${name}/rotationpolicy`, policy)
const get = (url: string, name = 'k') => world.call('GET', `${url}/keys/${name}/rotationpolicy`)
const rotate = (url: string) => world.call('POST', `${url}/keys/k/rotate`)
const NOTIFY = { trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'Notify' } }

describe('the rotation policy of a key in a vault', () => {
  beforeEach(() => create(VAULT))

  it('is a notice before anyone wrote one, without an id', async () => {
    expect((await get(VAULT)).text).toBe(
      '{"lifetimeActions":[{"trigger":{"timeBeforeExpiry":"P30D"},"action":{"type":"Notify"}}],"attributes":null}',
    )
  })

  it('is never empty', async () => {
    const { status, json } = await put(VAULT, { lifetimeActions: [], attributes: {} })
    expect(status).toBe(200)
    expect(json).toEqual({
      id: `${VAULT}/keys/k/rotationpolicy`,
      lifetimeActions: [NOTIFY],
      attributes: { created: now, updated: now },
    })
    expect((await put(VAULT, {})).json).toEqual(json)
  })

  it('comes back in the words of the vault, in its order, with durations as they were given', async () => {
    const policy = {
      lifetimeActions: [
        { trigger: { timeAfterCreate: null, timeBeforeExpiry: 'P60D' }, action: { type: 'notify' } },
        { trigger: { timeAfterCreate: 'P18M', timeBeforeExpiry: null }, action: { type: 'rotate' } },
      ],
      attributes: { expiryTime: 'P2Y', created: 1, updated: 2 },
      id: 'https://elsewhere.example/keys/k/rotationpolicy',
      unknown: true,
    }
    const answer = await put(VAULT, policy)
    expect(answer.text).toBe(
      JSON.stringify({
        id: `${VAULT}/keys/k/rotationpolicy`,
        lifetimeActions: [
          { trigger: { timeAfterCreate: 'P18M' }, action: { type: 'Rotate' } },
          { trigger: { timeBeforeExpiry: 'P60D' }, action: { type: 'Notify' } },
        ],
        attributes: { expiryTime: 'P2Y', created: now, updated: now },
      }),
    )
    expect((await get(VAULT)).text).toBe(answer.text)
  })

  it('remembers when it was first written', async () => {
    await put(VAULT, { attributes: { expiryTime: 'P90D' } })
    await world.clock.advance(60_000)
    const { attributes } = (await put(VAULT, { attributes: { expiryTime: 'P1Y' } })).json
    expect(attributes).toEqual({ expiryTime: 'P1Y', created: now, updated: now + 60 })
  })

  it('may be left out: a rotation on demand then makes a version that does not expire', async () => {
    const { status, json } = await rotate(VAULT)
    expect(status).toBe(200)
    expect(json.attributes).not.toHaveProperty('exp')
  })

  it('says when what a rotation on demand makes expires', async () => {
    await put(VAULT, { attributes: { expiryTime: 'P90D' } })
    const { attributes } = (await rotate(VAULT)).json
    expect(attributes.exp - attributes.created).toBe(7_776_000)
  })

  it('leaves what the key was when it is refused, with the member that is wrong', async () => {
    await put(VAULT, { attributes: { expiryTime: 'P90D' } })
    const refused = await put(VAULT, {
      lifetimeActions: [{ trigger: { timeAfterCreate: 'P1D' }, action: { type: 'Rotate' } }],
    })
    expect(refused.status).toBe(400)
    expect(refused.json.error).toEqual({
      code: 'BadParameter',
      message: 'Property lifetimeActions[0].trigger.timeAfterCreate has invalid value: at least 7 days after creation',
    })
    expect((await get(VAULT)).json.attributes.expiryTime).toBe('P90D')
  })

  it.each([
    [{ lifetimeActions: 'often' }, 'lifetimeActions'],
    [{ lifetimeActions: [{ trigger: {} }] }, 'lifetimeActions.0.action'],
    [{ attributes: { expiryTime: 90 } }, 'attributes.expiryTime'],
  ])('is refused when it is %j', async (policy, field) => {
    const { status, json } = await put(VAULT, policy)
    expect([status, json.error.code, json.error.message]).toEqual([
      400,
      'BadParameter',
      `Property ${field} has invalid value`,
    ])
  })

  it('is not there without the key', async () => {
    for (const answer of [await get(VAULT, 'none'), await put(VAULT, {}, 'none')]) {
      expect([answer.status, answer.json.error.code]).toEqual([404, 'KeyNotFound'])
    }
    await world.call('DELETE', `${VAULT}/keys/k`)
    expect((await get(VAULT)).status).toBe(404)
  })
})

describe('the rotation policy of a key in a managed HSM', () => {
  beforeEach(() => create(MANAGED_HSM))

  it('is empty before anyone wrote one', async () => {
    expect((await get(MANAGED_HSM)).text).toBe('{"attributes":{"created":0,"expiryTime":"","updated":0},"id":""}')
  })

  it('comes back in the words of the managed HSM, with a relative id and no notice', async () => {
    const answer = await put(MANAGED_HSM, {
      lifetimeActions: [{ trigger: { timeAfterCreate: 'P30D' }, action: { type: 'Rotate' } }],
      attributes: { expiryTime: 'P90D' },
    })
    expect(answer.text).toBe(
      JSON.stringify({
        attributes: { created: now, expiryTime: 'P90D', updated: now },
        id: 'keys/k/rotationpolicy',
        lifetimeActions: [{ action: { type: 'rotate' }, trigger: { timeAfterCreate: 'P30D' } }],
      }),
    )
  })

  it('may hold nothing but the expiry, which is enough for a rotation on demand', async () => {
    const { json } = await put(MANAGED_HSM, { attributes: { expiryTime: 'P30D' }, lifetimeActions: [] })
    expect(json).toEqual({
      attributes: { created: now, expiryTime: 'P30D', updated: now },
      id: 'keys/k/rotationpolicy',
    })
    expect((await rotate(MANAGED_HSM)).json.attributes.exp).toBe(now + 30 * 86_400)
  })

  it('is wanted before a rotation on demand', async () => {
    const refused = await rotate(MANAGED_HSM)
    expect([refused.status, refused.json.error.code]).toEqual([400, 'BadParameter'])
    expect(refused.json.error.message).toContain('no rotation policy')
  })

  it('goes when an empty one is put, and with it rotation on demand', async () => {
    await put(MANAGED_HSM, { attributes: { expiryTime: 'P30D' } })
    const { json } = await put(MANAGED_HSM, { lifetimeActions: [], attributes: {} })
    expect(json).toEqual({ attributes: { created: 0, expiryTime: '', updated: 0 }, id: '' })
    expect((await get(MANAGED_HSM)).json).toEqual(json)
    expect((await rotate(MANAGED_HSM)).status).toBe(400)
  })

  it('of a key that is not there is missed in the words of the managed HSM, twice over for a rotation', async () => {
    await world.call('DELETE', `${MANAGED_HSM}/keys/k`)
    expect((await rotate(MANAGED_HSM)).json.error.message).toMatch(/^Key not found: Key not found: https:/)
    expect((await get(MANAGED_HSM)).json.error.message).toMatch(/^Key not found: https:/)
  })
})
