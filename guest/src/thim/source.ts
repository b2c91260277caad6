import type { SnpReport, ThimCertification } from '../wire/index.ts'

/** Who has the certificates of this chip. */
export interface CertificateSource {
  /** For a person, such as `THIM`. */
  readonly name: string
  /**
   * Certificates for the chip and the TCB of a report. Without one, those for the chip as it is now, which a source that
   * needs both cannot give.
   * @throws UpstreamError, AttestationError `ERR_CERTIFICATES`
   */
  fetch(report?: SnpReport): Promise<ThimCertification>
}

/**
 * Asks one after the other, until one has an answer.
 * @throws what the first threw, its message followed by those of the others
 */
export function firstOf(sources: readonly CertificateSource[]): CertificateSource {
  const [only] = sources
  if (only === undefined) throw new RangeError('there must be a source of certificates')
  if (sources.length === 1) return only
  return {
    name: sources.map(({ name }) => name).join(', then '),
    async fetch(report) {
      const failures: Error[] = []
      for (const source of sources) {
        try {
          return await source.fetch(report)
        } catch (error) {
          failures.push(error as Error)
        }
      }
      const [first, ...others] = failures
      const said = others.map(({ message }) => `; ${message}`).join('')
      // A source may throw the same error each time.
      if (first !== undefined && !first.message.endsWith(said)) first.message += said
      throw first
    },
  }
}
