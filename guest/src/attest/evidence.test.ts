import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { CHIP_ID, certificationOf, deviceWith, NEWER_TCB, TCB } from '../testing/chip.ts'
import type { ThimCertification } from '../wire/index.ts'
import { createCertificateCache } from './certificates.ts'
import { type AttestationContext, collectEvidence } from './evidence.ts'

const runtimeData = Buffer.from('{"keys":[]}')

/** Certificates as the host would give them, one answer after the other. */
function certificates(initial: ThimCertification | undefined, ...answers: ThimCertification[]) {
  let asked = 0
  const fetch = async () => Response.json(answers[Math.min(asked++, answers.length - 1)])
  return { cache: createCertificateCache({ fetch, ...(initial && { initial }) }), asked: () => asked }
}

const contextOf = (
  device: ReturnType<typeof deviceWith>,
  cache: AttestationContext['certificates'],
): AttestationContext => ({
  device: async () => device,
  certificates: cache,
  uvmEndorsements: [],
})

describe('evidence', () => {
  it('is a report over the SHA-256 of the runtime data with zeros behind it', async () => {
    const device = deviceWith(TCB)
    const { cache, asked } = certificates(certificationOf(TCB))
    const evidence = await collectEvidence(contextOf(device, cache), { runtimeData })
    const digest = createHash('sha256').update(runtimeData).digest()
    expect(Buffer.from(evidence.decoded.reportData)).toEqual(Buffer.concat([digest, Buffer.alloc(32)]))
    expect(evidence.report).toHaveLength(1184)
    expect(evidence.certificateChainPem.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
    expect(asked()).toBe(0)
  })

  it('is of a firmware newer than this, too: who judges it may know it', async () => {
    const device = deviceWith(TCB)
    const newer: typeof device = {
      ...device,
      getReport: async (data) => {
        const report = await device.getReport(data)
        report[0] = 6
        report[0x290] = 1
        return report
      },
    }
    const { cache } = certificates(certificationOf(TCB))
    const { decoded } = await collectEvidence(contextOf(newer, cache), { runtimeData })
    expect(decoded).toMatchObject({ version: 6, cpuidFamily: 0x19 })
  })

  it('asks the host for certificates when the security context brought none', async () => {
    const { cache, asked } = certificates(undefined, certificationOf(TCB))
    await collectEvidence(contextOf(deviceWith(TCB), cache), { runtimeData })
    await collectEvidence(contextOf(deviceWith(TCB), cache), { runtimeData })
    expect(asked()).toBe(1)
  })

  it('refreshes certificates that are older than the firmware, once and for all later calls', async () => {
    const device = deviceWith(NEWER_TCB)
    const { cache, asked } = certificates(certificationOf(TCB), certificationOf(NEWER_TCB))
    const first = await collectEvidence(contextOf(device, cache), { runtimeData })
    await collectEvidence(contextOf(device, cache), { runtimeData })
    expect(first.certification.tcbm).toBe('DC18000000000004')
    expect(asked()).toBe(1)
    expect(device.asked).toHaveLength(2)
  })

  it('asks for certificates in the place of those that cannot be read, and is given up when they stay so', async () => {
    const garbled = {
      ...certificationOf(TCB),
      vcekCert: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    }
    const good = certificationOf(TCB)
    const { cache, asked } = certificates(garbled, good)
    const evidence = await collectEvidence(contextOf(deviceWith(TCB), cache), { runtimeData })
    expect(evidence.certification).toEqual(good)
    expect(asked()).toBe(1)
    const always = certificates(garbled, garbled)
    await expect(collectEvidence(contextOf(deviceWith(TCB), always.cache), { runtimeData })).rejects.toMatchObject({
      code: 'ERR_CERTIFICATES',
      message: expect.stringContaining('cannot be read'),
    })
    expect(always.asked()).toBe(2)
  })

  it('asks for a new report when fresh certificates are newer than the first one', async () => {
    const device = deviceWith(TCB, NEWER_TCB)
    const { cache } = certificates(certificationOf(NEWER_TCB), certificationOf(NEWER_TCB))
    await expect(collectEvidence(contextOf(device, cache), { runtimeData })).resolves.toBeDefined()
    expect(device.asked).toHaveLength(2)
  })

  it('is given up after one refresh and one new report', async () => {
    const device = deviceWith(NEWER_TCB)
    const { cache, asked } = certificates(certificationOf(TCB), certificationOf(TCB))
    await expect(collectEvidence(contextOf(device, cache), { runtimeData })).rejects.toMatchObject({
      code: 'ERR_TCB_MISMATCH',
      message: expect.stringContaining('DC18000000000004'),
    })
    expect(device.asked).toHaveLength(2)
    expect(asked()).toBe(2)
  })

  it('believes the VCEK rather than what is said about it', async () => {
    const lying = certificationOf(NEWER_TCB, TCB)
    const { cache } = certificates(lying, lying)
    await expect(collectEvidence(contextOf(deviceWith(NEWER_TCB), cache), { runtimeData })).rejects.toMatchObject({
      code: 'ERR_TCB_MISMATCH',
      message: expect.stringContaining('VCEK certificate is for DB18000000000004'),
    })
  })

  it('does not take the VCEK of another chip', async () => {
    const other = certificationOf(
      TCB,
      TCB,
      CHIP_ID.map((byte) => byte ^ 1),
    )
    const { cache } = certificates(other, other)
    await expect(collectEvidence(contextOf(deviceWith(TCB), cache), { runtimeData })).rejects.toMatchObject({
      code: 'ERR_TCB_MISMATCH',
      message: expect.stringContaining('chip'),
    })
  })

  it('is shared while certificates are on their way', async () => {
    const { cache, asked } = certificates(undefined, certificationOf(TCB))
    await Promise.all([cache.current(), cache.current(), cache.refresh()])
    expect(asked()).toBe(1)
  })
})
