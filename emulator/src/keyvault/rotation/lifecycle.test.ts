import { beforeEach, describe, expect, it } from 'vitest'
import { COLLECTIONS, type VaultRecord } from '../../core/index.ts'
import { createKeyState, type KeyRecord } from '../state.ts'
import { createVaultWorld, MANAGED_HSM, VAULT, type VaultWorld } from '../test-vaults.ts'
import { createKeyLifecycle } from './lifecycle.ts'

const DAY = 86_400_000
const EVERY_30_DAYS = { lifetimeActions: [{ trigger: { timeAfterCreate: 'P30D' }, action: { type: 'Rotate' } }] }
const BEFORE_EXPIRY = {
  lifetimeActions: [{ trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'Rotate' } }],
  attributes: { expiryTime: 'P90D' },
}

let world: VaultWorld
let start: number
beforeEach(() => {
  world = createVaultWorld()
  start = world.clock.now()
})

const rotatedEvery = async (body: object, policy: object, url = VAULT) => {
  const created = await world.call('POST', `${url}/keys/k/create`, body)
  expect(created.status).toBe(200)
  expect((await world.call('PUT', `${url}/keys/k/rotationpolicy`, policy)).status).toBe(200)
  return created.json
}
const record = (url = VAULT, name = 'k') =>
  createKeyState(world.ctx.store, world.clock).find(new URL(url).host, name) as KeyRecord
/** Days after the start at which the versions were made. */
const made = (key = record()) => key.versions.map(({ created }) => (created * 1000 - start) / DAY)
const rotations = () => world.ctx.journal.records().filter(({ operation }) => operation === 'KeyRotateIfDue')

describe('a key with a rotation policy', () => {
  it('gets a new version each time one is due, at that time, however far the clock is moved', async () => {
    await rotatedEvery({ kty: 'EC' }, EVERY_30_DAYS)
    await world.clock.advance(100 * DAY)
    expect(made()).toEqual([0, 30, 60, 90])
    expect(rotations().map(({ time }) => (Date.parse(time) - start) / DAY)).toEqual([30, 60, 90])
  })

  it('is rotated some time before it expires, and the new version expires as the policy says', async () => {
    await rotatedEvery({ kty: 'EC', attributes: { exp: start / 1000 + 40 * 86_400 } }, BEFORE_EXPIRY)
    await world.clock.advance(75 * DAY)
    expect(made()).toEqual([0, 10, 70])
    expect(record().versions.map(({ expires }) => (expires! * 1000 - start) / DAY)).toEqual([40, 100, 160])
  })

  it('that never expires is not rotated before it does', async () => {
    await rotatedEvery({ kty: 'EC' }, BEFORE_EXPIRY)
    await world.clock.advance(365 * DAY)
    expect(made()).toEqual([0])
  })

  it.each([
    [VAULT, { kty: 'RSA', key_size: 3072, key_ops: ['sign'], tags: { a: 'b' } }],
    [VAULT, { kty: 'EC-HSM', crv: 'P-384' }],
    [MANAGED_HSM, { kty: 'oct-HSM', key_size: 192 }],
    [MANAGED_HSM, { kty: 'RSA-HSM', public_exponent: 3 }],
  ])('of %s keeps type, size, curve, exponent, operations and tags: %j', async (url, body) => {
    const before = await rotatedEvery(body, EVERY_30_DAYS, url)
    await world.clock.advance(30 * DAY)
    const after = (await world.call('GET', `${url}/keys/k`)).json
    const facts = ({ key, attributes, tags }: typeof after) => [
      key.kty,
      key.crv,
      key.e,
      key.n?.length,
      [...key.key_ops].sort(),
      attributes.key_size,
      tags,
    ]
    expect(facts(after)).toEqual(facts(before))
    expect(after.key.kid).not.toBe(before.key.kid)
  })

  it('is not rotated while it is disabled, and at once when it is enabled again', async () => {
    await rotatedEvery({ kty: 'EC', attributes: { enabled: false } }, EVERY_30_DAYS)
    await world.clock.advance(45 * DAY)
    expect(made()).toEqual([0])
    await world.call('PATCH', `${VAULT}/keys/k`, { attributes: { enabled: true } })
    await world.clock.advance(0)
    expect(made()).toEqual([0, 45])
  })

  it('is not rotated while it is deleted, and at once when it is recovered', async () => {
    await rotatedEvery({ kty: 'EC' }, EVERY_30_DAYS)
    await world.clock.advance(28 * DAY)
    await world.call('DELETE', `${VAULT}/keys/k`)
    await world.clock.advance(4 * DAY)
    expect(made()).toEqual([0])
    await world.call('POST', `${VAULT}/deletedkeys/k/recover`)
    await world.clock.advance(0)
    expect(made()).toEqual([0, 32])
  })

  it('is not rotated before its recovery is over, where that takes its time', async () => {
    world = createVaultWorld({ faults: { tamper: 'none', keyVault: { recoveryDelayMs: DAY } } })
    await rotatedEvery({ kty: 'EC' }, EVERY_30_DAYS)
    await world.clock.advance(28 * DAY)
    await world.call('DELETE', `${VAULT}/keys/k`)
    await world.clock.advance(4 * DAY)
    await world.call('POST', `${VAULT}/deletedkeys/k/recover`)
    await world.clock.advance(10 * DAY)
    expect(made()).toEqual([0, 33])
  })

  it('is not rotated once it was purged, nor is another one of its name', async () => {
    await rotatedEvery({ kty: 'EC' }, EVERY_30_DAYS)
    await world.call('DELETE', `${VAULT}/keys/k`)
    await world.call('DELETE', `${VAULT}/deletedkeys/k`)
    await world.call('POST', `${VAULT}/keys/k/create`, { kty: 'EC' })
    await world.clock.advance(100 * DAY)
    expect(made()).toEqual([0])
  })

  it('comes back from a backup with its policy, and is rotated by it', async () => {
    await rotatedEvery({ kty: 'EC' }, EVERY_30_DAYS)
    const blob = (await world.call('POST', `${VAULT}/keys/k/backup`)).json
    await world.call('DELETE', `${VAULT}/keys/k`)
    await world.call('DELETE', `${VAULT}/deletedkeys/k`)
    await world.clock.advance(10 * DAY)
    await world.call('POST', `${VAULT}/keys/restore`, blob)
    await world.clock.advance(25 * DAY)
    expect(made()).toEqual([0, 30])
  })

  it('that was imported stays as it is, until a version was made here', async () => {
    const jwk = { kty: 'EC', crv: 'P-256', ...EXAMPLE_EC }
    expect((await world.call('PUT', `${VAULT}/keys/k`, { key: jwk })).status).toBe(200)
    await world.call('PUT', `${VAULT}/keys/k/rotationpolicy`, EVERY_30_DAYS)
    await world.clock.advance(50 * DAY)
    expect(made()).toEqual([0])
    expect((await world.call('POST', `${VAULT}/keys/k/rotate`)).status).toBe(200)
    await world.clock.advance(30 * DAY)
    expect(made()).toEqual([0, 50, 80])
  })

  it('that is rotated on demand is due again from then on', async () => {
    await rotatedEvery({ kty: 'EC' }, EVERY_30_DAYS)
    await world.clock.advance(20 * DAY)
    await world.call('POST', `${VAULT}/keys/k/rotate`)
    await world.clock.advance(25 * DAY)
    expect(made()).toEqual([0, 20])
    await world.clock.advance(5 * DAY)
    expect(made()).toEqual([0, 20, 50])
  })

  it('follows another policy as soon as it has one, and none when there is none', async () => {
    await rotatedEvery({ kty: 'EC' }, EVERY_30_DAYS)
    await world.clock.advance(10 * DAY)
    const weekly = { lifetimeActions: [{ trigger: { timeAfterCreate: 'P7D' }, action: { type: 'rotate' } }] }
    await world.call('PUT', `${VAULT}/keys/k/rotationpolicy`, weekly)
    await world.clock.advance(8 * DAY)
    expect(made()).toEqual([0, 10, 17])
    await world.call('PUT', `${VAULT}/keys/k/rotationpolicy`, { lifetimeActions: [], attributes: {} })
    await world.clock.advance(100 * DAY)
    expect(made()).toEqual([0, 10, 17])
  })

  it('that cannot be rotated is tried again a day later, and the journal says why', async () => {
    await rotatedEvery({ kty: 'EC-HSM' }, EVERY_30_DAYS)
    const vaults = world.ctx.store.collection<VaultRecord>(COLLECTIONS.vaults)
    const premium = vaults.get(new URL(VAULT).host)!
    vaults.put(premium.host, { ...premium, sku: 'standard' })
    await world.clock.advance(30 * DAY)
    expect(made()).toEqual([0])
    expect(rotations()).toEqual([expect.objectContaining({ outcome: 'failed', subject: `${VAULT}/keys/k` })])
    expect(rotations()[0]!.summary).toContain('Hardware key operation not allowed on standard vault')
    vaults.put(premium.host, premium)
    await world.clock.advance(DAY)
    expect(made()).toEqual([0, 31])
  })

  it('is released under the same policy after its rotation, in its new version', async () => {
    const policy = {
      version: '1.0.0',
      anyOf: [
        {
          authority: 'https://skerry.weu.attest.azure.net',
          allOf: [{ claim: 'x-ms-attestation-type', equals: 'sevsnpvm' }],
        },
      ],
    }
    const data = Buffer.from(JSON.stringify(policy)).toString('base64url')
    const before = await rotatedEvery(
      { kty: 'EC-HSM', attributes: { exportable: true }, release_policy: { data, immutable: true } },
      EVERY_30_DAYS,
    )
    await world.clock.advance(30 * DAY)
    const after = (await world.call('GET', `${VAULT}/keys/k`)).json
    expect(after.attributes.exportable).toBe(true)
    expect(after.release_policy).toEqual(before.release_policy)
    const released = await world.call('POST', `${VAULT}/keys/k/release`, { target: await world.issuer.sign() })
    expect(released.status).toBe(200)
    const [, payload = ''] = released.json.value.split('.')
    const { response } = JSON.parse(Buffer.from(payload, 'base64url').toString())
    expect(response.key.key.kid).toBe(after.key.kid)
    const wrong = await world.issuer.sign({ 'x-ms-attestation-type': 'sgx' })
    expect((await world.call('POST', `${VAULT}/keys/k/release`, { target: wrong })).status).toBe(403)
  })
})

describe('what was due while no emulator ran', () => {
  /** As a new process would have it, over the same store. */
  const startAgain = () => createKeyLifecycle(world.ctx, createKeyState(world.ctx.store, world.clock), () => {})

  it('happens once at the next start, and the next rotation is due from then on', async () => {
    await rotatedEvery({ kty: 'EC' }, EVERY_30_DAYS)
    world.vaults[Symbol.dispose]()
    await world.clock.advance(100 * DAY)
    expect(made()).toEqual([0])
    using _again = startAgain()
    await world.clock.advance(0)
    expect(made()).toEqual([0, 100])
    await world.clock.advance(30 * DAY)
    expect(made()).toEqual([0, 100, 130])
  })

  it('is not lost when it ends in the middle of a rotation, which leaves nothing half made', async () => {
    await rotatedEvery({ kty: 'EC' }, EVERY_30_DAYS)
    const moving = world.clock.advance(30 * DAY)
    await new Promise((resolve) => setImmediate(resolve))
    world.vaults[Symbol.dispose]()
    await moving
    const versions = made().length
    expect(world.ctx.store.collection('keyvault.material').entries()).toHaveLength(versions)
    using _again = startAgain()
    await world.clock.advance(0)
    expect(made()).toEqual([0, 30])
    expect(rotations().every(({ outcome }) => outcome === 'done')).toBe(true)
  })

  it('concerns a vault that comes back, too', async () => {
    await rotatedEvery({ kty: 'EC' }, EVERY_30_DAYS)
    const vaults = world.ctx.store.collection<VaultRecord>(COLLECTIONS.vaults)
    const vault = vaults.get(new URL(VAULT).host)!
    vaults.delete(vault.host)
    await world.clock.advance(40 * DAY)
    expect(made()).toEqual([0])
    vaults.put(vault.host, vault)
    await world.clock.advance(0)
    expect(made()).toEqual([0, 40])
  })
})

it.each<[string, (key: KeyRecord) => KeyRecord]>([
  ['deleted', (key) => ({ ...key, deleted: { deletedDate: 1, scheduledPurgeDate: 2 ** 40 } })],
  ['disabled', (key) => ({ ...key, versions: key.versions.map((version) => ({ ...version, enabled: false })) })],
  ['freed of its policy', ({ rotationPolicy: _, ...key }) => key],
])('a key that is %s while its next version is made does not get it', async (_what, change) => {
  await rotatedEvery({ kty: 'EC' }, EVERY_30_DAYS)
  world.vaults[Symbol.dispose]()
  const state = createKeyState(world.ctx.store, world.clock)
  // The name of the version is drawn when the key is made and not yet in its place.
  const random: typeof world.ctx.random = {
    ...world.ctx.random,
    uuid() {
      state.put(change(record()))
      return world.ctx.random.uuid()
    },
  }
  using _lifecycle = createKeyLifecycle({ ...world.ctx, random }, state, () => {})
  await world.clock.advance(31 * DAY)
  expect(made()).toEqual([0])
  expect(rotations()).toEqual([])
})

it('ten thousand keys with policies wait on one alarm', async () => {
  await rotatedEvery({ kty: 'EC' }, EVERY_30_DAYS)
  world.vaults[Symbol.dispose]()
  const key = record()
  const keys = world.ctx.store.collection<KeyRecord>('keyvault.keys')
  world.ctx.store.transaction(() => {
    for (let index = 0; index < 10_000; index += 1) {
      const [latest] = key.versions
      const name = `many-${index}`
      keys.put(`${key.host}/${name}`, {
        ...key,
        name,
        versions: [{ ...latest!, created: latest!.created + 86_400 + index }],
      })
    }
  })
  const set = new Set<object>()
  const clock: typeof world.clock = {
    ...world.clock,
    at(atMs, fire) {
      const alarm = world.clock.at(atMs, () => {
        set.delete(alarm)
        return fire()
      })
      const dispose = alarm[Symbol.dispose].bind(alarm)
      set.add(alarm)
      alarm[Symbol.dispose] = () => {
        set.delete(alarm)
        dispose()
      }
      return alarm
    },
  }
  const ctx = { ...world.ctx, clock }
  using _lifecycle = createKeyLifecycle(ctx, createKeyState(ctx.store, clock), () => {})
  await world.clock.advance(29 * DAY)
  expect(set.size).toBe(1)
  await world.clock.advance(DAY)
  expect(made()).toEqual([0, 30])
  await world.clock.advance(DAY + 10_000)
  expect(rotations()).toHaveLength(12)
  expect(set.size).toBe(1)
})

/** Of RFC 7517, appendix A.2. */
const EXAMPLE_EC = {
  x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
  y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
  d: '870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE',
}
