import { describe, expect, it } from 'vitest'
import { certificationOf, reportOf, TCB } from '../testing/chip.ts'
import { decodeReport } from '../wire/index.ts'
import { createCertificateCache, mismatch } from './certificates.ts'

const report = decodeReport(reportOf(new Uint8Array(64)))
const certification = certificationOf(TCB)
const DAY = 86_400_000

/** Certificates that last a day, at a time that the test moves. */
function world(initial = certification) {
  const at = { ms: Date.parse('2026-01-01T00:00:00Z') }
  const asked = { count: 0, failing: false }
  const source = {
    name: 'test',
    async fetch() {
      asked.count += 1
      if (asked.failing) throw new Error('out of reach')
      return certificationOf(TCB)
    },
  }
  const cache = createCertificateCache({
    initial,
    source,
    clock: { now: () => at.ms, sleep: async () => undefined },
  })
  return { at, asked, cache }
}

const settled = () => new Promise(setImmediate)

describe('kept certificates', () => {
  it('serve for as long as the service says, and are then renewed while they serve on', async () => {
    const { at, asked, cache } = world()
    at.ms += DAY - 1
    await expect(cache.current()).resolves.toBe(certification)
    expect(asked.count).toBe(0)
    at.ms += 1
    await expect(cache.current()).resolves.toBe(certification)
    await settled()
    await expect(cache.current()).resolves.not.toBe(certification)
    expect(asked.count).toBe(1)
  })

  it('are not waited for from a service that is silent, while they are good', async () => {
    const at = { ms: Date.parse('2026-01-01T00:00:00Z') }
    const silent = { name: 'silent', fetch: () => new Promise<never>(() => undefined) }
    const clock = { now: () => at.ms, sleep: async () => undefined }
    const cache = createCertificateCache({ initial: certification, source: silent, clock })
    at.ms += DAY
    await expect(cache.current()).resolves.toBe(certification)
  })

  it('serve on while they cannot be renewed, and nobody is asked for each use', async () => {
    const { at, asked, cache } = world()
    asked.failing = true
    at.ms += DAY
    await expect(cache.current()).resolves.toBe(certification)
    await expect(cache.current()).resolves.toBe(certification)
    expect(asked.count).toBe(1)
    at.ms += 60_000
    asked.failing = false
    await cache.current()
    await settled()
    await expect(cache.current()).resolves.not.toBe(certification)
  })

  it('are renewed when one of them has expired, whatever the service says', async () => {
    const { at, asked, cache } = world({ ...certification, cacheControl: '' })
    at.ms = Date.parse('2034-12-31T23:59:59Z')
    await cache.current()
    expect(asked.count).toBe(0)
    at.ms = Date.parse('2035-01-01T00:00:01Z')
    await cache.current()
    expect(asked.count).toBe(1)
  })

  it('that have expired when they come are asked for again after a minute, and not with each use', async () => {
    const { at, asked, cache } = world()
    at.ms = Date.parse('2099-01-01T00:00:00Z')
    for (let uses = 0; uses < 3; uses += 1) await cache.current()
    expect(asked.count).toBe(1)
    at.ms += 60_000
    await cache.current()
    expect(asked.count).toBe(2)
  })

  it('are renewed when the clock is put back behind the time they came at', async () => {
    const { at, asked, cache } = world()
    at.ms += 10 * 365 * DAY
    await cache.current()
    at.ms -= 10 * 365 * DAY
    await cache.current()
    await cache.current()
    expect(asked.count).toBe(2)
  })

  it('are asked for once by calls that come together about one TCB', async () => {
    const { asked, cache } = world()
    await Promise.all([cache.refresh(report), cache.refresh(report), cache.refresh()])
    expect(asked.count).toBe(2)
  })
})

describe('a report and certificates', () => {
  it('belong together', () => {
    expect(mismatch(report, certification)).toBeUndefined()
  })

  it('do not when the report is signed with a VLEK and the certificate is of a VCEK', () => {
    expect(mismatch({ ...report, keyInfo: 1 << 2 }, certification)).toContain('signed with the VLEK')
  })

  it('cannot when the report is not signed at all', () => {
    expect(() => mismatch({ ...report, keyInfo: 7 << 2 }, certification)).toThrow('not signed')
  })

  it('cannot when there is no certificate', () => {
    expect(() => mismatch(report, { ...certification, vcekCert: 'x' })).toThrow('cannot be read')
  })
})
