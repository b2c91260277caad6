import { beforeEach, describe, expect, it } from 'vitest'
import { COLLECTIONS, type VaultRecord } from '../core/index.ts'
import { createVaultWorld, VAULT, type VaultWorld } from '../keyvault/test-vaults.ts'
import { type Events, eventsOf } from './index.ts'

const DAY = 86_400_000

let world: VaultWorld
let events: Events
let start: number
beforeEach(() => {
  world = createVaultWorld()
  events = eventsOf(world.ctx)
  start = world.clock.now()
})

const days = (seconds: number) => start / 1000 + seconds * 86_400
/** `[type, subject, day]` of each event. */
const told = () =>
  events
    .list()
    .map(({ eventType, subject, eventTime }) => [
      eventType.replace('Microsoft.KeyVault.', ''),
      subject,
      (Date.parse(eventTime) - start) / DAY,
    ])
const create = (name: string, attributes: object = {}) =>
  world.call('POST', `${VAULT}/keys/${name}/create`, { kty: 'EC', attributes })

describe('a vault tells', () => {
  it('of every new version, however it came about', async () => {
    await create('made', { nbf: days(-1), exp: days(400) })
    await world.call('POST', `${VAULT}/keys/made/rotate`)
    await world.call('PUT', `${VAULT}/keys/brought`, { key: EXAMPLE_EC })
    expect(told().map(([type, subject]) => [type, subject])).toEqual([
      ['KeyNewVersionCreated', 'made'],
      ['KeyNewVersionCreated', 'made'],
      ['KeyNewVersionCreated', 'brought'],
    ])
    expect(events.list()[0]!.data).toMatchObject({ NBF: days(-1), EXP: days(400) })
  })

  it('of no new version where there is none: a change, a restore, a recovery, a request that fails', async () => {
    await create('k')
    const blob = (await world.call('POST', `${VAULT}/keys/k/backup`)).json
    await world.call('PATCH', `${VAULT}/keys/k`, { tags: { a: 'b' } })
    await world.call('DELETE', `${VAULT}/keys/k`)
    await world.call('POST', `${VAULT}/deletedkeys/k/recover`)
    await world.call('DELETE', `${VAULT}/keys/k`)
    expect((await create('k')).status).toBe(409)
    await world.call('DELETE', `${VAULT}/deletedkeys/k`)
    expect((await world.call('POST', `${VAULT}/keys/restore`, blob)).status).toBe(200)
    expect(events.list()).toHaveLength(1)
  })

  it('that the current version of a key is about to expire, and that it has', async () => {
    await create('k', { exp: days(20) })
    await create('k', { exp: days(40) })
    await world.clock.advance(100 * DAY)
    expect(told()).toEqual([
      ['KeyNewVersionCreated', 'k', 0],
      ['KeyNearExpiry', 'k', 0],
      ['KeyNewVersionCreated', 'k', 0],
      ['KeyNearExpiry', 'k', 10],
      ['KeyExpired', 'k', 40],
    ])
    expect(events.list().at(-1)!.data.EXP).toBe(days(40))
  })

  it('of the expiry when the rotation policy says so, and of the version that replaces it', async () => {
    await create('k', { exp: days(90) })
    await world.call('PUT', `${VAULT}/keys/k/rotationpolicy`, {
      lifetimeActions: [
        { trigger: { timeBeforeExpiry: 'P60D' }, action: { type: 'Notify' } },
        { trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'Rotate' } },
      ],
      attributes: { expiryTime: 'P90D' },
    })
    await world.clock.advance(125 * DAY)
    expect(told()).toEqual([
      ['KeyNewVersionCreated', 'k', 0],
      ['KeyNearExpiry', 'k', 30],
      ['KeyNewVersionCreated', 'k', 60],
      ['KeyNearExpiry', 'k', 90],
      ['KeyNewVersionCreated', 'k', 120],
    ])
  })

  it('once of one expiry, whatever else changes, and anew of another', async () => {
    await create('k', { exp: days(20) })
    await world.clock.advance(DAY)
    await world.call('PATCH', `${VAULT}/keys/k`, { tags: { a: 'b' } })
    await world.clock.advance(DAY)
    expect(told().filter(([type]) => type === 'KeyNearExpiry')).toHaveLength(1)
    await world.call('PATCH', `${VAULT}/keys/k`, { attributes: { exp: days(60) } })
    await world.clock.advance(100 * DAY)
    expect(told().slice(2)).toEqual([
      ['KeyNearExpiry', 'k', 30],
      ['KeyExpired', 'k', 60],
    ])
  })

  it('when its access policies change, or no longer count', () => {
    const vaults = world.ctx.store.collection<VaultRecord>(COLLECTIONS.vaults)
    const { host } = new URL(VAULT)
    const vault = vaults.get(host)!
    vaults.put(host, { ...vault, tags: { a: 'b' } })
    expect(events.list()).toEqual([])
    const accessPolicies = [{ tenantId: vault.tenantId, objectId: 'somebody', permissions: { keys: ['get'] } }]
    vaults.put(host, { ...vault, accessPolicies })
    vaults.put(host, { ...vault, accessPolicies, enableRbacAuthorization: false })
    expect(told()).toEqual([
      ['VaultAccessPolicyChanged', 'skerry', 0],
      ['VaultAccessPolicyChanged', 'skerry', 0],
    ])
    expect(events.list()[0]).toMatchObject({ topic: vault.id, data: { Id: `${VAULT}/`, VaultName: 'skerry' } })
  })

  it('of no change when another vault takes the name of one that was purged, or one is recovered as it was', () => {
    const vaults = world.ctx.store.collection<VaultRecord>(COLLECTIONS.vaults)
    const deleted = world.ctx.store.collection(COLLECTIONS.deletedVaults)
    const { host } = new URL(VAULT)
    const vault = vaults.get(host)!
    world.ctx.store.transaction(() => {
      vaults.delete(host)
      deleted.put(host, { vault })
    })
    world.ctx.store.transaction(() => {
      deleted.delete(host)
      vaults.put(host, vault)
    })
    vaults.delete(host)
    vaults.put(host, { ...vault, enableRbacAuthorization: false })
    expect(events.list()).toEqual([])
    vaults.put(host, vault)
    expect(told()).toEqual([['VaultAccessPolicyChanged', 'skerry', 0]])
  })

  it('of a change of access policies that came just before an end, at the next start', () => {
    events[Symbol.dispose]()
    const vaults = world.ctx.store.collection<VaultRecord>(COLLECTIONS.vaults)
    const { host } = new URL(VAULT)
    vaults.put(host, { ...vaults.get(host)!, enableRbacAuthorization: false })
    expect(events.list()).toEqual([])
    using again = eventsOf({ ...world.ctx })
    expect(again.list()).toHaveLength(1)
  })
})

describe('code in the same process', () => {
  it('reads events one by one: those that were, then those that come, until the end', async () => {
    await create('before')
    const subjects: string[] = []
    const reading = (async () => {
      for await (const event of events) subjects.push(event.subject)
    })()
    await create('after')
    await create('later')
    expect(subjects).toEqual(['before', 'after', 'later'])
    events[Symbol.dispose]()
    await reading
  })

  it('finds the last thousand', () => {
    for (let index = 0; index < 1005; index += 1) {
      events.publish({ type: 'KeyExpired', topic: 't', subject: `${index}`, data: EMPTY })
    }
    expect(events.list()).toHaveLength(1000)
    expect([events.list()[0]!.subject, events.list().at(-1)!.subject]).toEqual(['5', '1004'])
    expect(world.ctx.store.collection('events.log').entries()).toHaveLength(1000)
    expect(world.ctx.store.collection('events.outbox').entries()).toEqual([])
  })

  it('sees no event of what was not kept', () => {
    const { store } = world.ctx
    expect(() =>
      store.transaction(() => {
        events.publish({ type: 'KeyExpired', topic: 't', subject: 'k', data: EMPTY })
        throw new Error('no')
      }),
    ).toThrow('no')
    expect(events.list()).toEqual([])
  })
})

const EMPTY = { Id: '', VaultName: '', ObjectType: '', ObjectName: '', Version: null, NBF: null, EXP: null }

/** Of RFC 7517, appendix A.2. */
const EXAMPLE_EC = {
  kty: 'EC',
  crv: 'P-256',
  x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
  y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
  d: '870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE',
}
