import { createHash } from 'node:crypto'
import { type AttestedData, encodeBase64Url, type SgxReportBody, sgxClaims } from '@skerry/guest/wire'
import type { PolicyValue } from '../policy/value.ts'
import type { SgxCollateral } from './collateral.ts'

/** What was found of a quote that is in order. */
export interface VerifiedQuote {
  readonly quote: Uint8Array
  readonly report: SgxReportBody
  readonly collateral?: SgxCollateral
  readonly runtimeData?: AttestedData
  readonly runtime?: { readonly value: unknown }
  readonly initTime?: { readonly value: unknown }
  /** `azuredefault` or the number that the policy chose. */
  readonly baseline: string
}

/**
 * The claims of an enclave's token, the old names among them that are there without any policy. Members and types as
 * recorded of the service in 2021 and 2023; which bytes the hashes of the collateral cover is not published, but for the
 * quote's: here it is what was evaluated, and nothing (SHA-256 of no bytes) where nothing was.
 */
export function quoteClaims(verified: VerifiedQuote): Record<string, unknown> {
  const { report, runtimeData, runtime, initTime, baseline } = verified
  const collateral = collateralClaim(verified)
  const held = runtimeData?.dataType === 'Binary' ? encodeBase64Url(runtimeData.data) : undefined
  return {
    ...sgxClaims(report),
    'x-ms-sgx-collateral': collateral,
    'maa-attestationcollateral': collateral,
    'x-ms-sgx-tcbidentifier': baseline,
    ...(held !== undefined && { 'x-ms-sgx-ehd': held, 'aas-ehd': held, 'maa-ehd': held }),
    ...(runtime !== undefined && { 'x-ms-runtime': runtime.value }),
    ...(initTime !== undefined && { 'x-ms-inittime': initTime.value }),
  }
}

/** Names that policies of the first version use for the same values. Source: Microsoft Learn, "Claim sets". */
export function oldClaimNames(claims: Readonly<Record<string, unknown>>): Record<string, PolicyValue> {
  const names = {
    '$is-debuggable': 'x-ms-sgx-is-debuggable',
    '$product-id': 'x-ms-sgx-product-id',
    '$sgx-mrsigner': 'x-ms-sgx-mrsigner',
    '$sgx-mrenclave': 'x-ms-sgx-mrenclave',
    $svn: 'x-ms-sgx-svn',
    $tee: 'x-ms-attestation-type',
    '$maa-ehd': 'x-ms-sgx-ehd',
    '$aas-ehd': 'x-ms-sgx-ehd',
  }
  return Object.fromEntries(
    Object.entries(names).flatMap(([old, name]) => {
      const value = claims[name]
      return isPolicyValue(value) ? [[old, value]] : []
    }),
  )
}

function isPolicyValue(value: unknown): value is PolicyValue {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

function collateralClaim({ quote, collateral }: VerifiedQuote): Record<string, string> {
  return {
    qeidcertshash: sha256(collateral?.qeIdentityIssuerChain),
    qeidcrlhash: sha256(collateral?.rootCaCrl),
    qeidhash: sha256(collateral?.qeIdentity),
    quotehash: sha256(quote),
    tcbinfocertshash: sha256(collateral?.tcbInfoIssuerChain),
    tcbinfocrlhash: sha256(collateral?.rootCaCrl),
    tcbinfohash: sha256(collateral?.tcbInfo),
  }
}

function sha256(content: string | Uint8Array = ''): string {
  return createHash('sha256').update(content).digest('hex')
}
