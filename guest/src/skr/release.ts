import { randomBytes } from 'node:crypto'
import type { AttestationContext } from '../attest/evidence.ts'
import type { Clock } from '../clock.ts'
import { systemClock } from '../clock.ts'
import { type Endpoint, InvalidArgumentError, parseEndpoint } from '../http/endpoint.ts'
import { type Fetch, globalFetch, requestJson, UpstreamError } from '../http/upstream.ts'
import { createVaultCredential, type TokenSource, vaultToken } from '../identity/vault-token.ts'
import { attest } from '../maa/attest.ts'
import {
  DEFAULT_RELEASE_ENC,
  parseReleasedKeyPayload,
  type ReleasedKeyPayload,
  type ReleaseEnc,
  WireError,
} from '../wire/index.ts'
import { KeyReleaseError } from './errors.ts'
import { verifyReleaseJws } from './jws.ts'
import { defaultTrustStore, type TrustStore } from './trust-store.ts'
import { type UnwrappedKey, unwrapReleasedKey } from './unwrap.ts'
import { createWrappingKeys, type WrappingKeys } from './wrapping-key.ts'

/** Which key, from whom, attested by whom. */
export interface ReleaseKeyOptions {
  /** Host name of the attestation provider: the authority of the key's release policy. */
  readonly maaEndpoint: string
  /** Host name of the vault or the managed HSM. */
  readonly akvEndpoint: string
  /** The key's name, or `name/version`. */
  readonly kid: string
  /** For the vault; default: from `credential`. */
  readonly accessToken?: string
  /**
   * Default: the identity of this container, as a credential of this call's own. Whoever releases often passes one of
   * `createVaultCredential` each time: it keeps its tokens.
   */
  readonly credential?: TokenSource
  /** Where the key for this release alone comes from; default: a stock of this module. */
  readonly wrappingKeys?: WrappingKeys
  /** How the vault is to wrap; default `CKM_RSA_AES_KEY_WRAP` (OAEP with SHA-1; the others with the hash of their name). */
  readonly enc?: ReleaseEnc
  /** Roots that the vault's signature may chain to; default: those of TLS. */
  readonly trust?: TrustStore
  /** Default: Node's `fetch`. */
  readonly fetch?: Fetch
  /** By which certificates are valid; default: the system's. */
  readonly clock?: Clock
}

/** A key that a vault gave to this guest and to nobody else. */
export interface ReleasedKey extends UnwrappedKey {
  /** URL of the key with the version that was released. */
  readonly kid: string
  /** What the vault signed: the request as it understood it, the key with attributes and release policy. */
  readonly payload: ReleasedKeyPayload
}

const API_VERSION = '7.4'
/** Key Vault: names of 1 to 127 letters, digits and dashes; versions as the service makes them. */
const KID = /^[0-9A-Za-z-]{1,127}(?:\/[0-9A-Za-z]{1,64})?$/

const sharedWrappingKeys = createWrappingKeys()

/**
 * Secure key release: attests a wrapping key made for this call, asks the vault for the key with the token, verifies
 * what comes back, and unwraps it.
 * @throws InvalidArgumentError; SnpDeviceError, AttestationError (nothing was asked of the vault); UpstreamError (`status`
 * and `upstreamMessage` of MAA or the vault); IdentityError; KeyReleaseError
 */
export async function releaseKey(context: AttestationContext, options: ReleaseKeyOptions): Promise<ReleasedKey> {
  const {
    fetch = globalFetch,
    clock = systemClock,
    wrappingKeys = sharedWrappingKeys,
    enc = DEFAULT_RELEASE_ENC,
  } = options
  const vault = parseEndpoint('akv_endpoint', options.akvEndpoint)
  requireKid('kid', options.kid)
  const credential = options.credential ?? createVaultCredential()
  if (!options.accessToken) credential.prepare?.()
  const wrappingKey = await wrappingKeys.take()
  try {
    const attesting = attest(context, { maaEndpoint: options.maaEndpoint, runtimeData: wrappingKey.runtimeData, fetch })
    // Both are asked at once; where both fail, attestation is what is told of.
    const authorizing = Promise.resolve(options.accessToken || vaultToken(credential, vault.host))
    authorizing.catch(() => undefined)
    const token = await attesting
    const accessToken = await authorizing
    const nonce = randomBytes(16).toString('base64url')
    const jws = await askVault(fetch, vault, options.kid, accessToken, { target: token, enc, nonce })
    const verified = verifyReleaseJws(jws, {
      hostName: vault.hostName,
      trust: options.trust ?? defaultTrustStore(),
      nowMs: clock.now(),
    })
    const payload = parsePayload(verified)
    requireAnswerTo(payload, { vault, kid: options.kid, enc, nonce })
    const { key } = payload.response.key
    return { ...unwrapReleasedKey(key, payload.request.enc, wrappingKey), kid: key.kid, payload }
  } finally {
    wrappingKeys.done?.()
  }
}

/** @throws InvalidArgumentError for what is neither a key's name nor name/version */
export function requireKid(field: string, kid: string): void {
  if (KID.test(kid)) return
  throw new InvalidArgumentError(field, "must be a key's name (letters, digits, dashes), or name/version")
}

async function askVault(
  fetch: Fetch,
  vault: Endpoint,
  kid: string,
  accessToken: string,
  body: object,
): Promise<string> {
  const service = `vault ${vault.host}`
  const answer = await requestJson(fetch, service, `${vault.url}/keys/${kid}/release?api-version=${API_VERSION}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${accessToken}` },
    body: JSON.stringify(body),
  })
  const value = (answer as { value?: unknown } | null)?.value
  if (typeof value !== 'string')
    throw new UpstreamError('ERR_UPSTREAM_BODY', service, 'the answer holds no released key')
  return value
}

function parsePayload(value: unknown): ReleasedKeyPayload {
  try {
    return parseReleasedKeyPayload(value)
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause
    throw new KeyReleaseError(
      'ERR_RELEASE_PAYLOAD',
      `the vault's answer is not a released key: ${cause.message}`,
      cause,
    )
  }
}

interface Asked {
  readonly vault: Endpoint
  readonly kid: string
  readonly enc: ReleaseEnc
  readonly nonce: string
}

/** A correctly signed answer to somebody else's request, or to an earlier one, is not an answer to this one. */
function requireAnswerTo({ request, response }: ReleasedKeyPayload, asked: Asked): void {
  if (request.enc !== asked.enc) refuse(`it was made with ${request.enc}, asked was ${asked.enc}`)
  if (request.nonce !== undefined && request.nonce !== asked.nonce) refuse('it carries the nonce of another request')
  for (const [what, text] of [
    ['request', request.kid],
    ['key', response.key.key.kid],
  ] as const) {
    const url = URL.parse(text)
    if (url?.hostname !== asked.vault.hostName) refuse(`the ${what} is not of ${asked.vault.hostName}`)
    const path = url.pathname.toLowerCase()
    const wanted = `/keys/${asked.kid}`.toLowerCase()
    if (path !== wanted && !path.startsWith(`${wanted}/`)) refuse(`the ${what} is not of ${asked.kid}`)
  }
}

function refuse(why: string): never {
  throw new KeyReleaseError('ERR_RELEASE_PAYLOAD', `the vault's answer does not belong to this request: ${why}`)
}
