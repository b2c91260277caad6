import { decodeUtf8, encodeHex, encodeUtf8 } from './bytes.ts'
import {
  COSE_HEADER,
  type CoseSign1,
  decodeCoseSign1,
  encodeCbor,
  encodeCoseSign1,
  epochOf,
  epochTagged,
  requireMap,
} from './cose-sign1.ts'
import { WireError } from './errors.ts'
import { type JsonObject, requireObject } from './json.ts'

/**
 * UVM endorsements: COSE_Sign1 statements about the launch measurement of Azure's utility VM.
 * Sources: RFC 9597 (CWT claims in headers), RFC 9054 and draft-ietf-cose-hash-envelope; Microsoft "Confidential ACI
 * scheme".
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
  /** Digest of the leaf, where the header names one. */
  readonly x5t?: CoseSign1['x5t']
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

/** COSE number of SHA-384: a launch measurement is one, so the envelope's payload is a digest already. */
const HASH_SHA384 = -43
const CWT = { iss: 1, sub: 2, iat: 6 } as const
const MEASUREMENT_SIZE = 48
const CODE = 'ERR_UVM_ENDORSEMENT'
const CLAIM = {
  measurement: 'x-ms-sevsnpvm-launchmeasurement',
  svn: 'x-ms-sevsnpvm-guestsvn',
  svnInt: 'x-ms-sevsnpvm-guestsvn-int',
} as const

/**
 * Reads both forms. Verifies nothing: signature, chain and issuer are the caller's to check (`encodeSigStructure`,
 * `matchDidX509`). Of the unprotected header nothing is taken: an RFC 3161 `timestamp` or a ledger's receipts (394) there
 * are covered by no signature of the endorser's, anybody could take them away, and no decision needs them, since the dates
 * of an endorser's certificates are compared with the signing time of the protected header.
 * @throws WireError `ERR_UVM_ENDORSEMENT` (`at` names the header or member)
 */
export function decodeUvmEndorsement(cose: Uint8Array): UvmEndorsement {
  const { protectedHeader, unprotectedHeader, ...message } = decodeCoseSign1(cose, CODE)
  const envelope = protectedHeader.has(COSE_HEADER.payloadHashAlg)
  for (const label of [COSE_HEADER.payloadHashAlg, COSE_HEADER.preimageContentType, COSE_HEADER.payloadLocation]) {
    if (unprotectedHeader.has(label)) {
      throw new WireError(CODE, `header ${label} must be protected`, `unprotected.${label}`)
    }
  }
  return {
    ...message,
    ...(envelope ? hashEnvelope(protectedHeader, message.payload) : jsonForm(protectedHeader, message.payload)),
  }
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
    [COSE_HEADER.alg, header.alg],
    [COSE_HEADER.contentType, 'application/json'],
    [COSE_HEADER.x5chain, [...header.x5chain]],
    [COSE_HEADER.x5t, [-16, header.leafSha256]],
    ['iss', header.issuer],
    ['feed', header.feed],
    ['signingtime', epochTagged(header.signedAt)],
  ])
  return encodeCbor(map)
}

/** The protected header of the hash envelope, as bytes to be signed; the payload is the bare launch measurement. */
export function encodeUvmHashEnvelopeHeader(
  header: UvmProtectedHeader & { readonly svn: number },
): Uint8Array<ArrayBuffer> {
  const claims = new Map<number | string, unknown>([
    [CWT.iss, header.issuer],
    [CWT.sub, header.feed],
    [CWT.iat, epochTagged(header.signedAt)],
    ['svn', header.svn],
  ])
  const map = new Map<number, unknown>([
    [COSE_HEADER.alg, header.alg],
    [COSE_HEADER.cwtClaims, claims],
    [COSE_HEADER.x5chain, [...header.x5chain]],
    [COSE_HEADER.x5t, [-16, header.leafSha256]],
    [COSE_HEADER.payloadHashAlg, HASH_SHA384],
    [COSE_HEADER.preimageContentType, 'application/octet-stream'],
  ])
  return encodeCbor(map)
}

/** The payload of the JSON form. */
export function encodeUvmPayload(payload: { launchMeasurement: Uint8Array; svn: number }): Uint8Array<ArrayBuffer> {
  return encodeUtf8(
    JSON.stringify({
      [CLAIM.svn]: String(payload.svn),
      [CLAIM.svnInt]: payload.svn,
      [CLAIM.measurement]: encodeHex(payload.launchMeasurement),
    }),
  )
}

/** A COSE_Sign1 (tag 18) from its signed parts; the unprotected header is empty. */
export function encodeUvmEndorsement(parts: {
  protectedBytes: Uint8Array
  payload: Uint8Array
  signature: Uint8Array
}): Uint8Array<ArrayBuffer> {
  return encodeCoseSign1(parts)
}

function jsonForm(headers: ReadonlyMap<unknown, unknown>, payload: Uint8Array) {
  const contentType = headers.get(COSE_HEADER.contentType)
  if (contentType !== 'application/json') {
    throw new WireError(CODE, 'the content type is not application/json', 'protected.3')
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(decodeUtf8(payload))
  } catch (cause) {
    throw new WireError(CODE, 'the payload is not JSON', 'payload', { cause })
  }
  const payloadJson = requireObject(parsed, CODE, '')
  const measurement = payloadJson[CLAIM.measurement]
  if (typeof measurement !== 'string' || !/^[0-9a-f]{96}$/.test(measurement)) {
    throw new WireError(
      CODE,
      'the endorsed launch measurement must be 96 lower-case hexadecimal digits',
      `payload.${CLAIM.measurement}`,
    )
  }
  const svn = payloadJson[CLAIM.svn]
  if (typeof svn !== 'string' || !/^[0-9]{1,15}$/.test(svn)) {
    throw new WireError(CODE, 'the SVN must be a string of decimal digits', `payload.${CLAIM.svn}`)
  }
  const svnInt = payloadJson[CLAIM.svnInt]
  if (svnInt !== undefined && svnInt !== Number(svn)) {
    throw new WireError(CODE, 'the SVN as an integer must be the one of the text', `payload.${CLAIM.svnInt}`)
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

function hashEnvelope(headers: ReadonlyMap<unknown, unknown>, payload: Uint8Array) {
  if (headers.get(COSE_HEADER.payloadHashAlg) !== HASH_SHA384) {
    throw new WireError(CODE, 'the hash of a launch measurement is SHA-384 (-43)', 'protected.258')
  }
  // draft-ietf-cose-hash-envelope: the content type of the payload gives way to that of its preimage.
  if (headers.has(COSE_HEADER.contentType)) {
    throw new WireError(CODE, 'a hash envelope has no content type of its own', 'protected.3')
  }
  const claims = requireMap(headers.get(COSE_HEADER.cwtClaims), 'protected.15', CODE)
  const svn = claims.get('svn')
  if (typeof svn !== 'number' || !Number.isSafeInteger(svn) || svn < 0) {
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
  const seconds = epochOf(value)
  return seconds === undefined ? {} : { signedAt: seconds }
}

function requireHeaderText(value: unknown, at: string): string {
  if (typeof value === 'string') return value
  throw new WireError(CODE, `${at} must be text`, at)
}
