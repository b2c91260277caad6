import { AttestationError } from './errors.ts'

/** Under which versions the service answers `attest/SevSnpVm` (the specification lists it from 2022-08-01 on). */
const SEV_SNP_VERSIONS = [
  '2020-10-01',
  '2022-08-01',
  '2022-09-01-preview',
  '2023-04-01-preview',
  '2025-06-01',
  '2026-03-11-preview',
]

/** @throws AttestationError 400 when the version is missing or not one that has the operation */
export function requireApiVersion(version: string | undefined): void {
  if (version === undefined || version === '') {
    throw new AttestationError(
      400,
      'InvalidApiVersionParameter',
      'The api-version query parameter (?api-version=) is required for all requests.',
    )
  }
  if (!SEV_SNP_VERSIONS.includes(version)) {
    throw new AttestationError(
      400,
      'InvalidApiVersionParameter',
      `The api-version '${version}' is invalid. The supported versions are '${SEV_SNP_VERSIONS.join(',')}'.`,
    )
  }
}
