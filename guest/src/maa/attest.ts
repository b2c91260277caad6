import { randomBytes } from 'node:crypto'
import { type AttestationContext, collectEvidence, type Evidence } from '../attest/evidence.ts'
import { parseEndpoint } from '../http/endpoint.ts'
import { type Fetch, globalFetch, requestJson } from '../http/upstream.ts'
import { type AttestedData, encodeSnpAttestRequest } from '../wire/index.ts'
import { tokenOf } from './attest-sgx.ts'

/** What is attested, by whom, for whom. */
export interface AttestOptions {
  /** Host name of the Microsoft Azure Attestation provider, such as `contoso.weu.attest.azure.net`. */
  readonly maaEndpoint: string
  /** JSON text, byte for byte as it is hashed; the token's `x-ms-runtime` will hold it. */
  readonly runtimeData: Uint8Array
  /**
   * The bytes whose SHA-256 is the guest's host data: the service then vouches for them too. On confidential containers
   * that is the CCE policy, `Binary`, for it is no JSON; JSON becomes the claim `x-ms-inittime`.
   */
  readonly initTimeData?: AttestedData
  /** Default: Node's `fetch`. */
  readonly fetch?: Fetch
  /**
   * The challenge of whoever will read the token, whose claim `nonce` holds it: a text as it is, a number (a u64) in
   * decimal. Default: a random number, which joins request and token.
   */
  readonly nonce?: bigint | string
}

/**
 * Shows fresh evidence to Microsoft Azure Attestation.
 * @returns the attestation token, a JWT in compact form. It is bound to `runtimeData`; treat it as a secret in logs.
 * @throws as `collectEvidence` does; UpstreamError; InvalidArgumentError
 */
export async function attest(context: AttestationContext, options: AttestOptions): Promise<string> {
  const endpoint = parseEndpoint('maa_endpoint', options.maaEndpoint)
  const evidence = await collectEvidence(context, { runtimeData: options.runtimeData })
  return await requestToken(endpoint.url, endpoint.host, evidence, options)
}

/** Source: Azure REST API specification, attestation data plane 2020-10-01, "Attest Sev Snp Vm". */
async function requestToken(url: string, host: string, evidence: Evidence, options: AttestOptions): Promise<string> {
  const { fetch = globalFetch, nonce = randomBytes(8).readBigUInt64BE(), initTimeData } = options
  const service = `MAA ${host}`
  const body = encodeSnpAttestRequest({
    report: evidence.report,
    certificateChainPem: evidence.certificateChainPem,
    uvmEndorsements: evidence.uvmEndorsements,
    runtimeData: { data: evidence.runtimeData, dataType: 'JSON' },
    ...(initTimeData && { initTimeData }),
    nonce,
  })
  const answer = await requestJson(fetch, service, `${url}/attest/SevSnpVM?api-version=2020-10-01`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body,
  })
  return tokenOf(service, answer)
}
