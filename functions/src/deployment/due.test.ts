import { expect, it } from 'vitest'
import { isDue } from './due.ts'
import type { DeploymentRecord } from './record.ts'

it('a key is due when its version is as old as allowed, and only while its group runs', () => {
  const record = { phase: 'Running', keyVersionSince: '2026-01-01T00:00:00Z' } as DeploymentRecord
  const day = 86_400_000
  const since = Date.parse('2026-01-01T00:00:00Z')
  expect(isDue(record, since + 90 * day, 90)).toBe(true)
  expect(isDue(record, since + 90 * day - 1, 90)).toBe(false)
  expect(isDue({ ...record, phase: 'Rotating' }, since + 900 * day, 90)).toBe(false)
})
