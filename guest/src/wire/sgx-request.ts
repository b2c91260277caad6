import { encodeBase64Url } from './bytes.ts'
import { optionalText, requireObject } from './json.ts'
import {
  type AttestedData,
  attestedData,
  decodeBytes,
  encodeAttestedData,
  MAA_REQUEST,
  nonceText,
  parseLossless,
} from './maa-request-parts.ts'

/**
 * The bodies of `POST /attest/SgxEnclave` (a quote, in `quote`) and `POST /attest/OpenEnclave` (a quote behind the header
 * of Open Enclave, in `report`). Source: Azure REST API specification, attestation data plane, "Attest Sgx Enclave",
 * "Attest Open Enclave".
 */
export interface SgxAttestRequest {
  /** For SgxEnclave the quote; for OpenEnclave the report with its header. */
  readonly evidence: Uint8Array
  /** Its SHA-256 is the first half of the enclave's report data; the second half is zero. */
  readonly runtimeData?: AttestedData
  /** Its SHA-256 is the first half of the enclave's configuration id. */
  readonly initTimeData?: AttestedData
  readonly nonce?: string
  /** Policy text to evaluate instead of the stored one; the token is then not signed. */
  readonly draftPolicy?: string
}

/** Which member holds the evidence. */
export type SgxEvidenceMember = 'quote' | 'report'

/** The JSON text of a request; base64url is unpadded. */
export function encodeSgxAttestRequest(member: SgxEvidenceMember, request: SgxAttestRequest): string {
  const { evidence, runtimeData, initTimeData, nonce, draftPolicy } = request
  return JSON.stringify({
    [member]: encodeBase64Url(evidence),
    ...(runtimeData !== undefined && { runtimeData: encodeAttestedData(runtimeData) }),
    ...(initTimeData !== undefined && { initTimeData: encodeAttestedData(initTimeData) }),
    ...(draftPolicy !== undefined && { draftPolicyForAttestation: draftPolicy }),
    ...(nonce !== undefined && { nonce }),
  })
}

/**
 * Reads a request. Base64url may be padded or not; empty data counts as absent; a numeric nonce loses no digit.
 * @throws WireError `ERR_MAA_REQUEST` with a JSON pointer
 */
export function decodeSgxAttestRequest(member: SgxEvidenceMember, body: string): SgxAttestRequest {
  const request = requireObject(parseLossless(body), MAA_REQUEST, '')
  const runtimeData = attestedData(request.runtimeData, '/runtimeData')
  const initTimeData = attestedData(request.initTimeData, '/initTimeData')
  const nonce = nonceText(request.nonce)
  const draftPolicy = optionalText(
    request.draftPolicyForAttestation ?? undefined,
    MAA_REQUEST,
    '/draftPolicyForAttestation',
  )
  return {
    evidence: decodeBytes(request[member], `/${member}`),
    ...(runtimeData !== undefined && { runtimeData }),
    ...(initTimeData !== undefined && { initTimeData }),
    ...(nonce !== undefined && { nonce }),
    ...(draftPolicy && { draftPolicy }),
  }
}
