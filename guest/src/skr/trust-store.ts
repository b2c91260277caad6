import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { getCACertificates } from 'node:tls'

/** The roots that a chain may end in. */
export interface TrustStore {
  /** Roots whose subject is the issuer of this certificate. */
  issuersOf(certificate: X509Certificate): readonly X509Certificate[]
}

/** A store of exactly these roots. */
export function trustStoreOf(pems: Iterable<string>): TrustStore {
  const bySubject = Map.groupBy(
    [...pems].map((pem) => new X509Certificate(pem)),
    (root) => root.subject,
  )
  return { issuersOf: (certificate) => bySubject.get(certificate.issuer) ?? [] }
}

/** Node's array is the same object until somebody changes the defaults. */
let cached:
  | { readonly from: readonly string[]; readonly file: string | undefined; readonly store: TrustStore }
  | undefined

/**
 * The roots that TLS trusts in this process: Node's own (or what `tls.setDefaultCACertificates` was given), those of
 * NODE_EXTRA_CA_CERTS, and those of SSL_CERT_FILE, which Node's TLS does not read and other programs of a container do.
 */
export function defaultTrustStore(env: Readonly<Record<string, string | undefined>> = process.env): TrustStore {
  const from = getCACertificates('default')
  const file = env.SSL_CERT_FILE || undefined
  if (cached === undefined || cached.from !== from || cached.file !== file) {
    cached = { from, file, store: trustStoreOf([...from, ...(file === undefined ? [] : readCertificates(file))]) }
  }
  return cached.store
}

/** The certificates of a PEM file; text around them is passed over. A file that cannot be read holds none. */
export function readCertificates(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  } catch {
    return []
  }
}
