import { encodeHex, snpClaims, type UvmEndorsement } from '@skerry/guest/wire'
import type { Evidence } from './evidence/verifier.ts'

/** Claims of a confidential container group's token, without the registered ones. Source: Microsoft Learn, sample token. */
export function attestationClaims(
  evidence: Evidence & Required<Pick<Evidence, 'report' | 'product'>>,
  request: { readonly nonce?: string },
  policyHash: string,
): Record<string, unknown> {
  const { report, product, uvm, runtime, initTime } = evidence
  return {
    ...snpClaims(report, product),
    'x-ms-ver': '1.0',
    'x-ms-policy-hash': policyHash,
    ...(uvm !== undefined && {
      'x-ms-compliance-status': 'azure-compliant-uvm',
      'x-ms-sevsnpvm-uvm-endorsement': endorsementClaim(uvm),
    }),
    ...(runtime !== undefined && { 'x-ms-runtime': runtime.value }),
    ...(initTime !== undefined && { 'x-ms-inittime': initTime.value }),
    ...(request.nonce !== undefined && { nonce: request.nonce }),
  }
}

/** The claims that release policies of confidential container groups test: for a person, in the journal. */
export function releaseClaims(claims: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const names = [
    'x-ms-attestation-type',
    'x-ms-compliance-status',
    'x-ms-sevsnpvm-hostdata',
    'x-ms-sevsnpvm-is-debuggable',
    'x-ms-sevsnpvm-vmpl',
    'x-ms-sevsnpvm-launchmeasurement',
  ]
  return Object.fromEntries(names.map((name) => [name, claims[name]]))
}

/** The payload of the endorsement; for the hash envelope, which has none, the same members from its headers. */
function endorsementClaim(uvm: UvmEndorsement): Record<string, unknown> {
  if (uvm.payloadJson !== undefined) return { ...uvm.payloadJson }
  return {
    'x-ms-sevsnpvm-guestsvn': String(uvm.svn),
    'x-ms-sevsnpvm-guestsvn-int': Number(uvm.svn),
    'x-ms-sevsnpvm-launchmeasurement': encodeHex(uvm.launchMeasurement),
  }
}
