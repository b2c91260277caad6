import { type KeyObject, X509Certificate } from 'node:crypto'
import { type Clock, systemClock } from '../clock.ts'
import type { Endpoint } from '../http/endpoint.ts'
import { type Fetch, globalFetch, requestJson } from '../http/upstream.ts'
import { decodeBase64, derToPem } from '../wire/index.ts'
import { AttestationTokenError } from './token-error.ts'

/** For how long keys are kept. Times are milliseconds. */
export interface SigningKeysOptions {
  /** Default: Node's `fetch`. */
  readonly fetch?: Fetch
  /** Default: the system's. */
  readonly clock?: Clock
  /** How long published keys are believed without asking again. Default an hour. */
  readonly lifetimeMs?: number
  /** How long after an answer (or a failure) an unknown key is not asked for again. Default 30 seconds. */
  readonly cooldownMs?: number
  /** How long known keys serve while the authority cannot be asked. Default a day. */
  readonly staleMs?: number
}

/** The keys that attestation providers publish, kept between tokens. */
export interface SigningKeys {
  /**
   * The public key of this provider with this id.
   * @throws AttestationTokenError `ERR_TOKEN_KEY`; UpstreamError when the provider cannot be asked
   */
  keyOf(authority: Endpoint, kid: string): Promise<KeyObject>
}

interface Published {
  /** By kid. */
  keys: ReadonlyMap<string, KeyObject>
  /** When the provider last answered; minus infinity: never. */
  answeredAt: number
  /** When it was last asked, with or without an answer. */
  askedAt: number
  failure?: unknown
  underWay?: Promise<void>
}

/** Providers published RSA-1024 until 2021. */
const SMALLEST_MODULUS_BITS = 2048

/**
 * `GET /certs` of attestation providers. The keys are those of the certificates in `x5c`: the service publishes neither
 * modulus nor exponent. Calls that come while one is under way share it; an unknown `kid` has the provider asked again,
 * but not more often than every `cooldownMs`, whatever is sent here.
 */
export function createSigningKeys(options: SigningKeysOptions = {}): SigningKeys {
  const { fetch = globalFetch, clock = systemClock } = options
  const { lifetimeMs = 3_600_000, cooldownMs = 30_000, staleMs = 86_400_000 } = options
  const known = new Map<string, Published>()

  const publishedBy = (authority: Endpoint): Published => {
    const published: Published = known.get(authority.url) ?? {
      keys: new Map(),
      answeredAt: Number.NEGATIVE_INFINITY,
      askedAt: Number.NEGATIVE_INFINITY,
    }
    known.set(authority.url, published)
    return published
  }

  const refresh = async (authority: Endpoint, published: Published) => {
    published.underWay ??= ask(authority, published).finally(() => {
      delete published.underWay
    })
    await published.underWay
  }

  const ask = async (authority: Endpoint, published: Published) => {
    published.askedAt = clock.now()
    try {
      const set = await requestJson(fetch, `MAA ${authority.host}`, `${authority.url}/certs`, {})
      published.keys = readKeys(set)
      published.answeredAt = clock.now()
      delete published.failure
    } catch (error) {
      published.failure = error
    }
  }

  return {
    async keyOf(authority, kid) {
      const published = publishedBy(authority)
      const age = () => clock.now() - published.answeredAt
      const wanted = age() > lifetimeMs || !published.keys.has(kid)
      const mayAsk = clock.now() - published.askedAt >= cooldownMs
      if (wanted && (mayAsk || published.underWay !== undefined)) await refresh(authority, published)
      const key = age() <= staleMs ? published.keys.get(kid) : undefined
      if (key !== undefined) return key
      if (published.failure !== undefined) throw published.failure
      throw new AttestationTokenError('ERR_TOKEN_KEY', `its key is not among those that ${authority.host} publishes`)
    },
  }
}

/** Entries that are no signing certificates are passed over: newer kinds must not break older readers. */
function readKeys(set: unknown): Map<string, KeyObject> {
  const entries = (set as { keys?: unknown } | null)?.keys
  const keys = new Map<string, KeyObject>()
  for (const entry of Array.isArray(entries) ? entries : []) {
    const { kid, x5c } = (entry ?? {}) as { kid?: unknown; x5c?: unknown }
    const key = Array.isArray(x5c) && typeof x5c[0] === 'string' ? keyOfCertificate(x5c[0]) : undefined
    if (typeof kid === 'string' && key !== undefined) keys.set(kid, key)
  }
  return keys
}

function keyOfCertificate(base64: string): KeyObject | undefined {
  try {
    const { publicKey } = new X509Certificate(derToPem(decodeBase64(base64)))
    const { modulusLength = 0 } = publicKey.asymmetricKeyDetails ?? {}
    return publicKey.asymmetricKeyType === 'rsa' && modulusLength >= SMALLEST_MODULUS_BITS ? publicKey : undefined
  } catch {
    return undefined
  }
}
