import { encodeUtf8, pemToDer, WireError } from '@skerry/guest/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeQeIdentity, decodeTcbInfo } from './tcb.ts'
import { certificatesOf, createEnclaveWorld, resigned, signBytes, withCertificates } from './test-enclave.ts'

/* Whatever is sent: a decision with its reasons, and never an exception, a hang or an acceptance. */

const { platform, quote, verify, keys } = createEnclaveWorld()
const GOOD = await quote()
const RUNS = { numRuns: 60 }

async function refused(bytes: Uint8Array, options?: Parameters<typeof verify>[1]): Promise<void> {
  const { verified, checks } = await verify({ quote: bytes }, options)
  expect(verified).toBe(false)
  expect(checks.some(({ met }) => !met)).toBe(true)
}

describe('a hostile quote', () => {
  it('of any bytes is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 4096 }), (bytes) => refused(bytes)),
      RUNS,
    )
  })

  it('with any byte of the signed, or of what proves it, turned is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1051), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        const altered = Uint8Array.from(GOOD)
        altered[at] = altered[at]! ^ by
        await refused(altered)
      }),
      { numRuns: 200 },
    )
  })

  it('with any text for certificates is refused', async () => {
    const block = fc
      .uint8Array({ maxLength: 200 })
      .map(
        (bytes) => `-----BEGIN CERTIFICATE-----\n${Buffer.from(bytes).toString('base64')}\n-----END CERTIFICATE-----\n`,
      )
    const text = fc.oneof(
      fc.string(),
      fc.array(block, { minLength: 3, maxLength: 3 }).map((blocks) => blocks.join('')),
    )
    await fc.assert(
      fc.asyncProperty(text, (pem) => refused(withCertificates(GOOD, pem))),
      RUNS,
    )
  })

  it('with any byte of a certificate turned is refused, or has the same certificates', async () => {
    const pem = certificatesOf(GOOD)
    const same = pemToDer(pem)
    await fc.assert(
      fc.asyncProperty(fc.nat(pem.length - 1), fc.integer({ min: 1, max: 127 }), async (at, by) => {
        const code = pem.charCodeAt(at) ^ by
        const altered = pem.slice(0, at) + String.fromCharCode(code) + pem.slice(at + 1)
        const { verified } = await verify({ quote: withCertificates(GOOD, altered) })
        // Blanks in base64, and any text between the blocks, say nothing.
        if (verified) expect(pemToDer(altered)).toEqual(same)
      }),
      { numRuns: 200 },
    )
  })

  it('is as its attestation key signed it: any content signed again is one', async () => {
    const key = await keys.attestation()
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 64, maxLength: 64 }), async (reportData) => {
        const changed = resigned(GOOD, key, (content) => content.set(reportData, 368))
        const { verified, report } = await verify({ quote: changed })
        expect(verified).toBe(true)
        expect(report?.reportData).toEqual(reportData)
      }),
      RUNS,
    )
  })
})

describe('hostile collateral', () => {
  it('of any JSON is refused, though it is signed', async () => {
    const signing = await keys.signing()
    await fc.assert(
      fc.asyncProperty(fc.json(), fc.constantFrom('tcbInfo', 'qeIdentity'), async (text, name) => {
        const signature = signBytes(encodeUtf8(text), signing)
        await refused(GOOD, { collateral: (own) => ({ ...own, [name]: text, [`${name}Signature`]: signature }) })
      }),
      RUNS,
    )
  })

  it('with any member of its documents replaced is read, or refused with the member named', async () => {
    const own = await platform.collateral(10)
    for (const [text, decode] of [
      [own.tcbInfo, decodeTcbInfo],
      [own.qeIdentity, decodeQeIdentity],
    ] as const) {
      const document = JSON.parse(text) as Record<string, unknown>
      fc.assert(
        fc.property(fc.constantFrom(...Object.keys(document)), fc.jsonValue(), (member, value) => {
          try {
            decode(JSON.stringify({ ...document, [member]: value }))
          } catch (error) {
            if (!(error instanceof WireError)) throw error
            expect(error.code).toBe('ERR_SGX_COLLATERAL')
          }
        }),
      )
    }
  })

  it('with any bytes for a list of revoked certificates is refused', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom('rootCaCrl', 'pckCrl'),
        async (bytes, name) => await refused(GOOD, { collateral: (own) => ({ ...own, [name]: bytes }) }),
      ),
      RUNS,
    )
  })
})
