import { decode, encode, Tagged } from 'cborg'
import { WireError } from './errors.ts'

/**
 * COSE_Sign1 with its certificates in the header. Sources: RFC 9052 (COSE), RFC 9053 (algorithms), RFC 9360 (x5chain, x5t).
 */
export interface CoseSign1 {
  /** The protected header as it was signed. */
  readonly protectedBytes: Uint8Array
  readonly protectedHeader: ReadonlyMap<unknown, unknown>
  /** Nothing in it is covered by the signature: whoever carries the message can change it. */
  readonly unprotectedHeader: ReadonlyMap<unknown, unknown>
  readonly payload: Uint8Array
  readonly signature: Uint8Array
  /** COSE algorithm number. */
  readonly alg: number
  /** DER, leaf first; at least one. */
  readonly x5chain: readonly Uint8Array[]
  /** Digest of the leaf, where the header names one. */
  readonly x5t?: { readonly digest: 'SHA-256' | 'SHA-384' | 'SHA-512'; readonly value: Uint8Array }
}

/** The algorithms that are taken, by their COSE numbers. The curve of ECDSA is that of the key (RFC 9053, 2.1). */
export const COSE_ALGORITHMS = {
  [-7]: { name: 'ES256', kind: 'ecdsa', hash: 'sha256', digestSize: 32 },
  [-35]: { name: 'ES384', kind: 'ecdsa', hash: 'sha384', digestSize: 48 },
  [-36]: { name: 'ES512', kind: 'ecdsa', hash: 'sha512', digestSize: 64 },
  [-37]: { name: 'PS256', kind: 'rsa-pss', hash: 'sha256', digestSize: 32 },
  [-38]: { name: 'PS384', kind: 'rsa-pss', hash: 'sha384', digestSize: 48 },
  [-39]: { name: 'PS512', kind: 'rsa-pss', hash: 'sha512', digestSize: 64 },
} as const satisfies Readonly<Record<number, CoseAlgorithm>>

export interface CoseAlgorithm {
  readonly name: string
  readonly kind: 'ecdsa' | 'rsa-pss'
  readonly hash: 'sha256' | 'sha384' | 'sha512'
  /** Bytes of the hash, and of the salt of RSASSA-PSS (RFC 8230, 2). */
  readonly digestSize: number
}

export const COSE_HEADER = {
  alg: 1,
  crit: 2,
  contentType: 3,
  cwtClaims: 15,
  x5chain: 33,
  x5t: 34,
  payloadHashAlg: 258,
  preimageContentType: 259,
  payloadLocation: 260,
  receipts: 394,
} as const

/** More certificates than any chain has; beyond it, somebody wants work done. */
const LONGEST_CHAIN = 16
const COSE_SIGN1_TAG = 18
const EPOCH_TAG = 1
const DIGESTS: ReadonlyMap<unknown, 'SHA-256' | 'SHA-384' | 'SHA-512'> = new Map([
  [-16, 'SHA-256'],
  [-43, 'SHA-384'],
  [-44, 'SHA-512'],
] as const)

/** Headers whose meaning is known here, which is what `crit` asks for. */
const UNDERSTOOD: ReadonlySet<unknown> = new Set<unknown>([
  ...Object.values(COSE_HEADER).filter((label) => label !== COSE_HEADER.receipts),
  'iss',
  'feed',
  'signingtime',
])

const DECODE_OPTIONS = {
  useMaps: true,
  rejectDuplicateMapKeys: true,
  tags: Tagged.preserve(EPOCH_TAG, COSE_SIGN1_TAG),
}

export function coseAlgorithm(alg: number): CoseAlgorithm | undefined {
  return Object.hasOwn(COSE_ALGORITHMS, alg) ? COSE_ALGORITHMS[alg as keyof typeof COSE_ALGORITHMS] : undefined
}

/**
 * Reads a tagged message with embedded payload. Algorithm and certificates count only in the protected header; no label
 * may stand in both headers; a critical header must be one that is known here. Verifies no signature.
 * @param code of the errors
 * @throws WireError (`at` names the header or member)
 */
export function decodeCoseSign1(message: Uint8Array, code: string): CoseSign1 {
  const tagged = decodeCbor(message, 'COSE_Sign1', code)
  if (!(tagged instanceof Tagged) || tagged.tag !== COSE_SIGN1_TAG || !Array.isArray(tagged.value)) {
    throw new WireError(code, 'not a tagged COSE_Sign1 (CBOR tag 18)')
  }
  const [protectedMember, unprotectedHeader, payload, signature, ...rest] = tagged.value as unknown[]
  if (!(unprotectedHeader instanceof Map) || rest.length > 0) {
    throw new WireError(code, 'a COSE_Sign1 has four members', 'COSE_Sign1')
  }
  if (payload === null) throw new WireError(code, 'the payload is detached', 'payload')
  const protectedBytes = requireBytes(protectedMember, 'protected', code)
  const protectedHeader = requireMap(decodeCbor(protectedBytes, 'protected', code), 'protected', code)
  refuseDoubles(protectedHeader, unprotectedHeader, code)
  refuseUnknownCritical(protectedHeader, code)
  const alg = protectedHeader.get(COSE_HEADER.alg)
  if (typeof alg !== 'number') throw new WireError(code, 'the protected header has no algorithm number', 'protected.1')
  const x5t = decodeThumbprint(protectedHeader.get(COSE_HEADER.x5t), code)
  return {
    protectedBytes,
    protectedHeader,
    unprotectedHeader,
    payload: requireBytes(payload, 'payload', code),
    signature: requireBytes(signature, 'signature', code),
    alg,
    x5chain: decodeChain(protectedHeader.get(COSE_HEADER.x5chain), code),
    ...(x5t !== undefined && { x5t }),
  }
}

/** What a COSE_Sign1 signature covers: Sig_structure with empty external data (RFC 9052 section 4.4). */
export function encodeSigStructure(protectedBytes: Uint8Array, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodeCbor(['Signature1', protectedBytes, new Uint8Array(0), payload])
}

/** A COSE_Sign1 (tag 18) from its parts; without `unprotected` that header is empty. */
export function encodeCoseSign1(parts: {
  readonly protectedBytes: Uint8Array
  readonly payload: Uint8Array
  readonly signature: Uint8Array
  readonly unprotected?: ReadonlyMap<number | string, unknown>
}): Uint8Array<ArrayBuffer> {
  const unprotected = new Map(parts.unprotected ?? [])
  return encodeCbor(new Tagged(COSE_SIGN1_TAG, [parts.protectedBytes, unprotected, parts.payload, parts.signature]))
}

/** The library's bytes may be a view into a buffer of its own: these are a plain copy. */
export function encodeCbor(value: unknown): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(encode(value))
}

/** A time: seconds since the epoch, with CBOR tag 1 or without. Undefined for anything else. */
export function epochOf(value: unknown): number | undefined {
  const seconds = value instanceof Tagged && value.tag === EPOCH_TAG ? value.value : value
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds : undefined
}

export function epochTagged(seconds: number): Tagged {
  return new Tagged(EPOCH_TAG, seconds)
}

export function requireMap(value: unknown, at: string, code: string): Map<unknown, unknown> {
  if (value instanceof Map) return value
  throw new WireError(code, `${at} must be a map`, at)
}

function requireBytes(value: unknown, at: string, code: string): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new WireError(code, `${at} must be a byte string`, at)
}

function decodeCbor(bytes: Uint8Array, at: string, code: string): unknown {
  try {
    return decode(bytes, DECODE_OPTIONS)
  } catch (cause) {
    throw new WireError(code, `${at} is not CBOR`, at, { cause })
  }
}

/** RFC 9052, 3: a label stands in one of the two headers. */
function refuseDoubles(protectedHeader: Map<unknown, unknown>, unprotectedHeader: Map<unknown, unknown>, code: string) {
  for (const label of unprotectedHeader.keys()) {
    if (protectedHeader.has(label)) {
      throw new WireError(code, `header ${String(label)} is both protected and unprotected`, `unprotected.${label}`)
    }
  }
}

/** RFC 9052, 3.1: `crit` is a list of labels, not empty, and what it names must be understood and be there. */
function refuseUnknownCritical(header: Map<unknown, unknown>, code: string): void {
  const critical = header.get(COSE_HEADER.crit)
  if (critical === undefined) return
  const at = 'protected.2'
  if (!Array.isArray(critical) || critical.length === 0) {
    throw new WireError(code, 'the list of critical headers must be an array that is not empty', at)
  }
  for (const label of critical as unknown[]) {
    if (!UNDERSTOOD.has(label) || !header.has(label)) {
      throw new WireError(code, 'a critical header is not known here, or not there', at)
    }
  }
}

/** RFC 9360: one byte string, or an array of at least two. */
function decodeChain(value: unknown, code: string): Uint8Array[] {
  const items: unknown[] = Array.isArray(value) ? value : [value]
  if (items.length === 0 || items.length > LONGEST_CHAIN) {
    throw new WireError(code, `x5chain holds ${items.length} certificates, not 1 to ${LONGEST_CHAIN}`, 'protected.33')
  }
  return items.map((item, index) => requireBytes(item, `protected.33[${index}]`, code))
}

/** COSE_CertHash: [hash algorithm, digest]. */
function decodeThumbprint(value: unknown, code: string): CoseSign1['x5t'] {
  if (value === undefined) return undefined
  const [algorithm, bytes] = Array.isArray(value) && value.length === 2 ? (value as unknown[]) : []
  const digest = DIGESTS.get(algorithm)
  if (digest === undefined || !(bytes instanceof Uint8Array)) {
    throw new WireError(code, 'x5t must be a SHA-2 algorithm and a digest', 'protected.34')
  }
  return { digest, value: bytes }
}
