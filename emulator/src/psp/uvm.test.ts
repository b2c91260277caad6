import { constants, createHash, verify, X509Certificate } from 'node:crypto'
import { decodeUvmEndorsement, matchDidX509 } from '@skerry/guest/wire'
import { decode, encode, Tagged } from 'cborg'
import { beforeAll, describe, expect, it } from 'vitest'
import { createTestContext } from '../core/test-context.ts'
import { createProcessor } from './index.ts'

const world = createTestContext()
const { uvm } = createProcessor(world.ctx)

let cose: Uint8Array
beforeAll(async () => {
  cose = await uvm.endorsement()
})

/** With a CBOR codec and Node alone, as a stranger would. */
function verifiesIndependently(bytes: Uint8Array): boolean {
  const tagged = decode(bytes, { useMaps: true, tags: Tagged.preserve(18, 1) }) as Tagged
  const [protectedBytes, , payload, signature] = tagged.value as Uint8Array[]
  const headers = decode(protectedBytes!, { useMaps: true, tags: Tagged.preserve(1) }) as Map<unknown, Uint8Array[]>
  const leaf = new X509Certificate(headers.get(33)![0]!)
  const signed = encode(['Signature1', protectedBytes, new Uint8Array(0), payload])
  const key = { key: leaf.publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }
  return verify('sha384', signed, key, signature!)
}

describe('the endorsement of the utility VM', () => {
  it('is a tagged COSE_Sign1 with PS384 whose signature verifies', () => {
    expect(cose[0]).toBe(0xd2)
    expect(decodeUvmEndorsement(cose).alg).toBe(-38)
    expect(verifiesIndependently(cose)).toBe(true)
  })

  it('stops verifying when a byte of the payload changes', () => {
    const changed = cose.slice()
    const { payload } = decodeUvmEndorsement(cose)
    const at = Buffer.from(cose).indexOf(payload)
    changed[at + payload.length - 4]! ^= 1
    expect(verifiesIndependently(changed)).toBe(false)
  })

  it('endorses the measurement that every guest of this host is launched with', () => {
    const { launchMeasurement, feed, svn, payloadJson } = decodeUvmEndorsement(cose)
    expect(launchMeasurement).toEqual(uvm.launchMeasurement)
    expect(feed).toBe('ContainerPlat-AMD-UVM')
    expect(svn).toBe('104')
    expect(payloadJson).toMatchObject({ 'x-ms-sevsnpvm-guestsvn': '104', 'x-ms-sevsnpvm-guestsvn-int': 104 })
  })

  it('is of an issuer whose DID its own chain fulfils', async () => {
    const { issuer, x5chain } = decodeUvmEndorsement(cose)
    expect(issuer).toBe(await uvm.issuer())
    await expect(matchDidX509(issuer, x5chain)).resolves.toBeUndefined()
  })

  it('is not of the issuer that endorses images of Azure', async () => {
    expect(await uvm.issuer()).not.toContain('1.3.6.1.4.1.311.')
  })

  it('carries a chain of three in which each certificate is issued by the next', () => {
    const chain = decodeUvmEndorsement(cose).x5chain.map((der) => new X509Certificate(der))
    expect(chain).toHaveLength(3)
    const [leaf, issuing, root] = chain as [X509Certificate, X509Certificate, X509Certificate]
    for (const [child, parent] of [
      [leaf, issuing],
      [issuing, root],
      [root, root],
    ] as const) {
      expect(child.checkIssued(parent)).toBe(true)
      expect(child.verify(parent.publicKey)).toBe(true)
    }
    expect([leaf.ca, issuing.ca, root.ca]).toEqual([false, true, true])
    expect(leaf.publicKey.asymmetricKeyDetails?.modulusLength).toBe(3072)
  })

  it('names the leaf by its SHA-256', () => {
    const { protectedBytes, x5chain } = decodeUvmEndorsement(cose)
    const headers = decode(protectedBytes, { useMaps: true, tags: Tagged.preserve(1) }) as Map<unknown, unknown>
    expect(headers.get(34)).toEqual([-16, new Uint8Array(createHash('sha256').update(x5chain[0]!).digest())])
  })

  it('was signed while its certificates were valid', () => {
    const { signedAt, x5chain } = decodeUvmEndorsement(cose)
    for (const certificate of x5chain.map((der) => new X509Certificate(der))) {
      expect(certificate.validFromDate.getTime() / 1000).toBeLessThan(signedAt!)
      expect(certificate.validToDate.getTime() / 1000).toBeGreaterThan(signedAt!)
    }
  })

  it('comes in the hash-envelope form as well, with the same statement', async () => {
    const envelope = await uvm.transparentEndorsement()
    const { launchMeasurement, feed, issuer } = decodeUvmEndorsement(cose)
    expect(decodeUvmEndorsement(envelope)).toMatchObject({
      form: 'hashEnvelope',
      svn: 104,
      launchMeasurement,
      feed,
      issuer,
      payload: uvm.launchMeasurement,
    })
    expect(verifiesIndependently(envelope)).toBe(true)
  })
})
