/**
 * What runs inside a confidential container: reports of the secure processor, attestation, secure key release, and the
 * HTTP API of the SKR sidecar. What crosses a wire is in `@skerry/guest/wire`.
 */
export { type CertificateCache, type CertificateCacheOptions, createCertificateCache } from './attest/certificates.ts'
export { type AttestationContextOptions, createAttestationContext } from './attest/context.ts'
export { AttestationError } from './attest/errors.ts'
export { type AttestationContext, type CollectOptions, collectEvidence, type Evidence } from './attest/evidence.ts'
export { type Clock, systemClock } from './clock.ts'
export {
  chooseDevice,
  DEVICE_PATHS,
  type DeviceProbe,
  type OpenDeviceOptions,
  openDevice,
  type RetryVerdict,
  type SnpDevice,
  SnpDeviceError,
  type SnpDeviceErrorCode,
} from './device/index.ts'
export { InvalidArgumentError } from './http/endpoint.ts'
export { type Answer, type Fetch, UpstreamError } from './http/upstream.ts'
export { createVaultCredential, IdentityError, type TokenSource } from './identity/vault-token.ts'
export { type AttestOptions, attest } from './maa/attest.ts'
export { type AttestEnclaveOptions, attestOpenEnclave, attestSgxEnclave } from './maa/attest-sgx.ts'
export type { AttestationClaims } from './maa/claims.ts'
export { atLeast, type ClaimRequirement, type ClaimTest, type RequiredClaims } from './maa/required-claims.ts'
export { createSigningKeys, type SigningKeys, type SigningKeysOptions } from './maa/signing-keys.ts'
export { AttestationTokenError, type AttestationTokenErrorCode } from './maa/token-error.ts'
export { type TokenAlgorithm, type VerifyAttestationTokenOptions, verifyAttestationToken } from './maa/verify.ts'
export {
  createSidecar,
  type HttpAnswer,
  type HttpRequest,
  type SidecarHandler,
  type SidecarOptions,
} from './sidecar/app.ts'
export { createLog, LOG_LEVELS, type Log, type LogLevel } from './sidecar/log.ts'
export { readSettings, type SidecarFlags, type SidecarSettings } from './sidecar/settings.ts'
export { type Sidecar, type StartSidecarOptions, startSidecar } from './sidecar/start.ts'
export { deriveKey, type KeyDerivation } from './skr/derive.ts'
export { KeyReleaseError } from './skr/errors.ts'
export { type ReleasedKey, type ReleaseKeyOptions, releaseKey } from './skr/release.ts'
export { defaultTrustStore, type TrustStore, trustStoreOf } from './skr/trust-store.ts'
export {
  createWrappingKeys,
  type WrappingKey,
  type WrappingKeyStock,
  type WrappingKeys,
  type WrappingKeysOptions,
} from './skr/wrapping-key.ts'
export { type AzCacheOptions, azCacheSource } from './thim/az-cache.ts'
export { type CertCacheConfig, certCacheSource } from './thim/certcache.ts'
export { hostTableSource } from './thim/host-table.ts'
export { type KdsOptions, kdsSource } from './thim/kds.ts'
export { type CertificateSource, firstOf } from './thim/source.ts'
export { fetchCertification, type ThimOptions, thimSource } from './thim/thim.ts'
export {
  readSecurityContext,
  type SecurityContext,
  SecurityContextError,
  uvmEndorsementsOf,
} from './uvm/security-context.ts'
export type { AttestedData, ReleasedKeyPayload, ReleaseEnc, SnpReport, ThimCertification } from './wire/index.ts'
