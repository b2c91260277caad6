import { decodeBase64Url, encodeBase64Url } from './bytes.ts'
import { WireError } from './errors.ts'
import { kindOf, optionalText, requireObject, requireText } from './json.ts'

/*
 * What the bodies of all attest requests have in common, whatever the evidence. Source: Azure REST API specification,
 * attestation data plane.
 */

/** The code of every error about a request's body; its `at` is a JSON pointer. */
export const MAA_REQUEST = 'ERR_MAA_REQUEST'

export interface AttestedData {
  /** The bytes that were hashed, exactly. */
  readonly data: Uint8Array
  readonly dataType: 'JSON' | 'Binary'
}

/** A number of a document whose digits JSON.parse would round: kept as it was written. */
interface WrittenNumber {
  readonly writtenNumber: string
}

/** JSON.parse that keeps the written form of a top-level `nonce` (a u64 loses digits as a double). */
export function parseLossless(body: string): unknown {
  const revive = (key: string, value: unknown, context?: { source?: string }) =>
    key === 'nonce' && typeof value === 'number' && context?.source !== undefined
      ? ({ writtenNumber: context.source } satisfies WrittenNumber)
      : value
  try {
    return JSON.parse(body, revive)
  } catch (cause) {
    throw new WireError(MAA_REQUEST, 'the body is not JSON', '', { cause })
  }
}

/** The nonce as the token's claim has it. */
export function nonceText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  const written = (value as Partial<WrittenNumber>).writtenNumber
  if (written !== undefined && /^(?:0|[1-9][0-9]{0,19})$/.test(written) && BigInt(written) < 1n << 64n) return written
  throw new WireError(MAA_REQUEST, '/nonce must be a string or an integer from 0 to 2^64 - 1', '/nonce')
}

/** `runtimeData` or `initTimeData`; empty data counts as absent. */
export function attestedData(value: unknown, at: string): AttestedData | undefined {
  if (value === undefined || value === null) return undefined
  const object = requireObject(value, MAA_REQUEST, at)
  const data = optionalText(object.data, MAA_REQUEST, `${at}/data`)
  if (data === undefined || data === '') return undefined
  const dataType = optionalText(object.dataType, MAA_REQUEST, `${at}/dataType`)?.toLowerCase()
  if (dataType !== 'json' && dataType !== 'binary') {
    throw new WireError(MAA_REQUEST, `${at}/dataType must be JSON or Binary`, `${at}/dataType`)
  }
  return { data: decodeBytes(data, `${at}/data`), dataType: dataType === 'json' ? 'JSON' : 'Binary' }
}

/** Base64url, padded or not; the standard alphabet is refused. */
export function decodeBytes(value: unknown, at: string): Uint8Array {
  if (typeof value !== 'string') throw new WireError(MAA_REQUEST, `${at} must be a string, it is ${kindOf(value)}`, at)
  try {
    return decodeBase64Url(requireText(value, MAA_REQUEST, at), { padding: 'allow' })
  } catch (cause) {
    if (cause instanceof WireError && cause.code === MAA_REQUEST) throw cause
    throw new WireError(MAA_REQUEST, `${at} must be base64url (alphabet with - and _)`, at, { cause })
  }
}

export function encodeAttestedData({ data, dataType }: AttestedData): { data: string; dataType: string } {
  return { data: encodeBase64Url(data), dataType }
}
