import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeUtf8 } from './bytes.ts'
import { WireError } from './errors.ts'
import { sgxClaims } from './sgx-claims.ts'
import { decodeOeReport, encodeOeReport } from './sgx-oe-report.ts'
import {
  decodeSgxQuote,
  encodeSgxQuote,
  encodeSgxQuoteContent,
  INTEL_QE_VENDOR_ID,
  SGX_QUOTE_SIGNED_SIZE,
  type SgxQuote,
} from './sgx-quote.ts'
import { decodeSgxReportBody, encodeSgxReportBody, type SgxReportBody } from './sgx-report-body.ts'

const REPORT: SgxReportBody = {
  cpuSvn: filled(16, 1),
  miscSelect: 0x01020304,
  isvExtendedProductId: filled(16, 2),
  flags: 0x8000_0000_0000_0087n,
  xfrm: 7n,
  mrEnclave: filled(32, 3),
  mrSigner: filled(32, 4),
  configId: filled(64, 5),
  isvProductId: 0x1234,
  isvSvn: 0x5678,
  configSvn: 0x9abc,
  isvFamilyId: filled(16, 6),
  reportData: filled(64, 7),
}

const CONTENT = { qeSvn: 8, pceSvn: 13, qeVendorId: INTEL_QE_VENDOR_ID, userData: filled(20, 8), report: REPORT }
const DATA = {
  signature: filled(64, 9),
  attestationKey: filled(64, 10),
  qeReportBytes: encodeSgxReportBody({ ...REPORT, isvSvn: 8 }),
  qeReportSignature: filled(64, 11),
  qeAuthData: filled(32, 12),
  certificationDataType: 5,
  certificationData: encodeUtf8('certificates'),
}
const QUOTE = encodeSgxQuote(encodeSgxQuoteContent(CONTENT), DATA)

describe('a quote', () => {
  it('says what was written, and is its bytes again', () => {
    const quote = decodeSgxQuote(QUOTE)
    expect(quote).toEqual({
      version: 3,
      attestationKeyType: 2,
      ...CONTENT,
      ...DATA,
      qeReport: { ...REPORT, isvSvn: 8 },
    })
    expect(encodeSgxQuote(encodeSgxQuoteContent(quote), quote)).toEqual(QUOTE)
  })

  it('has its fields where Intel says', () => {
    const view = new DataView(QUOTE.buffer)
    expect([view.getUint16(304, true), view.getUint16(306, true)]).toEqual([0x1234, 0x5678])
    expect(view.getBigUint64(96, true)).toBe(REPORT.flags)
    expect(QUOTE.subarray(112, 144)).toEqual(REPORT.mrEnclave)
    expect(QUOTE.subarray(176, 208)).toEqual(REPORT.mrSigner)
    expect(QUOTE.subarray(368, 432)).toEqual(REPORT.reportData)
    expect(QUOTE.subarray(436, 500)).toEqual(DATA.signature)
    expect(QUOTE.subarray(1014, 1046)).toEqual(DATA.qeAuthData)
    expect(SGX_QUOTE_SIGNED_SIZE).toBe(432)
  })

  it('may be without authentication data and with nothing for certificates', () => {
    const bare = { ...DATA, qeAuthData: new Uint8Array(), certificationData: new Uint8Array() }
    expect(decodeSgxQuote(encodeSgxQuote(encodeSgxQuoteContent(CONTENT), bare))).toMatchObject(bare)
  })

  it.each([
    ['version 4', 0, 4, 'ERR_SGX_QUOTE_VERSION', 'version@0x0'],
    ['a key of P-384', 2, 3, 'ERR_SGX_QUOTE_KEY_TYPE', 'attestationKeyType@0x2'],
    ['TDX', 4, 0x81, 'ERR_SGX_QUOTE_RESERVED', 'reserved@0x4'],
    ['a reserved byte of the report', 68, 1, 'ERR_SGX_REPORT_RESERVED', 'report.reserved@0x14'],
    ['a reserved byte of the other report', 564 + 262, 1, 'ERR_SGX_REPORT_RESERVED', 'qeReport.reserved@0x106'],
    ['more signature data than there is', 432, 0xff, 'ERR_SGX_QUOTE_SIZE', 'length@0x1b0'],
    ['more authentication data than there is', 1013, 0xff, 'ERR_SGX_QUOTE_SIZE', 'length@0x3f6'],
    ['more certificates than there are', 1051, 0xff, 'ERR_SGX_QUOTE_SIZE', 'length@0x41c'],
    ['fewer certificates than there are', 1048, 1, 'ERR_SGX_QUOTE_SIZE', 'length@0x41d'],
  ])('%s is refused', (_, at, value, code, place) => {
    const changed = Uint8Array.from(QUOTE)
    changed[at] = value
    expect(() => decodeSgxQuote(changed)).toThrow(expect.objectContaining({ code, at: place }))
  })

  it('of any bytes: fields, or an error that says what is wrong', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), fieldsOrError))
  })

  it('of any quote with bytes turned: fields, or an error that says what is wrong', () => {
    const turns = fc.array(fc.tuple(fc.nat(QUOTE.length - 1), fc.nat(255)), { maxLength: 8 })
    fc.assert(
      fc.property(turns, fc.nat(QUOTE.length), (changes, size) => {
        const changed = Uint8Array.from(QUOTE)
        for (const [at, value] of changes) changed[at] = value
        fieldsOrError(changed)
        fieldsOrError(changed.subarray(0, size))
      }),
    )
  })

  it('keeps nothing of the bytes it was read from', () => {
    const bytes = Uint8Array.from(QUOTE)
    const quote = decodeSgxQuote(bytes)
    bytes.fill(0)
    expect(quote.certificationData).toEqual(DATA.certificationData)
    expect(quote.report.mrEnclave).toEqual(REPORT.mrEnclave)
  })

  it('is not written with fields of other sizes', () => {
    const write = (change: Partial<SgxQuote>) => () =>
      encodeSgxQuote(encodeSgxQuoteContent({ ...CONTENT, ...change }), { ...DATA, ...change })
    for (const name of ['qeVendorId', 'userData', 'signature', 'attestationKey', 'qeReportSignature'] as const) {
      expect(write({ [name]: filled(15, 0) }), name).toThrow(expect.objectContaining({ code: 'ERR_SGX_QUOTE_FIELD' }))
    }
  })
})

function fieldsOrError(bytes: Uint8Array): void {
  try {
    const quote = decodeSgxQuote(bytes)
    // What is read is the whole: nothing is left over, nothing is made up.
    expect(encodeSgxQuote(encodeSgxQuoteContent(quote), quote)).toEqual(Uint8Array.from(bytes))
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    expect(error.code).toMatch(/^ERR_SGX_(QUOTE|REPORT)_/)
  }
}

describe('a report body', () => {
  it('is 384 bytes', () => {
    for (const size of [0, 383, 385]) {
      expect(() => decodeSgxReportBody(new Uint8Array(size))).toThrow(
        expect.objectContaining({ code: 'ERR_SGX_REPORT_SIZE' }),
      )
    }
  })

  it.each([
    ['mrEnclave', filled(31, 0)],
    ['isvSvn', 0x1_0000],
    ['isvProductId', -1],
    ['miscSelect', 1.5],
    ['flags', 1n << 64n],
    ['xfrm', -1n],
  ])('is not written with %s of another size', (name, value) => {
    expect(() => encodeSgxReportBody({ ...REPORT, [name]: value })).toThrow(
      expect.objectContaining({ code: 'ERR_SGX_REPORT_FIELD', at: name }),
    )
  })

  it('gives the claims of an enclave, and those of KSS only with KSS', () => {
    expect(sgxClaims(REPORT)).toEqual({
      'x-ms-attestation-type': 'sgx',
      'x-ms-sgx-config-id': '05'.repeat(64),
      'x-ms-sgx-config-svn': 0x9abc,
      'x-ms-sgx-is-debuggable': true,
      'x-ms-sgx-isv-extended-product-id': '02'.repeat(16),
      'x-ms-sgx-isv-family-id': '06'.repeat(16),
      'x-ms-sgx-mrenclave': '03'.repeat(32),
      'x-ms-sgx-mrsigner': '04'.repeat(32),
      'x-ms-sgx-product-id': 0x1234,
      'x-ms-sgx-report-data': '07'.repeat(64),
      'x-ms-sgx-svn': 0x5678,
    })
    const plain = sgxClaims({ ...REPORT, flags: 5n })
    expect(plain['x-ms-sgx-is-debuggable']).toBe(false)
    expect(Object.keys(plain).filter((name) => name.includes('config') || name.includes('isv'))).toEqual([])
  })
})

describe('an Open Enclave report', () => {
  it('is a quote behind sixteen bytes', () => {
    const report = encodeOeReport(QUOTE)
    expect([...report.subarray(0, 9)]).toEqual([1, 0, 0, 0, 2, 0, 0, 0, QUOTE.length & 0xff])
    expect(decodeOeReport(report)).toEqual(QUOTE)
  })

  it.each([
    ['version', 0, 'version@0x0'],
    ['type', 4, 'type@0x4'],
    ['size', 8, 'size@0x8'],
    ['size beyond 2^53', 15, 'size@0x8'],
  ])('with another %s is refused', (_, at, place) => {
    const report = encodeOeReport(QUOTE)
    report[at] = report[at]! ^ 0xff
    expect(() => decodeOeReport(report)).toThrow(expect.objectContaining({ code: 'ERR_OE_REPORT', at: place }))
  })

  it('of any bytes: a quote, or an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          expect(encodeOeReport(decodeOeReport(bytes))).toEqual(Uint8Array.from(bytes))
        } catch (error) {
          if (!(error instanceof WireError)) throw error
        }
      }),
    )
  })
})

function filled(size: number, value: number): Uint8Array {
  return new Uint8Array(size).fill(value)
}
