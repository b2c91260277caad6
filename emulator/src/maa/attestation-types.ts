/** What can be attested: the names in the paths of Azure Attestation. Each has a policy of its own. */
export const ATTESTATION_TYPES = ['SgxEnclave', 'OpenEnclave', 'SevSnpVm', 'TdxVm', 'AzureGuest', 'Tpm'] as const

export type AttestationType = (typeof ATTESTATION_TYPES)[number]

/** The type of a path segment, whose case does not count. */
export function attestationType(segment: string): AttestationType | undefined {
  return ATTESTATION_TYPES.find((type) => type.toLowerCase() === segment.toLowerCase())
}
