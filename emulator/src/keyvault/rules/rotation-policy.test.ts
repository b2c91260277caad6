import { describe, expect, it } from 'vitest'
import { addDuration, settleRotationPolicy } from './rotation-policy.ts'

const TIMES = { created: 1, updated: 2 }
const rotate = (more: object) => ({ type: 'rotate', ...more })

describe('a rotation policy', () => {
  it('of a vault always has a notice, after the rotation', () => {
    const settled = settleRotationPolicy({ lifetimeActions: [rotate({ timeAfterCreate: 'P2M' })] }, 'vault', TIMES)
    expect(settled.lifetimeActions).toEqual([
      { type: 'Rotate', timeAfterCreate: 'P2M' },
      { type: 'Notify', timeBeforeExpiry: 'P30D' },
    ])
  })

  it('of a managed HSM never has one', () => {
    const wanted = { lifetimeActions: [{ type: 'Notify', timeBeforeExpiry: 'P30D' }] }
    expect(() => settleRotationPolicy(wanted, 'managedHsm', TIMES)).toThrow('does not notify')
  })

  it.each([
    ['exactly one of', { lifetimeActions: [rotate({})] }],
    ['exactly one of', { lifetimeActions: [rotate({ timeAfterCreate: 'P30D', timeBeforeExpiry: 'P30D' })] }],
    [
      'more than one Rotate',
      { lifetimeActions: [rotate({ timeAfterCreate: 'P30D' }), rotate({ timeAfterCreate: 'P60D' })] },
    ],
    ['ISO 8601', { lifetimeActions: [rotate({ timeAfterCreate: '30 days' })] }],
    ['expiryTime is required', { lifetimeActions: [rotate({ timeBeforeExpiry: 'P30D' })] }],
    ['at least 28 days', { lifetimeActions: [], expiryTime: 'P27D' }],
    ['action.type', { lifetimeActions: [{ type: 'delete', timeAfterCreate: 'P30D' }] }],
  ])('is refused: %s', (message, wanted) => {
    expect(() => settleRotationPolicy(wanted, 'vault', TIMES)).toThrow(message)
  })
})

it('a duration of days is exact, and one of months goes by the calendar', () => {
  expect(addDuration(1_656_356_491, 'P90D')).toBe(1_664_132_491)
  expect(new Date(addDuration(Date.parse('2026-01-15T00:00:00Z') / 1000, 'P1Y1M') * 1000).toISOString()).toBe(
    '2027-02-15T00:00:00.000Z',
  )
})
