import { expect, it } from 'vitest'
import { nameBasedUuid } from '../azure/operation-id.ts'
import type { DeploymentRecord } from '../deployment/record.ts'
import { reasonOf } from '../orchestrators/story.ts'
import { isDue } from '../timers/rotation.ts'
import { deepestMessage } from './group.ts'
import { sightingOf } from './proof.ts'

const DIGEST = 'ab'.repeat(32)

it('a log that holds the digest proves the release, whatever it said before', () => {
  expect(sightingOf(`release refused status=403\nproof kid=k sha256=${DIGEST}\n`, DIGEST)).toEqual({ proven: true })
})

it('a log with another digest proves nothing', () => {
  expect(sightingOf(`proof kid=k sha256=${'cd'.repeat(32)}\n`, DIGEST)).toEqual({ proven: false })
})

it('a log without the digest tells the last refusal in its own words', () => {
  const log = 'release refused status=401 error=first\n2026 release refused status=403 error=second\n'
  expect(sightingOf(log, DIGEST)).toEqual({ proven: false, refusal: 'release refused status=403 error=second' })
})

it('the innermost of nested ARM errors is what a person reads, also where it is JSON in a message', () => {
  const inner = JSON.stringify({
    status: 'Failed',
    error: { code: 'ResourceDeploymentFailure', details: [{ code: 'X', message: 'the cause' }] },
  })
  expect(
    deepestMessage({
      code: 'DeploymentFailed',
      message: 'see details',
      details: [{ code: 'Conflict', message: inner }],
    }),
  ).toBe('X: the cause')
})

it('the reason of a failed activity comes without the wrapping and without the stack', () => {
  expect(reasonOf(new Error("Activity function 'ensureKey' failed:  no connection \n at somewhere"))).toBe(
    'no connection',
  )
})

it('the same parts name the same role assignment, other parts another', () => {
  expect(nameBasedUuid('a', 'b')).toBe(nameBasedUuid('a', 'b'))
  expect(nameBasedUuid('a', 'b')).not.toBe(nameBasedUuid('ab', ''))
  expect(nameBasedUuid('a')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})

it('a key is due when its version is as old as allowed, and only while its group runs', () => {
  const record = { phase: 'Running', keyVersionSince: '2026-01-01T00:00:00Z' } as DeploymentRecord
  const day = 86_400_000
  const since = Date.parse('2026-01-01T00:00:00Z')
  expect(isDue(record, since + 90 * day, 90)).toBe(true)
  expect(isDue(record, since + 90 * day - 1, 90)).toBe(false)
  expect(isDue({ ...record, phase: 'Rotating' }, since + 900 * day, 90)).toBe(false)
})
