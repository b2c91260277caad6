import { AttestationError } from './errors.ts'

/** Under which versions the service answers. 2018-09-01-preview has another body for SGX and nothing else: it is not here. */
export const API_VERSIONS = [
  '2020-10-01',
  '2022-08-01',
  '2022-09-01-preview',
  '2023-04-01-preview',
  '2025-06-01',
  '2026-03-11-preview',
] as const
export type ApiVersion = (typeof API_VERSIONS)[number]

/**
 * What came later than 2020-10-01. `attest/SevSnpVm` and `attest/AzureGuest` are not among it: their specifications are
 * of 2022 and 2025, and the live service serves both under 2020-10-01.
 */
const SINCE: Readonly<Record<string, readonly ApiVersion[]>> = {
  'attest/TdxVm': ['2025-06-01', '2026-03-11-preview'],
  'attest/Pluton': ['2026-03-11-preview'],
  tcbbaselines: ['2022-09-01-preview', '2025-06-01', '2026-03-11-preview'],
}

/** @throws AttestationError 400 when the version is missing, unknown, or does not have the operation */
export function requireApiVersion(version: string | undefined, operation?: string): ApiVersion {
  if (version === undefined || version === '') {
    throw new AttestationError(
      400,
      'InvalidApiVersionParameter',
      'The api-version query parameter (?api-version=) is required for all requests.',
    )
  }
  const known = API_VERSIONS.find((one) => one === version)
  if (known === undefined) {
    throw new AttestationError(
      400,
      'InvalidApiVersionParameter',
      `The api-version '${version.slice(0, 40)}' is invalid. The supported versions are '${API_VERSIONS.join(',')}'.`,
    )
  }
  const having = operation === undefined ? undefined : SINCE[operation]
  if (having !== undefined && !having.includes(known)) {
    throw new AttestationError(
      400,
      'UnsupportedApiVersion',
      `The api-version '${known}' does not have this operation. The versions that have it are '${having.join(',')}'.`,
    )
  }
  return known
}

/** Under which name a version's answer says whether a policy signer is there. */
export function certificateResultClaim(version: ApiVersion): string {
  return version >= '2025-06-01' ? 'x-ms-certificate-result' : 'x-ms-policycertificates-result'
}
