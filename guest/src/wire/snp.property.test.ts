import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeCertificateTable, encodeCertificateTable } from './certificate-table.ts'
import { WireError } from './errors.ts'
import {
  decodeKeyRequest,
  decodeKeyResponse,
  decodeReportRequest,
  decodeReportResponse,
  encodeKeyRequest,
  encodeReportRequest,
} from './guest-message.ts'
import { decodeGuestPolicy, encodeGuestPolicy } from './guest-policy.ts'
import { derToPem, pemToDer } from './pem.ts'
import { decodeReport, encodeReport, REPORT_SIZE, reportSignature, setReportSignature } from './report.ts'
import { snpClaims } from './snp-claims.ts'
import { decodeTcb, encodeTcb, tcbFromHex, tcbToHex } from './tcb.ts'
import { certificate, MILAN } from './testing.test-support.ts'
import { parseThimCertification } from './thim.ts'
import { decodeVcekExtensions } from './vcek.ts'

/** What holds of all bytes that a guest, a host or a stranger may send: an answer or a WireError, and nothing else. */

/** The value, or undefined for a WireError; anything else that is thrown is a defect. */
function orRefused<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof WireError) return undefined
    throw error
  }
}

const products = fc.constantFrom('Milan', 'Genoa', 'Turin')
const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size })
/** Bytes as they may come, of which some begin like something real. */
const noise = fc.oneof(fc.uint8Array({ maxLength: 2048 }), bytes(REPORT_SIZE), bytes(96), bytes(32), bytes(1216))

/** A report in which only what has a meaning is random. */
const report = fc
  .record({ version: fc.constantFrom(1, 2, 3, 4, 5), body: bytes(REPORT_SIZE) })
  .map(({ version, body }) => {
    const whole = Uint8Array.from(body)
    whole.set([version, 0, 0, 0])
    const clear = (from: number, to: number) => whole.fill(0, from, to)
    for (const [from, to] of [
      [0x4c, 0x50],
      [0x18b, 0x1a0],
      [0x1eb, 0x1ec],
      [0x1ef, 0x1f0],
      [0x208, 0x2a0],
    ] as const)
      clear(from, to)
    if (version < 3) clear(0x188, 0x18b)
    if (version < 5) clear(0x1f8, 0x208)
    for (const [from, to] of [
      [0x2d0, 0x2e8],
      [0x318, 0x330],
      [0x330, 0x4a0],
    ] as const)
      clear(from, to)
    return whole
  })

describe('a report', () => {
  it('of any content is read and written back byte for byte', () => {
    fc.assert(
      fc.property(report, (whole) => {
        const again = encodeReport(decodeReport(whole))
        setReportSignature(again, reportSignature(whole))
        expect(again).toEqual(whole)
      }),
    )
  })

  it('with one reserved byte set is refused, or reads as another one', () => {
    fc.assert(
      fc.property(report, fc.nat(REPORT_SIZE - 1), fc.integer({ min: 1, max: 255 }), (whole, at, flip) => {
        const changed = Uint8Array.from(whole)
        changed[at]! ^= flip
        const again = orRefused(() => {
          const encoded = encodeReport(decodeReport(changed))
          setReportSignature(encoded, reportSignature(changed))
          return encoded
        })
        // Whatever is accepted is kept: no byte is dropped on the way.
        if (again !== undefined) expect(again).toEqual(changed)
      }),
    )
  })

  it('in its claims too is read or refused', () => {
    fc.assert(
      fc.property(report, products, (whole, product) => {
        orRefused(() => snpClaims(decodeReport(whole), product))
      }),
    )
  })
})

describe('bytes of a stranger', () => {
  it.each([
    ['a report', decodeReport],
    ['the signature of a report', reportSignature],
    ['a report request', decodeReportRequest],
    ['a report response', decodeReportResponse],
    ['a key request', decodeKeyRequest],
    ['a key response', decodeKeyResponse],
    ['a certificate table', decodeCertificateTable],
    ['a certificate', decodeVcekExtensions],
  ] as const)('are %s or refused', (_, decode) => {
    fc.assert(
      fc.property(noise, (some) => void orRefused(() => decode(some))),
      { numRuns: 500 },
    )
  })

  it('are PEM or refused', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 400 }),
      fc.uint8Array({ maxLength: 100 }).map((der) => derToPem(der)),
    )
    const texts = fc.array(fc.oneof(text, fc.constantFrom('-----BEGIN ', '-----END CERTIFICATE-----', '\n', '-----')))
    fc.assert(fc.property(texts, (parts) => void orRefused(() => pemToDer(parts.join('')))))
  })

  it('are a certification of THIM or refused', () => {
    const names = fc.constantFrom('vcekCert', 'tcbm', 'certificateChain', 'cacheControl', '__proto__', 'x')
    const values = fc.oneof(
      fc.jsonValue(),
      fc.constant(derToPem(new Uint8Array(3))),
      fc.constantFrom('DB18000000000004', ''),
    )
    const documents = fc.oneof(fc.jsonValue(), fc.dictionary(names, values))
    fc.assert(fc.property(documents, (document) => void orRefused(() => parseThimCertification(document))))
  })

  it('do not make a small certificate table into much memory', () => {
    const entry = new Uint8Array(24).fill(1)
    new DataView(entry.buffer).setUint32(16, 0, true)
    new DataView(entry.buffer).setUint32(20, 24 * 1000, true)
    const table = new Uint8Array(24 * 1001)
    for (let at = 0; at < 1000; at += 1) table.set(entry, at * 24)
    expect(() => decodeCertificateTable(table)).toThrow('entry 1 overlaps with another')
  })
})

const CERTIFICATE = certificate(MILAN)

describe('a certificate', () => {
  it('that was cut off or changed is read or refused', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(CERTIFICATE.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.nat(CERTIFICATE.length),
        (changes, length) => {
          const changed = Uint8Array.from(CERTIFICATE)
          for (const [at, value] of changes) changed[at] = value
          orRefused(() => decodeVcekExtensions(changed.subarray(0, length)))
        },
      ),
      { numRuns: 500 },
    )
  })

  it('nested without end is refused', () => {
    const nested = new Uint8Array(40_000)
    for (let at = 0; at < nested.length; at += 2) nested.set([0x30, 0x80], at)
    expect(() => decodeVcekExtensions(nested)).toThrow(WireError)
  })
})

describe('what is written is read again', () => {
  it('as a TCB of any product, and in hex', () => {
    const level = fc.nat(255)
    fc.assert(
      fc.property(products, level, level, level, level, level, (product, bootLoader, tee, snp, microcode, fmc) => {
        const tcb = { bootLoader, tee, snp, microcode, ...(product === 'Turin' && { fmc }) }
        const encoded = encodeTcb(tcb, product)
        expect(decodeTcb(encoded, product)).toEqual(tcb)
        expect(tcbFromHex(tcbToHex(encoded))).toEqual(encoded)
        expect(
          tcbFromHex(
            tcbToHex(encoded)
              .toLowerCase()
              .replace(/^0+(?=.)/, ''),
          ),
        ).toEqual(encoded)
      }),
    )
  })

  it('as a guest policy', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (word) => {
        const policy = orRefused(() => decodeGuestPolicy(word))
        if (policy !== undefined) expect(encodeGuestPolicy(policy)).toBe(word)
      }),
    )
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 26n) - 1n }), (word) => {
        expect(encodeGuestPolicy(decodeGuestPolicy(word | (1n << 17n)))).toBe(word | (1n << 17n))
      }),
    )
  })

  it('as requests of a guest', () => {
    const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
    const keySelect = fc.constantFrom(0, 1, 2, 3)
    const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
    fc.assert(
      fc.property(bytes(64), u32, keySelect, (reportData, vmpl, select) => {
        const request = { reportData, vmpl, keySelect: select }
        expect(decodeReportRequest(encodeReportRequest(request))).toEqual({ ...request, reservedBitsSet: false })
      }),
    )
    const keyRequest = fc.record({
      rootKeySelect: fc.constantFrom(0, 1),
      keySelect,
      guestFieldSelect: u64,
      vmpl: u32,
      guestSvn: u32,
      tcbVersion: bytes(8),
      launchMitVector: u64,
    })
    fc.assert(
      fc.property(keyRequest, (request) => {
        expect(decodeKeyRequest(encodeKeyRequest(request))).toEqual({ ...request, reservedBitsSet: false })
      }),
    )
  })

  it('as a certificate table', () => {
    const entry = fc.record({
      guid: fc.uuid().filter((guid) => guid !== '00000000-0000-0000-0000-000000000000'),
      data: fc.uint8Array({ maxLength: 40 }),
    })
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 6 }), (entries) => {
        expect(decodeCertificateTable(encodeCertificateTable(entries))).toEqual(entries)
      }),
    )
  })
})
