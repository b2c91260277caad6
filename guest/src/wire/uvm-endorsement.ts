import { decode, encode, Tagged } from 'cborg'
import { decodeUtf8, encodeHex, encodeUtf8 } from './bytes.ts'
import { WireError } from './errors.ts'
import { type JsonObject, requireObject } from './json.ts'

/**
 * UVM endorsements: COSE_Sign1 statements about the launch measurement of Azure's utility VM.
 * Sources: RFC 9052 (COSE), RFC 9360 (x5chain), RFC 9597 (CWT claims in headers), RFC 9054 and
 * draft-ietf-cose-hash-envelope; Microsoft "Confidential ACI scheme".
 */
export interface UvmEndorsement {
  /** `json`: the payload is JSON. `hashEnvelope`: the payload is the 48-byte measurement itself. */
  readonly form: 'json' | 'hashEnvelope'
  /** did:x509 of the signer. */
  readonly issuer: string
  /** `ContainerPlat-AMD-UVM` in production. */
  readonly feed: string
  /** As it is written: decimal text in the JSON form, an integer in the hash envelope. */
  readonly svn: number | string
  /** 48 bytes. */
  readonly launchMeasurement: Uint8Array
  /** DER, leaf first. */
  readonly x5chain: readonly Uint8Array[]
  /** COSE algorithm number: -38 is PS384. */
  readonly alg: number
  /** When it was signed, seconds since the epoch, if the headers say so. */
  readonly signedAt?: number
  /** The protected header as it was signed. */
  readonly protectedBytes: Uint8Array
  readonly payload: Uint8Array
  readonly signature: Uint8Array
  /** The payload, in the JSON form. */
  readonly payloadJson?: JsonObject
}

export const COSE_ALG_PS384 = -38

const COSE_SIGN1_TAG = 18
const EPOCH_TAG = 1
const HEADER = { alg: 1, contentType: 3, cwtClaims: 15, x5chain: 33, x5t: 34, payloadHashAlg: 258 } as const
const CWT = { iss: 1, sub: 2, iat: 6 } as const
const MEASUREMENT_SIZE = 48
const CODE = 'ERR_UVM_ENDORSEMENT'

const DECODE_OPTIONS = {
  useMaps: true,
  rejectDuplicateMapKeys: true,
  tags: Tagged.preserve(EPOCH_TAG, COSE_SIGN1_TAG),
}

/**
 * Reads both forms. Verifies nothing: signature, chain and issuer are the caller's to check (`encodeSigStructure`,
 * `matchDidX509`).
 * @throws WireError `ERR_UVM_ENDORSEMENT` (`at` names the header or member)
 */
export function decodeUvmEndorsement(cose: Uint8Array): UvmEndorsement {
  const { protectedBytes, payload, signature } = decodeSign1(cose)
  const headers = requireMap(decodeCbor(protectedBytes, 'protected'), 'protected')
  const alg = headers.get(HEADER.alg)
  if (typeof alg !== 'number') throw new WireError(CODE, 'the protected header has no algorithm number', 'protected.1')
  const common = { x5chain: decodeChain(headers.get(HEADER.x5chain)), alg, protectedBytes, payload, signature }
  return headers.has(HEADER.payloadHashAlg)
    ? { ...common, ...hashEnvelope(headers, payload) }
    : { ...common, ...jsonForm(headers, payload) }
}

/** What a COSE_Sign1 signature covers: Sig_structure with empty external data (RFC 9052 section 4.4). */
export function encodeSigStructure(protectedBytes: Uint8Array, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodeCbor(['Signature1', protectedBytes, new Uint8Array(0), payload])
}

export interface UvmProtectedHeader {
  readonly alg: number
  /** DER, leaf first. */
  readonly x5chain: readonly Uint8Array[]
  /** SHA-256 of the leaf's DER. */
  readonly leafSha256: Uint8Array
  readonly issuer: string
  readonly feed: string
  /** Seconds since the epoch. */
  readonly signedAt: number
}

/** The protected header of the JSON form, as bytes to be signed. */
export function encodeUvmProtectedHeader(header: UvmProtectedHeader): Uint8Array<ArrayBuffer> {
  const map = new Map<number | string, unknown>([
    [HEADER.alg, header.alg],
    [HEADER.contentType, 'application/json'],
    [HEADER.x5chain, [...header.x5chain]],
    [HEADER.x5t, [-16, header.leafSha256]],
    ['iss', header.issuer],
    ['feed', header.feed],
    ['signingtime', new Tagged(EPOCH_TAG, header.signedAt)],
  ])
  return encodeCbor(map)
}

/** The payload of the JSON form. */
export function encodeUvmPayload(payload: { launchMeasurement: Uint8Array; svn: number }): Uint8Array<ArrayBuffer> {
  return encodeUtf8(
    JSON.stringify({
      'x-ms-sevsnpvm-guestsvn': String(payload.svn),
      'x-ms-sevsnpvm-guestsvn-int': payload.svn,
      'x-ms-sevsnpvm-launchmeasurement': encodeHex(payload.launchMeasurement),
    }),
  )
}

/** A COSE_Sign1 (tag 18) from its signed parts; the unprotected header is empty. */
export function encodeUvmEndorsement(parts: {
  protectedBytes: Uint8Array
  payload: Uint8Array
  signature: Uint8Array
}): Uint8Array<ArrayBuffer> {
  const message = new Tagged(COSE_SIGN1_TAG, [parts.protectedBytes, new Map(), parts.payload, parts.signature])
  return encodeCbor(message)
}

function decodeSign1(cose: Uint8Array) {
  const message = decodeCbor(cose, 'COSE_Sign1')
  if (!(message instanceof Tagged) || message.tag !== COSE_SIGN1_TAG || !Array.isArray(message.value)) {
    throw new WireError(CODE, 'not a tagged COSE_Sign1 (CBOR tag 18)')
  }
  const [protectedBytes, unprotected, payload, signature, ...rest] = message.value as unknown[]
  if (!(unprotected instanceof Map) || rest.length > 0)
    throw new WireError(CODE, 'a COSE_Sign1 has four members', 'COSE_Sign1')
  return {
    protectedBytes: requireBytes(protectedBytes, 'protected'),
    payload: requireBytes(payload, 'payload'),
    signature: requireBytes(signature, 'signature'),
  }
}

function jsonForm(headers: Map<unknown, unknown>, payload: Uint8Array) {
  let parsed: unknown
  try {
    parsed = JSON.parse(decodeUtf8(payload))
  } catch (cause) {
    throw new WireError(CODE, 'the payload is not JSON', 'payload', { cause })
  }
  const payloadJson = requireObject(parsed, CODE, '')
  const measurement = payloadJson['x-ms-sevsnpvm-launchmeasurement']
  if (typeof measurement !== 'string' || !/^[0-9a-f]{96}$/.test(measurement)) {
    throw new WireError(
      CODE,
      'the endorsed launch measurement must be 96 lower-case hexadecimal digits',
      'payload.x-ms-sevsnpvm-launchmeasurement',
    )
  }
  const svn = payloadJson['x-ms-sevsnpvm-guestsvn']
  if (typeof svn !== 'string' || !/^[0-9]+$/.test(svn)) {
    throw new WireError(CODE, 'the SVN must be a string of decimal digits', 'payload.x-ms-sevsnpvm-guestsvn')
  }
  return {
    form: 'json',
    issuer: requireHeaderText(headers.get('iss'), 'protected.iss'),
    feed: requireHeaderText(headers.get('feed'), 'protected.feed'),
    svn,
    launchMeasurement: Uint8Array.from(measurement.match(/../g)!, (digits) => Number.parseInt(digits, 16)),
    ...signedAt(headers.get('signingtime')),
    payloadJson,
  } as const
}

function hashEnvelope(headers: Map<unknown, unknown>, payload: Uint8Array) {
  const claims = requireMap(headers.get(HEADER.cwtClaims), 'protected.15')
  const svn = claims.get('svn')
  if (typeof svn !== 'number' || !Number.isSafeInteger(svn)) {
    throw new WireError(CODE, 'the CWT claims hold no integer svn', 'protected.15.svn')
  }
  if (payload.length !== MEASUREMENT_SIZE) {
    throw new WireError(
      CODE,
      `the payload of a hash envelope is a measurement of ${MEASUREMENT_SIZE} bytes, not ${payload.length}`,
      'payload',
    )
  }
  return {
    form: 'hashEnvelope',
    issuer: requireHeaderText(claims.get(CWT.iss), 'protected.15.1'),
    feed: requireHeaderText(claims.get(CWT.sub), 'protected.15.2'),
    svn,
    launchMeasurement: payload,
    ...signedAt(claims.get(CWT.iat)),
  } as const
}

function signedAt(value: unknown): { signedAt?: number } {
  const seconds = value instanceof Tagged && value.tag === EPOCH_TAG ? value.value : value
  return typeof seconds === 'number' ? { signedAt: seconds } : {}
}

/** RFC 9360: one byte string, or an array of at least two. */
function decodeChain(value: unknown): Uint8Array[] {
  const items = Array.isArray(value) ? value : [value]
  return items.map((item, index) => requireBytes(item, `protected.33[${index}]`))
}

/** The library's bytes may be a view into a buffer of its own: these are a plain copy. */
function encodeCbor(value: unknown): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(encode(value))
}

function decodeCbor(bytes: Uint8Array, at: string): unknown {
  try {
    return decode(bytes, DECODE_OPTIONS)
  } catch (cause) {
    throw new WireError(CODE, `${at} is not CBOR`, at, { cause })
  }
}

function requireMap(value: unknown, at: string): Map<unknown, unknown> {
  if (value instanceof Map) return value
  throw new WireError(CODE, `${at} must be a map`, at)
}

function requireBytes(value: unknown, at: string): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new WireError(CODE, `${at} must be a byte string`, at)
}

function requireHeaderText(value: unknown, at: string): string {
  if (typeof value === 'string') return value
  throw new WireError(CODE, `${at} must be text`, at)
}
