import { encodeHex, snpClaims, type UvmEndorsement } from '@skerry/guest/wire'
import type { Evidence } from './evidence/verifier.ts'

/** What SEV-SNP evidence says, as claims of the token. Source: Microsoft Learn, sample token of a confidential container group. */
export function evidenceClaims(
  evidence: Evidence & Required<Pick<Evidence, 'report' | 'product'>>,
): Record<string, unknown> {
  const { report, product, uvm, runtime, initTime } = evidence
  return {
    ...snpClaims(report, product),
    ...(uvm !== undefined && {
      'x-ms-compliance-status': 'azure-compliant-uvm',
      'x-ms-sevsnpvm-uvm-endorsement': endorsementClaim(uvm),
    }),
    ...(runtime !== undefined && { 'x-ms-runtime': runtime.value }),
    ...(initTime !== undefined && { 'x-ms-inittime': initTime.value }),
  }
}

/** Those claims that release policies and relying parties test most: for a person, in the journal. */
export function journalClaims(claims: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const names = [
    'x-ms-attestation-type',
    'x-ms-compliance-status',
    'x-ms-sevsnpvm-hostdata',
    'x-ms-sevsnpvm-is-debuggable',
    'x-ms-sevsnpvm-vmpl',
    'x-ms-sevsnpvm-launchmeasurement',
    'x-ms-sgx-is-debuggable',
    'x-ms-sgx-mrenclave',
    'x-ms-sgx-mrsigner',
    'x-ms-sgx-product-id',
    'x-ms-sgx-svn',
    'x-ms-policy-hash',
  ]
  return Object.fromEntries(names.flatMap((name) => (claims[name] === undefined ? [] : [[name, claims[name]]])))
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
