import { parseEndpoint } from '../http/endpoint.ts'
import { type Fetch, globalFetch, requestJson, UpstreamError } from '../http/upstream.ts'
import { type AttestedData, encodeSgxAttestRequest, type SgxEvidenceMember } from '../wire/index.ts'

/** What is attested beside the enclave, by whom, for whom. */
export interface AttestEnclaveOptions {
  /** Host name of the Microsoft Azure Attestation provider. */
  readonly maaEndpoint: string
  /** The bytes whose SHA-256 is the first half of the enclave's report data; as JSON they become `x-ms-runtime`. */
  readonly runtimeData?: AttestedData
  /** The bytes whose SHA-256 is the first half of its configuration id. */
  readonly initTimeData?: AttestedData
  /** Comes back in the token. */
  readonly nonce?: string
  /** Default: Node's `fetch`. */
  readonly fetch?: Fetch
}

/**
 * Shows a quote of an SGX enclave (version 3, ECDSA) to Microsoft Azure Attestation. The quote is the enclave's own
 * affair: a quoting library inside it makes one.
 * @returns the attestation token
 * @throws UpstreamError; InvalidArgumentError
 */
export function attestSgxEnclave(quote: Uint8Array, options: AttestEnclaveOptions): Promise<string> {
  return requestToken('SgxEnclave', 'quote', quote, options)
}

/** The same for a report of Open Enclave: a quote with its header of 16 bytes in front (`oe_get_report`). */
export function attestOpenEnclave(report: Uint8Array, options: AttestEnclaveOptions): Promise<string> {
  return requestToken('OpenEnclave', 'report', report, options)
}

/** Source: Azure REST API specification, attestation data plane 2020-10-01, "Attest Sgx Enclave", "Attest Open Enclave". */
async function requestToken(
  type: 'SgxEnclave' | 'OpenEnclave',
  member: SgxEvidenceMember,
  evidence: Uint8Array,
  options: AttestEnclaveOptions,
): Promise<string> {
  const { fetch = globalFetch, maaEndpoint, ...data } = options
  const { url, host } = parseEndpoint('maa_endpoint', maaEndpoint)
  const answer = await requestJson(fetch, `MAA ${host}`, `${url}/attest/${type}?api-version=2020-10-01`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: encodeSgxAttestRequest(member, { evidence, ...data }),
  })
  return tokenOf(`MAA ${host}`, answer)
}

/** @throws UpstreamError `ERR_UPSTREAM_BODY` */
export function tokenOf(service: string, answer: unknown): string {
  const token = (answer as { token?: unknown } | null)?.token
  if (typeof token === 'string' && token.split('.').length === 3) return token
  throw new UpstreamError('ERR_UPSTREAM_BODY', service, 'the answer holds no token')
}
