import type { Seed, StoreContents } from '../core/index.ts'

/*
 * The whole state of an instance as one file: JSON, or the same gzipped. It holds every private key that the instance
 * holds. Not in it: the certificate authority of its TLS, which belongs to one instance or data directory and which
 * clients were told to trust there; the journal; the task hub of a Functions host; the instance's settings.
 */

export const STATE_FORMAT = 'skerry-state'
/** Raised when a document of the version before could not be read as one of this. */
export const STATE_VERSION = 1

export interface StateDocument {
  readonly format: typeof STATE_FORMAT
  readonly version: typeof STATE_VERSION
  /** ISO 8601, by the machine's clock. */
  readonly exportedAt: string
  readonly clock: StateClock
  readonly seed: Seed
  /** Collection, key, document: as in the store. */
  readonly collections: StoreContents
  /** Private keys (PKCS#8 in PEM) and the certificates and identities that belong to them, by file name. */
  readonly files: Readonly<Record<string, string>>
}

export interface StateClock {
  /** What the instance's clock said at the export. ISO 8601. */
  readonly time: string
  /** By how many milliseconds it was ahead of the machine's; 0 where it was never moved. */
  readonly offsetMs: number
}
