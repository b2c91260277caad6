import { expect, it } from 'vitest'
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
