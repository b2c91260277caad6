import { badParameter } from './errors.ts'

/** The newest generally available version, named where an unknown one is refused. */
const LATEST = '2026-04-01'

/**
 * Every version that the service knows, oldest first: what has come in with one of them is in all that follow. The order
 * is that of the service, not of the text ("Azure Key Vault REST API versions").
 */
const VERSIONS = [
  '2015-06-01',
  '2016-10-01',
  '7.0',
  '7.1',
  '7.2-preview',
  '7.2',
  '7.3-preview',
  '7.3',
  '7.4-preview.1',
  '7.4',
  '7.5-preview.1',
  '7.5',
  '7.6-preview.1',
  '7.6-preview.2',
  '7.6',
  '2025-06-01-preview',
  '2025-07-01',
  '2026-01-01-preview',
  '2026-03-01-preview',
  '2026-04-01',
  '2026-05-01-preview',
  '2026-07-01-preview',
] as const

type ApiVersion = (typeof VERSIONS)[number]

const ORDER: ReadonlyMap<string, number> = new Map(VERSIONS.map((version, index) => [version, index]))

/** The version in which each thing came. What is not here has always been there. */
const SINCE = {
  softDelete: '2016-10-01',
  symmetricKeys: '7.2-preview',
  /** Release, `exportable`, `release_policy`, rotation and its policy, random bytes. */
  release: '7.3-preview',
  /** The service version of `attributes.hsmPlatform`; absent under 7.4 in 2026. */
  hsmPlatform: '7.5-preview.1',
  attestation: '7.6-preview.2',
  /** HS256, HS384, HS512 and CKM_AES_KEY_WRAP(_PAD). */
  hmac: '2025-06-01-preview',
  secureWrap: '2026-01-01-preview',
  /** Keys of a managed HSM that an external key manager holds. */
  externalKeys: '2026-01-01-preview',
} as const satisfies Readonly<Record<string, ApiVersion>>

export type Feature = keyof typeof SINCE

/**
 * The version a request asked for; compared without regard to case. One that the service does not know is refused in its
 * words, however new it looks: that is what a client of tomorrow meets on the Azure of today.
 */
export function readApiVersion(query: URLSearchParams): string {
  const version = query.get('api-version')?.toLowerCase() ?? ''
  if (ORDER.has(version)) return version
  if (version !== '') throw unknownVersion(version)
  // The next link of a managed HSM's list carries no version, and some clients follow it as it stands.
  if (query.has('$skiptoken')) return LATEST
  // Azure's text for this one is not documented; the code and status are those of every other bad parameter.
  throw badParameter(
    `The api-version query parameter is required. Consider using the latest supported version (${LATEST}).`,
  )
}

/** Whether a version has what came with `feature`. */
export function has(version: string, feature: Feature): boolean {
  return (ORDER.get(version) ?? -1) >= (ORDER.get(SINCE[feature]) ?? 0)
}

const unknownVersion = (version: string) =>
  badParameter(
    `The specified version (${version}) is not recognized. Consider using the latest supported version (${LATEST}).`,
  )
