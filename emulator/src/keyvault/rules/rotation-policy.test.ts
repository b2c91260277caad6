import { describe, expect, it } from 'vitest'
import { settleRotationPolicy, type WantedRotationPolicy } from './rotation-policy.ts'

const TIMES = { created: 1, updated: 2 }
const rotate = (more: object) => ({ type: 'rotate', ...more })
const notify = (more: object) => ({ type: 'Notify', ...more })
const onVault = (wanted: Partial<WantedRotationPolicy>) =>
  settleRotationPolicy({ lifetimeActions: [], ...wanted }, 'vault', TIMES)
const onManagedHsm = (wanted: Partial<WantedRotationPolicy>) =>
  settleRotationPolicy({ lifetimeActions: [], ...wanted }, 'managedHsm', TIMES)

describe('a rotation policy of a vault', () => {
  it('always has a notice, after the rotation', () => {
    expect(onVault({ lifetimeActions: [rotate({ timeAfterCreate: 'P2M' })] }).lifetimeActions).toEqual([
      { type: 'Rotate', timeAfterCreate: 'P2M' },
      { type: 'Notify', timeBeforeExpiry: 'P30D' },
    ])
    expect(onVault({}).lifetimeActions).toEqual([{ type: 'Notify', timeBeforeExpiry: 'P30D' }])
  })

  it('keeps the notice it was given, and durations in the form they came in', () => {
    const actions = [notify({ timeBeforeExpiry: 'P8W' }), rotate({ timeAfterCreate: 'P18M' })]
    expect(onVault({ lifetimeActions: actions, expiryTime: 'P2Y' })).toEqual({
      lifetimeActions: [
        { type: 'Rotate', timeAfterCreate: 'P18M' },
        { type: 'Notify', timeBeforeExpiry: 'P8W' },
      ],
      expiryTime: 'P2Y',
      ...TIMES,
    })
  })

  it('takes an empty trigger for none, as a template writes it', () => {
    const action = rotate({ timeAfterCreate: 'P30D', timeBeforeExpiry: '' })
    expect(onVault({ lifetimeActions: [action] }).lifetimeActions[0]).toEqual({
      type: 'Rotate',
      timeAfterCreate: 'P30D',
    })
  })

  it.each<[string, Partial<WantedRotationPolicy>]>([
    ['7 days after creation', { lifetimeActions: [rotate({ timeAfterCreate: 'P7D' })] }],
    ['7 days before expiry', { lifetimeActions: [rotate({ timeBeforeExpiry: 'P7D' })], expiryTime: 'P28D' }],
    [
      '7 days after creation and before expiry',
      { lifetimeActions: [rotate({ timeAfterCreate: 'P21D' })], expiryTime: 'P28D' },
    ],
    [
      '7 days after creation, by the expiry',
      { lifetimeActions: [rotate({ timeBeforeExpiry: 'P21D' })], expiryTime: 'P28D' },
    ],
    ['an expiry after 28 days', { expiryTime: 'P28D' }],
  ])('may go as low as %s', (_what, wanted) => {
    expect(onVault(wanted).lifetimeActions.length).toBeGreaterThan(0)
  })

  it.each<[string, Partial<WantedRotationPolicy>]>([
    ['timeAfterCreate has invalid value: at least 7 days', { lifetimeActions: [rotate({ timeAfterCreate: 'P6D' })] }],
    [
      'timeBeforeExpiry has invalid value: at least 7 days',
      { lifetimeActions: [rotate({ timeBeforeExpiry: 'P6D' })], expiryTime: 'P90D' },
    ],
    [
      'timeAfterCreate has invalid value: at least 7 days before attributes.expiryTime',
      { lifetimeActions: [rotate({ timeAfterCreate: 'P84D' })], expiryTime: 'P90D' },
    ],
    [
      'timeBeforeExpiry has invalid value: at least 7 days after creation',
      { lifetimeActions: [rotate({ timeBeforeExpiry: 'P84D' })], expiryTime: 'P90D' },
    ],
    ['attributes.expiryTime has invalid value: at least 28 days', { expiryTime: 'P27D' }],
    ['attributes.expiryTime is not an ISO 8601 duration', { expiryTime: 'ninety days' }],
    ['attributes.expiryTime is required', { lifetimeActions: [rotate({ timeBeforeExpiry: 'P30D' })] }],
    ['exactly one of', { lifetimeActions: [rotate({})] }],
    ['exactly one of', { lifetimeActions: [rotate({ timeAfterCreate: 'P30D', timeBeforeExpiry: 'P30D' })] }],
    ['timeAfterCreate is for rotation only', { lifetimeActions: [notify({ timeAfterCreate: 'P30D' })] }],
    [
      'more than one Rotate',
      { lifetimeActions: [rotate({ timeAfterCreate: 'P30D' }), rotate({ timeAfterCreate: 'P60D' })] },
    ],
    [
      'more than one Notify',
      { lifetimeActions: [notify({ timeBeforeExpiry: 'P30D' }), notify({ timeBeforeExpiry: 'P60D' })] },
    ],
    [
      'lifetimeActions[0].trigger.timeAfterCreate is not',
      { lifetimeActions: [rotate({ timeAfterCreate: '30 days' })] },
    ],
    ['lifetimeActions[0].action.type', { lifetimeActions: [{ type: 'delete', timeAfterCreate: 'P30D' }] }],
  ])('is refused: %s', (message, wanted) => {
    expect(() => onVault(wanted)).toThrow(expect.objectContaining({ status: 400, code: 'BadParameter' }))
    expect(() => onVault(wanted)).toThrow(message)
  })
})

describe('a rotation policy of a managed HSM', () => {
  it('has what it was given and nothing beside', () => {
    expect(onManagedHsm({ expiryTime: 'P30D' })).toEqual({ lifetimeActions: [], expiryTime: 'P30D', ...TIMES })
    const actions = [rotate({ timeBeforeExpiry: 'P30D' })]
    expect(onManagedHsm({ lifetimeActions: actions, expiryTime: 'P90D' }).lifetimeActions).toEqual([
      { type: 'Rotate', timeBeforeExpiry: 'P30D' },
    ])
  })

  it('never lets 28 days pass below which it would rotate again', () => {
    const before = (timeBeforeExpiry: string) => () =>
      onManagedHsm({ lifetimeActions: [rotate({ timeBeforeExpiry })], expiryTime: 'P56D' })
    expect(before('P28D')().expiryTime).toBe('P56D')
    expect(before('P29D')).toThrow('timeBeforeExpiry has invalid value: at least 28 days after creation')
    const after = (timeAfterCreate: string) => () => onManagedHsm({ lifetimeActions: [rotate({ timeAfterCreate })] })
    expect(after('P28D')().lifetimeActions).toHaveLength(1)
    expect(after('P27D')).toThrow('timeAfterCreate has invalid value: at least 28 days after creation')
  })

  it('never has a notice', () => {
    const actions = [notify({ timeBeforeExpiry: 'P30D' })]
    expect(() => onManagedHsm({ lifetimeActions: actions })).toThrow('does not notify')
  })
})
