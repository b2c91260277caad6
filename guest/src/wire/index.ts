/**
 * What crosses a wire and means the same on every side. Pure: no I/O, no Node-only imports.
 */
export * from './aci-release-policy.ts'
export * from './bytes.ts'
export * from './cce-policy.ts'
export { certificateNames } from './certificate.ts'
export * from './certificate-parts.ts'
export * from './certificate-table.ts'
export {
  COSE_ALGORITHMS,
  type CoseAlgorithm,
  type CoseSign1,
  coseAlgorithm,
  decodeCoseSign1,
  encodeCoseSign1,
  encodeSigStructure,
} from './cose-sign1.ts'
export * from './did-x509.ts'
export * from './did-x509-document.ts'
export * from './errors.ts'
export * from './guest-message.ts'
export * from './guest-policy.ts'
export * from './import-key-config.ts'
export * from './key-release.ts'
export * from './maa-request.ts'
export * from './pem.ts'
export * from './release-decision.ts'
export * from './release-policy.ts'
export * from './report.ts'
export * from './security-context.ts'
export * from './sgx-claims.ts'
export * from './sgx-oe-report.ts'
export * from './sgx-pck.ts'
export * from './sgx-quote.ts'
export * from './sgx-report-body.ts'
export * from './sgx-request.ts'
export * from './snp-claims.ts'
export * from './tcb.ts'
export * from './thim.ts'
export * from './uvm-endorsement.ts'
export * from './vcek.ts'
