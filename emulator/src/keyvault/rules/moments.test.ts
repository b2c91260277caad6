import { describe, expect, it } from 'vitest'
import type { KeyRecord, KeyVersion, ToldOfExpiry } from '../state.ts'
import { nextMoment } from './moments.ts'
import type { LifetimeAction } from './rotation-policy.ts'

const DAY = 86_400
const CREATED = Date.parse('2026-01-01T00:00:00Z') / 1000
const rotate = (more: object): LifetimeAction => ({ type: 'Rotate', ...more })
const notify = (timeBeforeExpiry: string): LifetimeAction => ({ type: 'Notify', timeBeforeExpiry })

function keyWith(
  actions: readonly LifetimeAction[] | undefined,
  latest: Partial<KeyVersion> = {},
  more: Partial<KeyRecord> = {},
): KeyRecord {
  const version = { version: 'v2', kty: 'EC', keyOps: [], publicJwk: {}, enabled: true, created: CREATED, ...latest }
  return {
    host: 'v.vault.azure.net',
    name: 'k',
    exportable: false,
    versions: [
      { ...version, version: 'v1', created: 0, expires: 1, updated: 0 },
      { ...version, updated: CREATED } as KeyVersion,
    ],
    ...(actions === undefined ? {} : { rotationPolicy: { lifetimeActions: actions, created: 0, updated: 0 } }),
    ...more,
  } as KeyRecord
}

const days = (key: KeyRecord, told?: ToldOfExpiry, where: 'vault' | 'managedHsm' = 'vault', now = CREATED) => {
  const moment = nextMoment(told === undefined ? key : { ...key, told }, where, now)
  return moment && [moment.what, (moment.at - CREATED) / DAY]
}

describe('a rotation is due', () => {
  it('some time after the latest version was created', () => {
    expect(days(keyWith([rotate({ timeAfterCreate: 'P2M' })]))).toEqual(['rotate', 59])
  })

  it('some time before the latest version expires, if it does', () => {
    const actions = [rotate({ timeBeforeExpiry: 'P30D' })]
    expect(days(keyWith(actions, { expires: CREATED + 90 * DAY }), undefined, 'managedHsm')).toEqual(['rotate', 60])
    expect(days(keyWith(actions), undefined, 'managedHsm')).toBeUndefined()
  })

  it.each<[string, KeyRecord]>([
    [
      'is deleted',
      keyWith([rotate({ timeAfterCreate: 'P30D' })], {}, { deleted: { deletedDate: 1, scheduledPurgeDate: 2 } }),
    ],
    ['is disabled', keyWith([rotate({ timeAfterCreate: 'P30D' })], { enabled: false })],
    ['was imported', keyWith([rotate({ timeAfterCreate: 'P30D' })], { imported: true })],
    ['has no policy', keyWith(undefined)],
    ['has a policy that does not rotate', keyWith([notify('P30D')])],
  ])('never for a key that %s', (_what, key) => {
    expect(days(key)).toBeUndefined()
  })
})

describe('a notice of a vault', () => {
  const told = (what: ToldOfExpiry['what']): ToldOfExpiry => ({ version: 'v2', expires: CREATED + 90 * DAY, what })
  const expiring = keyWith(undefined, { expires: CREATED + 90 * DAY })

  it('is due 30 days before the latest version expires, and again when it does', () => {
    expect(days(expiring)).toEqual(['nearExpiry', 60])
    expect(days(expiring, told('nearExpiry'))).toEqual(['expired', 90])
    expect(days(expiring, told('expired'))).toBeUndefined()
  })

  it('is due when the policy says so', () => {
    expect(days(keyWith([notify('P60D')], { expires: CREATED + 90 * DAY }))).toEqual(['nearExpiry', 30])
  })

  it('comes before the rotation that is due at the same time', () => {
    const key = keyWith([rotate({ timeBeforeExpiry: 'P30D' }), notify('P30D')], { expires: CREATED + 90 * DAY })
    expect(days(key)).toEqual(['nearExpiry', 60])
    expect(days(key, told('nearExpiry'))).toEqual(['rotate', 60])
  })

  it('of an expiry that is over says just that', () => {
    expect(days(expiring, undefined, 'vault', CREATED + 91 * DAY)).toEqual(['expired', 90])
  })

  it('is due again for another version, or another expiry of the same', () => {
    expect(days(expiring, { ...told('expired'), version: 'v1' })).toEqual(['nearExpiry', 60])
    expect(days(expiring, { ...told('expired'), expires: 1 })).toEqual(['nearExpiry', 60])
  })

  it('is never one of a managed HSM', () => {
    expect(days(expiring, undefined, 'managedHsm')).toBeUndefined()
  })
})
