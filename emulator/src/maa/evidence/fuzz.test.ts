import {
  COSE_ALG_PS384,
  coseAlgorithm,
  decodeReport,
  decodeSnpAttestRequest,
  decodeUvmEndorsement,
  decodeVcekExtensions,
  encodeUtf8,
  matchDidX509,
  parseDidX509,
  parseThimCertification,
  pemToDer,
  readCertificateParts,
  WireError,
} from '@skerry/guest/wire'
import { encode, Tagged } from 'cborg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../../core/test-context.ts'
import { resolveDidX509 } from './did-x509.ts'
import { createEvidenceMaker, NOW, pemOf } from './test-evidence.ts'
import { readEndorsement } from './uvm.ts'
import { createEvidenceVerifier } from './verifier.ts'

/*
 * Readers of what strangers send. Whatever the bytes are, a reader gives a value or a WireError, soon, and without memory
 * that the bytes do not account for.
 */

const make = await createEvidenceMaker(createTestContext().ctx.keys)
const [vcek] = make.chain
const cose = make.endorsement()
const report = make.report()
const [leafDer] = make.uvmChain

/** For one test: its runs take a fraction of it, and a single one that is not linear in its input takes more. */
const SOON = { timeout: 10_000 }
const RUNS = 400

/** A value or a WireError. */
function read(reader: () => unknown): void {
  try {
    reader()
  } catch (error) {
    if (!(error instanceof WireError)) throw error
  }
}

/** Bytes that are nearly these: some changed, some cut out, some put in. */
const nearly = (bytes: Uint8Array) =>
  fc
    .array(
      fc.record({
        at: fc.nat(bytes.length - 1),
        take: fc.nat(3),
        put: fc.oneof(
          fc.uint8Array({ maxLength: 4 }),
          // Lengths that promise more than there is, in DER and in CBOR.
          fc.constantFrom([0x84, 0xff, 0xff, 0xff, 0xff], [0x9a, 0xff, 0xff, 0xff, 0xff], [0xbb, 0x7f], [0x5f], [0x80]),
        ),
      }),
      { minLength: 1, maxLength: 4 },
    )
    .map((changes) => {
      const result = [...bytes]
      for (const { at, take, put } of changes) result.splice(at, take, ...put)
      return Uint8Array.from(result)
    })

const forBytes = (near: Uint8Array, reader: (bytes: Uint8Array<ArrayBuffer>) => unknown) =>
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), nearly(near)), (bytes) =>
      read(() => reader(Uint8Array.from(bytes))),
    ),
    { numRuns: RUNS },
  )

describe('no bytes break the reader of', SOON, () => {
  it('a report', () => {
    forBytes(report, decodeReport)
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1184, maxLength: 1184 }), (bytes) => read(() => decodeReport(bytes))),
      { numRuns: RUNS },
    )
  })

  it('a VCEK', () => forBytes(vcek, decodeVcekExtensions))

  it('the parts of a certificate', () => forBytes(vcek, readCertificateParts))

  it('a certificate of an endorser', () => forBytes(leafDer!, readCertificateParts))

  it('an endorsement', () => forBytes(cose, decodeUvmEndorsement))

  it('a chain in PEM', () => {
    const pem = pemOf(make.chain)
    forBytes(encodeUtf8(pem.slice(0, 600)), (bytes) => pemToDer(Buffer.from(bytes).toString('latin1')))
  })
})

describe('no JSON breaks the reader of', SOON, () => {
  it('THIM’s answer', () => {
    const members = fc.record(
      {
        vcekCert: fc.jsonValue(),
        tcbm: fc.jsonValue(),
        certificateChain: fc.jsonValue(),
        cacheControl: fc.jsonValue(),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), members), (value) => read(() => parseThimCertification(value))),
      { numRuns: RUNS },
    )
  })

  const text = (value: unknown) => Buffer.from(JSON.stringify(value) ?? '').toString('base64url')
  const odd = fc.oneof(fc.jsonValue(), fc.string(), fc.constantFrom('====', '-_-_', 'ab+/', '__proto__'))
  const inner = fc.record(
    {
      SnpReport: odd,
      VcekCertChain: odd,
      Endorsements: fc.oneof(
        odd,
        odd.map((Uvm) => text({ Uvm })),
      ),
    },
    { requiredKeys: [] },
  )
  const outer = fc.record(
    {
      report: fc.oneof(odd, inner.map(text)),
      runtimeData: fc.oneof(odd, fc.record({ data: odd, dataType: odd }, { requiredKeys: [] })),
      initTimeData: odd,
      nonce: fc.oneof(odd, fc.double(), fc.maxSafeInteger()),
      draftPolicyForAttestation: odd,
    },
    { requiredKeys: [] },
  )

  it('a request to attest', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          outer.map((body) => JSON.stringify(body)),
        ),
        (body) => read(() => decodeSnpAttestRequest(body)),
      ),
      { numRuns: RUNS },
    )
  })

  it('the whole verification of what a request says', async () => {
    const verifier = createEvidenceVerifier(async () => make.trust)
    const data = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.json().map((json) => new Uint8Array(encodeUtf8(json))),
    )
    const attested = fc.record({ data, dataType: fc.constantFrom('JSON', 'Binary') })
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          report: fc.oneof(fc.constant(report), nearly(report), fc.uint8Array({ maxLength: 40 })),
          certificateChainPem: fc.oneof(
            fc.constant(pemOf(make.chain)),
            nearly(vcek).map((der) => pemOf([der, make.chain[1], make.chain[2]])),
            fc.string(),
          ),
          uvmEndorsements: fc.array(fc.oneof(nearly(cose), fc.uint8Array({ maxLength: 40 })), { maxLength: 2 }),
          runtimeData: attested,
        }),
        async (request) => {
          const { checks, verified } = await verifier.verify(make.request(request as object), NOW)
          expect(verified).toBe(false)
          expect(checks.some(({ met }) => !met)).toBe(true)
        },
      ),
      { numRuns: 150 },
    )
  })
})

describe('no text breaks the reader of', SOON, () => {
  const part = fc.constantFrom(
    'did',
    'x509',
    '0',
    'sha256',
    'AA',
    '::',
    ':',
    'subject',
    'CN',
    'eku',
    '1.2',
    'san',
    'dns',
    '%',
    '%ff',
    '#',
    '/',
    '?',
    '~',
    '__proto__',
    'constructor',
  )
  const dids = fc.oneof(
    fc.string(),
    fc.array(part, { maxLength: 14 }).map((parts) => parts.join('')),
    fc.array(part, { maxLength: 10 }).map((parts) => `did:x509:0:sha256:AA::${parts.join(':')}`),
  )

  it('a did:x509', () => {
    fc.assert(
      fc.property(dids, (did) => read(() => parseDidX509(did))),
      { numRuns: RUNS * 2 },
    )
  })

  it('a did:x509 and the chain that it should name', async () => {
    await fc.assert(
      fc.asyncProperty(dids, nearly(leafDer!), async (did, leaf) => {
        const chain = [leaf, ...make.uvmChain.slice(1)]
        for (const resolve of [matchDidX509, resolveDidX509]) {
          await resolve(did, chain).catch((error: unknown) => expect(error).toBeInstanceOf(WireError))
        }
      }),
      { numRuns: 150 },
    )
  })
})

describe('what is made to cost is refused before it does', SOON, () => {
  const message = (payload: Uint8Array, headers: Map<unknown, unknown>) =>
    Uint8Array.from(encode(new Tagged(18, [encode(headers), new Map(), payload, new Uint8Array(8)])))

  it('arrays and strings of CBOR that promise gigabytes', () => {
    for (const head of [0x9a, 0xba, 0x5a, 0x7a]) {
      const bytes = Uint8Array.of(0xd2, 0x84, head, 0xff, 0xff, 0xff, 0xff)
      read(() => decodeUvmEndorsement(bytes))
      expect(() => decodeUvmEndorsement(bytes)).toThrow(WireError)
    }
  })

  it('CBOR that is nested without end', () => {
    const bytes = new Uint8Array(1_000_000).fill(0x81)
    read(() => decodeUvmEndorsement(bytes))
    expect(() => decodeUvmEndorsement(bytes)).toThrow(WireError)
  })

  it('elements of DER that are nested without end, or promise gigabytes', () => {
    const nested = new Uint8Array(300_000).fill(0x30)
    for (const der of [nested, Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff), Uint8Array.of(0x30, 0x80, 0, 0)]) {
      read(() => readCertificateParts(der))
      expect(() => readCertificateParts(der)).toThrow(WireError)
    }
  })

  it('a JSON payload that is nested without end', async () => {
    const text = encodeUtf8('['.repeat(500_000))
    const bytes = message(
      text,
      new Map<unknown, unknown>([
        [1, COSE_ALG_PS384],
        [3, 'application/json'],
        [33, [vcek]],
      ]),
    )
    expect((await readEndorsement(bytes)).checks).toMatchObject([{ name: 'uvm', met: false }])
  })

  it('a DID as long as a book', () => {
    const did = `did:x509:0:sha256:AA${'::eku:1.2'.repeat(200_000)}`
    read(() => parseDidX509(did))
    expect(() => parseDidX509(did)).toThrow('DID is too long.')
  })

  it('an algorithm is a number that is listed, not a property of every object', () => {
    for (const alg of ['toString', '__proto__', 0, -38.5]) expect(coseAlgorithm(alg as number)).toBeUndefined()
  })
})
