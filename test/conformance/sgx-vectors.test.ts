import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { decodeOeReport, decodeSgxQuote, encodeHex, SGX_FLAG_DEBUG } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { createQuoteVerifier, intelSgxRoot } from '../../emulator/src/maa/sgx/index.ts'

/*
 * Real quotes of Intel's processors in Azure, from Microsoft's samples. They lie beside the repository, if at all. Intel's
 * collateral of their time does not, so TCB and revocation are not evaluated.
 */
const VECTORS = new URL('../../../shared/vectors/snp/15-sgx/', import.meta.url)
const present = existsSync(VECTORS)
if (!present) console.log('skipped: the SGX vectors are not beside this checkout (../shared/vectors/snp/15-sgx)')

interface Expected {
  readonly mrenclave: string
  readonly mrsigner: string
  readonly isvprodid: number
  readonly isvsvn: number
  readonly debug: boolean
  readonly reportdata: string
}

const bytesOf = (name: string) => new Uint8Array(readFileSync(new URL(name, VECTORS)))
const verifier = createQuoteVerifier(async () => ({ roots: [intelSgxRoot()] }))

/** While the certificates of both are valid. */
const AT = Date.parse('2024-01-01T00:00:00Z')

describe.skipIf(!present)('real quotes', () => {
  const cases = [
    ['intel-release', 'the Intel SDK', () => bytesOf('intel-release.quote.bin')],
    ['oe-debug', 'Open Enclave', () => decodeOeReport(bytesOf('oe-debug.oe-report.bin'))],
  ] as const

  it.each(cases)('%s, made with %s: fields, signatures and root are in order', async (name, _, read) => {
    const expected = JSON.parse(readFileSync(new URL(`${name}.expected.json`, VECTORS), 'utf8')) as Expected
    const quote = read()
    const { report } = decodeSgxQuote(quote)
    expect({
      mrenclave: encodeHex(report.mrEnclave),
      mrsigner: encodeHex(report.mrSigner),
      isvprodid: report.isvProductId,
      isvsvn: report.isvSvn,
      debug: (report.flags & SGX_FLAG_DEBUG) !== 0n,
      reportdata: encodeHex(report.reportData),
    }).toEqual({
      mrenclave: expected.mrenclave,
      mrsigner: expected.mrsigner,
      isvprodid: expected.isvprodid,
      isvsvn: expected.isvsvn,
      debug: expected.debug,
      reportdata: expected.reportdata,
    })
    const runtimeData = { data: bytesOf(`${name}.ehd.bin`), dataType: 'Binary' } as const
    const found = await verifier.verify({ quote, runtimeData }, 'azuredefault', AT)
    expect(found.checks.filter(({ met }) => !met)).toEqual([])
    expect(found.verified).toBe(true)
  })

  it.each(cases)('%s: no byte of it may be another one', async (_, __, read) => {
    const quote = read()
    // Each field, and a stride over the certificates.
    const places = [0, 2, 4, 8, 10, 12, 28, 48, 64, 80, 96, 104, 112, 176, 304, 306, 368, 432, 436, 500, 564, 948, 1014]
    for (let at = 1100; at < quote.length - 100; at += 311) places.push(at)
    for (const at of places) {
      const altered = Uint8Array.from(quote)
      altered[at] = altered[at]! ^ 1
      const { verified, checks } = await verifier.verify({ quote: altered }, 'azuredefault', AT)
      expect(verified, `byte ${at}`).toBe(false)
      expect(checks.some(({ met, hint }) => !met && hint !== undefined)).toBe(true)
    }
  })

  it('of another time are refused for their certificates alone', async () => {
    const quote = bytesOf('intel-release.quote.bin')
    const { checks } = await verifier.verify({ quote }, 'azuredefault', Date.parse('2040-01-01T00:00:00Z'))
    expect(checks.filter(({ met }) => !met).map(({ name }) => name)).toEqual(['certificates.validity'])
  })

  it('are not believed where only the emulator’s own root is', async () => {
    const own = createQuoteVerifier(async () => ({ roots: [{ spkiSha256: createHash('sha256').digest('hex') }] }))
    const { checks } = await own.verify({ quote: bytesOf('intel-release.quote.bin') }, 'azuredefault', AT)
    expect(checks.filter(({ met }) => !met).map(({ name }) => name)).toEqual(['certificates.root'])
  })
})
