import { decodeBase64Url, decodeUtf8, encodeBase64Url, encodeUtf8 } from './bytes.ts'
import { WireError } from './errors.ts'
import { type JsonObject, kindOf, optionalText, pointer, requireArray, requireObject, requireText } from './json.ts'

/**
 * The body of `POST /attest/SevSnpVm`. Source: Azure REST API specification, attestation data plane, "Attest Sev Snp
 * Vm"; the shapes inside `report` as the open-source SKR sidecar sends them.
 */
export interface SnpAttestRequest {
  /** 1184 bytes. */
  readonly report: Uint8Array
  /** VCEK, ASK, ARK. */
  readonly certificateChainPem: string
  /** COSE_Sign1 each. */
  readonly uvmEndorsements?: readonly Uint8Array[]
  readonly runtimeData?: AttestedData
  readonly nonce?: bigint
}

export interface AttestedData {
  /** The bytes that were hashed, exactly. */
  readonly data: Uint8Array
  readonly dataType: 'JSON' | 'Binary'
}

export interface DecodedSnpAttestRequest {
  readonly report: Uint8Array
  readonly certificateChainPem: string
  readonly uvmEndorsements: readonly Uint8Array[]
  readonly runtimeData?: AttestedData
  readonly initTimeData?: AttestedData
  /** As the token's claim has it: a number in decimal (no digit lost), a string as it came. */
  readonly nonce?: string
  /** Policy text to evaluate instead of the stored one. */
  readonly draftPolicy?: string
}

const CODE = 'ERR_MAA_REQUEST'

/** The JSON text of the request. Base64url is unpadded; the nonce is a JSON number, as the sidecar sends it. */
export function encodeSnpAttestRequest(request: SnpAttestRequest): string {
  const { report, certificateChainPem, uvmEndorsements = [], runtimeData, nonce } = request
  if (nonce !== undefined && (nonce < 0n || nonce >= 1n << 64n))
    throw new WireError(CODE, 'the nonce is a u64', '/nonce')
  const evidence = {
    SnpReport: encodeBase64Url(report),
    VcekCertChain: encodeText(certificateChainPem),
    ...(uvmEndorsements.length > 0 && {
      Endorsements: encodeText(JSON.stringify({ Uvm: uvmEndorsements.map((cose) => encodeBase64Url(cose)) })),
    }),
  }
  const body = JSON.stringify({
    report: encodeText(JSON.stringify(evidence)),
    ...(runtimeData !== undefined && {
      runtimeData: { data: encodeBase64Url(runtimeData.data), dataType: runtimeData.dataType },
    }),
  })
  return nonce === undefined ? body : `${body.slice(0, -1)},"nonce":${nonce}}`
}

/**
 * Reads a request. Every base64url level may be padded or not; the standard alphabet is refused; empty data counts as
 * absent. A pointer in an error continues through the encoded levels: `/report/VcekCertChain`.
 * @throws WireError `ERR_MAA_REQUEST` with a JSON pointer
 */
export function decodeSnpAttestRequest(body: string): DecodedSnpAttestRequest {
  const request = requireObject(parseLossless(body), CODE, '')
  const evidence = parseNested(request.report, '/report')
  const certificateChainPem = decodeText(evidence.VcekCertChain, '/report/VcekCertChain')
  const runtimeData = attestedData(request.runtimeData, '/runtimeData')
  const initTimeData = attestedData(request.initTimeData, '/initTimeData')
  const nonce = nonceText(request.nonce)
  const draftPolicy = optionalText(request.draftPolicyForAttestation, CODE, '/draftPolicyForAttestation')
  return {
    report: decodeBytes(evidence.SnpReport, '/report/SnpReport'),
    certificateChainPem,
    uvmEndorsements: uvmEndorsements(evidence.Endorsements),
    ...(runtimeData !== undefined && { runtimeData }),
    ...(initTimeData !== undefined && { initTimeData }),
    ...(nonce !== undefined && { nonce }),
    ...(draftPolicy && { draftPolicy }),
  }
}

/** A number of a document whose digits JSON.parse would round: kept as it was written. */
interface WrittenNumber {
  readonly writtenNumber: string
}

/** JSON.parse that keeps the written form of a top-level `nonce` (a u64 loses digits as a double). */
function parseLossless(body: string): unknown {
  const revive = (key: string, value: unknown, context?: { source?: string }) =>
    key === 'nonce' && typeof value === 'number' && context?.source !== undefined
      ? ({ writtenNumber: context.source } satisfies WrittenNumber)
      : value
  try {
    return JSON.parse(body, revive)
  } catch (cause) {
    throw new WireError(CODE, 'the body is not JSON', '', { cause })
  }
}

function nonceText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  const written = (value as Partial<WrittenNumber>).writtenNumber
  if (written !== undefined && /^(?:0|[1-9][0-9]{0,19})$/.test(written) && BigInt(written) < 1n << 64n) return written
  throw new WireError(CODE, '/nonce must be a string or an integer from 0 to 2^64 - 1', '/nonce')
}

function uvmEndorsements(value: unknown): Uint8Array[] {
  if (value === undefined || value === '') return []
  const at = '/report/Endorsements'
  const { Uvm } = parseNested(value, at)
  if (Uvm === undefined) return []
  const list = requireArray(Uvm, CODE, `${at}/Uvm`)
  return list.map((item, index) => decodeBytes(item, pointer(`${at}/Uvm`, index)))
}

function attestedData(value: unknown, at: string): AttestedData | undefined {
  if (value === undefined || value === null) return undefined
  const object = requireObject(value, CODE, at)
  const data = optionalText(object.data, CODE, `${at}/data`)
  if (data === undefined || data === '') return undefined
  const dataType = optionalText(object.dataType, CODE, `${at}/dataType`)?.toLowerCase()
  if (dataType !== 'json' && dataType !== 'binary') {
    throw new WireError(CODE, `${at}/dataType must be JSON or Binary`, `${at}/dataType`)
  }
  return { data: decodeBytes(data, `${at}/data`), dataType: dataType === 'json' ? 'JSON' : 'Binary' }
}

function parseNested(value: unknown, at: string): JsonObject {
  const text = decodeText(value, at)
  try {
    return requireObject(JSON.parse(text), CODE, at)
  } catch (cause) {
    if (cause instanceof WireError) throw cause
    throw new WireError(CODE, `${at} must be base64url of JSON`, at, { cause })
  }
}

function decodeText(value: unknown, at: string): string {
  try {
    return decodeUtf8(decodeBytes(value, at))
  } catch (cause) {
    if (cause instanceof WireError && cause.code === CODE) throw cause
    throw new WireError(CODE, `${at} must be base64url of UTF-8 text`, at, { cause })
  }
}

function decodeBytes(value: unknown, at: string): Uint8Array {
  if (typeof value !== 'string') throw new WireError(CODE, `${at} must be a string, it is ${kindOf(value)}`, at)
  try {
    return decodeBase64Url(requireText(value, CODE, at), { padding: 'allow' })
  } catch (cause) {
    if (cause instanceof WireError && cause.code === CODE) throw cause
    throw new WireError(CODE, `${at} must be base64url (alphabet with - and _)`, at, { cause })
  }
}

function encodeText(text: string): string {
  return encodeBase64Url(encodeUtf8(text))
}
