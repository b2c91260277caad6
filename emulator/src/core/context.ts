import type { KeyObject } from 'node:crypto'
import type { Clock } from './clock.ts'
import type { Faults } from './faults.ts'
import type { Journal } from './journal.ts'
import type { InternalFetch } from './service.ts'
import type { Settings } from './settings.ts'
import type { Store } from './store.ts'

/** What every service of one emulator shares. A service keeps its own state in its own collections of the store. */
export interface EmulatorContext {
  readonly clock: Clock
  readonly store: Store
  readonly journal: Journal
  readonly random: Random
  readonly keys: KeyCache
  readonly authority: CertificateAuthority
  readonly faults: Faults
  readonly settings: Settings
  /** The subscription, tenant and principals that exist from the start. */
  readonly seed: Seed
  /** Reaches the other services as a client would (metadata, JWKS): never by trust in a shared object. */
  readonly fetch: InternalFetch
  /**
   * Sends a request to an origin of `settings.authorities`, over the network. Rejects with an error of the code
   * `ERR_ORIGIN_NOT_ALLOWED` for any other one, and never follows a redirect.
   */
  readonly outside: InternalFetch
}

/** The random source that is injected; a test gives a fixed one. */
export interface Random {
  bytes(size: number): Buffer
  /** A version 4 UUID, lower case. */
  uuid(): string
}

/**
 * Private keys made on this machine once and kept (PKCS#8, mode 0600) in the data directory, or in the user's cache
 * when the emulator keeps its state in memory. Asking twice gives the same key; concurrent asks share one generation.
 */
export interface KeyCache {
  rsa(name: string, modulusLength: 2048 | 3072 | 4096): Promise<KeyObject>
  ec(name: string, curve: 'P-256' | 'P-384'): Promise<KeyObject>
  /** Keeps any small file beside the keys (a certificate that belongs to one), made by `make` when absent. */
  file(name: string, make: () => Promise<string>): Promise<string>
}

/** The emulator's certificate authority: TLS leaves per host name, and the chain that signs released keys. */
export interface CertificateAuthority {
  /** Self-signed root, PEM: what a client is told to trust. */
  readonly rootPem: string
  /** A TLS server certificate for this host name or IP address: PEM chain (leaf, intermediate) and PEM key. */
  tlsFor(hostname: string): Promise<{ cert: string; key: string }>
  /**
   * An RSA-2048 leaf with extended key usage serverAuth whose subject alternative names are `hostnames`, for the JWS of
   * a released key. Chain in DER: leaf, intermediate, self-signed root last.
   */
  rsaSigner(hostnames: readonly string[]): Promise<RsaSigner>
}

/** A key, and the certificates that speak for it: DER, leaf first. */
export interface RsaSigner {
  readonly privateKey: KeyObject
  readonly chain: readonly Buffer[]
}

/** What exists from the start. Random per instance unless a seed says otherwise; nothing else is open by default. */
export interface Seed {
  readonly tenantId: string
  readonly subscriptionId: string
  /** The principal that may administer what the emulator holds (Owner and Key Vault Administrator on the subscription). */
  readonly admin: { readonly clientId: string; readonly objectId: string; readonly clientSecret: string }
}
