/**
 * The UVM security context: what the guest agent of confidential ACI puts into every container.
 * Each file holds standard base64 and is written only when its content is not empty.
 */
export const SECURITY_CONTEXT_FILES = {
  /** The THIM certification JSON. */
  hostAmdCert: 'host-amd-cert-base64',
  /** UVM endorsement (COSE_Sign1) with a JSON payload. */
  referenceInfo: 'reference-info-base64',
  /** The CCE policy; SHA-256 of the decoded bytes is HOST_DATA. */
  securityPolicy: 'security-policy-base64',
  /** UVM endorsement in hash-envelope form with a transparency receipt (newer UVMs). */
  transparentReferenceInfo: 'transparent-reference-info-base64',
  /** COSE with TCB reference values (newer UVMs). */
  tcbReferenceInfo: 'tcb-reference-info-base64',
  /** COSE with platform reference values (newer UVMs). */
  platformReferenceInfo: 'platform-reference-info-base64',
} as const

/** Names the directory that holds the files, such as `/security-context-1234567890`. */
export const SECURITY_CONTEXT_DIR_VARIABLE = 'UVM_SECURITY_CONTEXT_DIR'

/** The directory's name is this and a random decimal, in the container's root. */
export const SECURITY_CONTEXT_DIR_PREFIX = 'security-context-'

/** Where the same values are found on AKS. */
export const SECURITY_CONTEXT_AKS_DIR = '/opt/confidential-containers/share/kata-containers'

/** Environment variables with the same values, used when the reference info cannot be read from files. */
export const SECURITY_CONTEXT_VARIABLES = {
  hostAmdCert: 'UVM_HOST_AMD_CERTIFICATE',
  securityPolicy: 'UVM_SECURITY_POLICY',
  referenceInfo: 'UVM_REFERENCE_INFO',
} as const
