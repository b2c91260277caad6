import { decodeUtf8, encodeBase64Url, encodeUtf8 } from './bytes.ts'
import { WireError } from './errors.ts'
import { type JsonObject, optionalText, pointer, requireArray, requireObject } from './json.ts'
import {
  type AttestedData,
  attestedData,
  decodeBytes,
  encodeAttestedData,
  MAA_REQUEST,
  nonceText,
  parseLossless,
} from './maa-request-parts.ts'

export type { AttestedData } from './maa-request-parts.ts'

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
  /** Its SHA-256 is the first half of the report data; the second half is zero. */
  readonly runtimeData?: AttestedData
  /** Its SHA-256 is the host data. As JSON it becomes the claim `x-ms-inittime`. */
  readonly initTimeData?: AttestedData
  /** A u64, or a text. */
  readonly nonce?: bigint | string
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

/**
 * The JSON text of the request. Base64url is unpadded; a nonce that is a number is a JSON number, as the sidecar sends it,
 * and one that is a text a JSON string, as the specification has it.
 */
export function encodeSnpAttestRequest(request: SnpAttestRequest): string {
  const { report, certificateChainPem, uvmEndorsements = [], runtimeData, initTimeData, nonce } = request
  if (typeof nonce === 'bigint' && (nonce < 0n || nonce >= 1n << 64n))
    throw new WireError(MAA_REQUEST, 'the nonce is a u64', '/nonce')
  const evidence = {
    SnpReport: encodeBase64Url(report),
    VcekCertChain: encodeText(certificateChainPem),
    ...(uvmEndorsements.length > 0 && {
      Endorsements: encodeText(JSON.stringify({ Uvm: uvmEndorsements.map((cose) => encodeBase64Url(cose)) })),
    }),
  }
  const body = JSON.stringify({
    report: encodeText(JSON.stringify(evidence)),
    ...(runtimeData !== undefined && { runtimeData: encodeAttestedData(runtimeData) }),
    ...(initTimeData !== undefined && { initTimeData: encodeAttestedData(initTimeData) }),
  })
  if (nonce === undefined) return body
  return `${body.slice(0, -1)},"nonce":${typeof nonce === 'string' ? JSON.stringify(nonce) : nonce}}`
}

/**
 * Reads a request. Every base64url level may be padded or not; the standard alphabet is refused; empty data counts as
 * absent. A pointer in an error continues through the encoded levels: `/report/VcekCertChain`.
 * @throws WireError `ERR_MAA_REQUEST` with a JSON pointer
 */
export function decodeSnpAttestRequest(body: string): DecodedSnpAttestRequest {
  const request = requireObject(parseLossless(body), MAA_REQUEST, '')
  const evidence = parseNested(request.report, '/report')
  const certificateChainPem = decodeText(evidence.VcekCertChain, '/report/VcekCertChain')
  const runtimeData = attestedData(request.runtimeData, '/runtimeData')
  const initTimeData = attestedData(request.initTimeData, '/initTimeData')
  const nonce = nonceText(request.nonce)
  const draftPolicy = optionalText(request.draftPolicyForAttestation, MAA_REQUEST, '/draftPolicyForAttestation')
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

function uvmEndorsements(value: unknown): Uint8Array[] {
  if (value === undefined || value === '') return []
  const at = '/report/Endorsements'
  const { Uvm } = parseNested(value, at)
  if (Uvm === undefined) return []
  const list = requireArray(Uvm, MAA_REQUEST, `${at}/Uvm`)
  return list.map((item, index) => decodeBytes(item, pointer(`${at}/Uvm`, index)))
}

function parseNested(value: unknown, at: string): JsonObject {
  const text = decodeText(value, at)
  try {
    return requireObject(JSON.parse(text), MAA_REQUEST, at)
  } catch (cause) {
    if (cause instanceof WireError) throw cause
    throw new WireError(MAA_REQUEST, `${at} must be base64url of JSON`, at, { cause })
  }
}

function decodeText(value: unknown, at: string): string {
  try {
    return decodeUtf8(decodeBytes(value, at))
  } catch (cause) {
    if (cause instanceof WireError && cause.code === MAA_REQUEST) throw cause
    throw new WireError(MAA_REQUEST, `${at} must be base64url of UTF-8 text`, at, { cause })
  }
}

function encodeText(text: string): string {
  return encodeBase64Url(encodeUtf8(text))
}
