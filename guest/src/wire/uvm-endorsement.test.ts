import { decode, encode, Tagged } from 'cborg'
import { describe, expect, it } from 'vitest'
import { encodeUtf8 } from './bytes.ts'
import { encodeCoseSign1, encodeSigStructure } from './cose-sign1.ts'
import type { WireError } from './errors.ts'
import {
  COSE_ALG_PS384,
  decodeUvmEndorsement,
  encodeUvmEndorsement,
  encodeUvmHashEnvelopeHeader,
  encodeUvmPayload,
  encodeUvmProtectedHeader,
} from './uvm-endorsement.ts'

const MEASUREMENT = new Uint8Array(48).fill(0xab)
const HEADER = {
  alg: COSE_ALG_PS384,
  x5chain: [Uint8Array.of(1), Uint8Array.of(2)],
  leafSha256: new Uint8Array(32),
  issuer: 'did:x509:0:sha256:AA::eku:1.2.3',
  feed: 'ContainerPlat-AMD-UVM',
  signedAt: 1759253046,
}
const PARTS = {
  protectedBytes: encodeUvmProtectedHeader(HEADER),
  payload: encodeUvmPayload({ launchMeasurement: MEASUREMENT, svn: 104 }),
  signature: new Uint8Array(384).fill(1),
}
const placeOf = (cose: Uint8Array) => {
  try {
    decodeUvmEndorsement(cose)
  } catch (error) {
    expect((error as WireError).code).toBe('ERR_UVM_ENDORSEMENT')
    return (error as WireError).at
  }
  throw new Error('nothing was thrown')
}
const sign1 = (...members: unknown[]) => encode(new Tagged(18, members))

describe('a UVM endorsement', () => {
  it('in JSON form keeps its parts', () => {
    expect(decodeUvmEndorsement(encodeUvmEndorsement(PARTS))).toEqual({
      ...PARTS,
      form: 'json',
      issuer: HEADER.issuer,
      feed: HEADER.feed,
      svn: '104',
      launchMeasurement: MEASUREMENT,
      x5chain: HEADER.x5chain,
      x5t: { digest: 'SHA-256', value: HEADER.leafSha256 },
      alg: -38,
      signedAt: HEADER.signedAt,
      payloadJson: {
        'x-ms-sevsnpvm-guestsvn': '104',
        'x-ms-sevsnpvm-guestsvn-int': 104,
        'x-ms-sevsnpvm-launchmeasurement': 'ab'.repeat(48),
      },
    })
  })

  it('in hash-envelope form has its statement in CWT claims and the measurement as payload', () => {
    const protectedBytes = encodeUvmHashEnvelopeHeader({ ...HEADER, svn: 104 })
    expect(
      decodeUvmEndorsement(encodeUvmEndorsement({ ...PARTS, protectedBytes, payload: MEASUREMENT })),
    ).toMatchObject({
      form: 'hashEnvelope',
      issuer: HEADER.issuer,
      feed: HEADER.feed,
      svn: 104,
      signedAt: HEADER.signedAt,
      launchMeasurement: MEASUREMENT,
    })
  })

  it('is signed over "Signature1", the protected header as it was written, nothing, and the payload', () => {
    expect(decode(encodeSigStructure(PARTS.protectedBytes, PARTS.payload))).toEqual([
      'Signature1',
      PARTS.protectedBytes,
      new Uint8Array(0),
      PARTS.payload,
    ])
  })

  it.each([
    ['bytes that are no CBOR', encodeUtf8('{"not":"CBOR"}'), 'COSE_Sign1'],
    ['an untagged array', encode([]), undefined],
    ['three members', sign1(PARTS.protectedBytes, new Map(), PARTS.payload), 'signature'],
    [
      'an unprotected header that is no map',
      sign1(PARTS.protectedBytes, [], PARTS.payload, PARTS.signature),
      'COSE_Sign1',
    ],
    ['a detached payload', sign1(PARTS.protectedBytes, new Map(), null, PARTS.signature), 'payload'],
    [
      'a protected header without algorithm',
      encodeUvmEndorsement({ ...PARTS, protectedBytes: encode(new Map()) }),
      'protected.1',
    ],
    ['a payload that is no JSON', encodeUvmEndorsement({ ...PARTS, payload: MEASUREMENT }), 'payload'],
    [
      'a payload without measurement',
      encodeUvmEndorsement({ ...PARTS, payload: encodeUtf8('{}') }),
      'payload.x-ms-sevsnpvm-launchmeasurement',
    ],
  ])('is refused: %s', (_, cose, at) => {
    expect(placeOf(cose)).toBe(at)
  })

  /** The JSON form with one protected header changed; undefined takes it away. */
  const withHeader = (label: number | string, value: unknown, unprotected?: Map<number | string, unknown>) => {
    const tags = Tagged.preserve(1)
    const headers = decode(PARTS.protectedBytes, { useMaps: true, tags }) as Map<number | string, unknown>
    if (value === undefined) headers.delete(label)
    else headers.set(label, value)
    const changed = { ...PARTS, protectedBytes: encode(headers) }
    return encodeCoseSign1(unprotected === undefined ? changed : { ...changed, unprotected })
  }
  const withPayload = (payload: unknown) =>
    encodeUvmEndorsement({ ...PARTS, payload: encodeUtf8(JSON.stringify(payload)) })
  const measurement = { 'x-ms-sevsnpvm-launchmeasurement': 'ab'.repeat(48) }

  it.each([
    ['an algorithm only in the unprotected header', withHeader(1, undefined, new Map([[1, -38]])), 'protected.1'],
    [
      'certificates only in the unprotected header',
      withHeader(33, undefined, new Map([[33, HEADER.x5chain]])),
      'protected.33[0]',
    ],
    ['a label in both headers', withHeader('iss', HEADER.issuer, new Map([['iss', 'another']])), 'unprotected.iss'],
    ['a critical header that is not known', withHeader(2, ['receipt']), 'protected.2'],
    ['an empty list of critical headers', withHeader(2, []), 'protected.2'],
    ['a critical header that is not there', withHeader(2, [15]), 'protected.2'],
    ['a chain without certificates', withHeader(33, []), 'protected.33'],
    ['a chain of seventeen certificates', withHeader(33, Array(17).fill(Uint8Array.of(1))), 'protected.33'],
    ['a thumbprint of an unknown hash', withHeader(34, [-14, new Uint8Array(20)]), 'protected.34'],
    ['another content type', withHeader(3, 'application/unknown+rego'), 'protected.3'],
    ['no issuer', withHeader('iss', undefined), 'protected.iss'],
    ['no feed', withHeader('feed', undefined), 'protected.feed'],
    [
      'an SVN that is a number',
      withPayload({ ...measurement, 'x-ms-sevsnpvm-guestsvn': 104 }),
      'payload.x-ms-sevsnpvm-guestsvn',
    ],
    [
      'an SVN that is another as an integer',
      withPayload({ ...measurement, 'x-ms-sevsnpvm-guestsvn': '104', 'x-ms-sevsnpvm-guestsvn-int': 105 }),
      'payload.x-ms-sevsnpvm-guestsvn-int',
    ],
    [
      'a measurement in upper case',
      withPayload({ 'x-ms-sevsnpvm-launchmeasurement': 'AB'.repeat(48), 'x-ms-sevsnpvm-guestsvn': '104' }),
      'payload.x-ms-sevsnpvm-launchmeasurement',
    ],
    ['a hash envelope of another hash', withHeader(258, -16), 'protected.258'],
    ['a hash envelope with a content type of its own', withHeader(258, -43), 'protected.3'],
    [
      'the mark of a hash envelope unprotected',
      withHeader(3, 'application/json', new Map([[258, -43]])),
      'unprotected.258',
    ],
  ])('is refused: %s', (_, cose, at) => {
    expect(placeOf(cose)).toBe(at)
  })

  it.each([
    ['without CWT claims', undefined, MEASUREMENT, 'protected.15'],
    [
      'without svn',
      new Map<unknown, unknown>([
        [1, 'did'],
        [2, 'feed'],
      ]),
      MEASUREMENT,
      'protected.15.svn',
    ],
    [
      'with an svn of text',
      new Map<unknown, unknown>([
        [1, 'did'],
        [2, 'feed'],
        ['svn', '104'],
      ]),
      MEASUREMENT,
      'protected.15.svn',
    ],
    [
      'with an svn below zero',
      new Map<unknown, unknown>([
        [1, 'did'],
        [2, 'feed'],
        ['svn', -1],
      ]),
      MEASUREMENT,
      'protected.15.svn',
    ],
    [
      'without issuer',
      new Map<unknown, unknown>([
        [2, 'feed'],
        ['svn', 104],
      ]),
      MEASUREMENT,
      'protected.15.1',
    ],
    [
      'without subject',
      new Map<unknown, unknown>([
        [1, 'did'],
        ['svn', 104],
      ]),
      MEASUREMENT,
      'protected.15.2',
    ],
    [
      'of 47 bytes',
      new Map<unknown, unknown>([
        [1, 'did'],
        [2, 'feed'],
        ['svn', 104],
      ]),
      MEASUREMENT.subarray(1),
      'payload',
    ],
  ])('is refused: a hash envelope %s', (_, claims, payload, at) => {
    const headers = new Map<number, unknown>([
      [1, -38],
      [33, HEADER.x5chain],
      [258, -43],
    ])
    if (claims !== undefined) headers.set(15, claims)
    expect(placeOf(encodeUvmEndorsement({ ...PARTS, protectedBytes: encode(headers), payload }))).toBe(at)
  })

  it('takes nothing from the unprotected header: a time stamp and receipts there change nothing', () => {
    const unprotected = new Map<number | string, unknown>([
      ['timestamp', Uint8Array.of(1, 2, 3)],
      [394, [Uint8Array.of(4)]],
    ])
    expect(decodeUvmEndorsement(encodeCoseSign1({ ...PARTS, unprotected }))).toEqual(
      decodeUvmEndorsement(encodeUvmEndorsement(PARTS)),
    )
  })

  it('is refused when its protected header has a label twice', () => {
    const twice = Uint8Array.of(0xa2, 0x01, 0x38, 0x25, 0x01, 0x38, 0x26)
    expect(placeOf(encodeUvmEndorsement({ ...PARTS, protectedBytes: twice }))).toBe('protected')
  })
})
