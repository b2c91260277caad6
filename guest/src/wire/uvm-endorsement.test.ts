import { decode, encode, Tagged } from 'cborg'
import { describe, expect, it } from 'vitest'
import { encodeUtf8 } from './bytes.ts'
import type { WireError } from './errors.ts'
import {
  COSE_ALG_PS384,
  decodeUvmEndorsement,
  encodeSigStructure,
  encodeUvmEndorsement,
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
    const protectedBytes = encode(
      new Map<number, unknown>([
        [1, -38],
        [
          15,
          new Map<unknown, unknown>([
            [1, 'did'],
            [2, 'feed'],
            [6, new Tagged(1, 7)],
            ['svn', 104],
          ]),
        ],
        [33, [Uint8Array.of(1), Uint8Array.of(2)]],
        [258, -43],
      ]),
    )
    expect(
      decodeUvmEndorsement(encodeUvmEndorsement({ ...PARTS, protectedBytes, payload: MEASUREMENT })),
    ).toMatchObject({
      form: 'hashEnvelope',
      issuer: 'did',
      feed: 'feed',
      svn: 104,
      signedAt: 7,
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

  it('is refused when its protected header has a label twice', () => {
    const twice = Uint8Array.of(0xa2, 0x01, 0x38, 0x25, 0x01, 0x38, 0x26)
    expect(placeOf(encodeUvmEndorsement({ ...PARTS, protectedBytes: twice }))).toBe('protected')
  })
})
