/** SGX evidence: a virtual platform that makes it, and what verifies it. */
export type { SgxCollateral } from './collateral.ts'
export { collateralDocument, readCollateralDocument } from './collateral.ts'
export { openEnclaveKind, sgxEnclaveKind } from './kind.ts'
export { platformTcb } from './own-collateral.ts'
export { createSgxPlatform } from './platform.ts'
export {
  type CollateralSource,
  INTEL_SGX_ROOT_SPKI_SHA256,
  intelSgxRoot,
  ownSgxRoot,
  type SgxTrust,
  sgxTrust,
  type TrustedSgxRoot,
} from './trust.ts'
export type { EnclaveOptions, PlatformTcb, SgxPlatform, VirtualEnclave } from './types.ts'
export { createQuoteVerifier, type QuoteVerifier } from './verifier.ts'
