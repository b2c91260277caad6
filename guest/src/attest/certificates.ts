import { X509Certificate } from 'node:crypto'
import { systemClock } from '../clock.ts'
import type { CertificateSource } from '../thim/source.ts'
import { type ThimOptions, thimSource } from '../thim/thim.ts'
import {
  decodeTcb,
  decodeVcekExtensions,
  derToPem,
  encodeHex,
  encodeTcb,
  equalBytes,
  equalTcb,
  isZero,
  pemToDer,
  productOfName,
  productOfReport,
  type SnpReport,
  type ThimCertification,
  tcbFromHex,
  tcbToHex,
  type VcekExtensions,
} from '../wire/index.ts'
import { AttestationError } from './errors.ts'

/** The certificates of this chip, kept between attestations and asked for again when the firmware has moved on. */
export interface CertificateCache {
  /**
   * Those at hand. Asks for them when there are none or when they have expired, and without waiting when they have been
   * kept for longer than their source says.
   */
  current(report?: SnpReport): Promise<ThimCertification>
  /** Asks again and keeps the answer. Calls about the same TCB that come while one is under way share it. */
  refresh(report?: SnpReport): Promise<ThimCertification>
}

/** What a cache begins with, and whom it asks. */
export interface CertificateCacheOptions extends ThimOptions {
  /** Those that the security context brought. */
  readonly initial?: ThimCertification
  /** Default: THIM. */
  readonly source?: CertificateSource
}

/** While certificates that are due cannot be renewed, they serve on, and their source is left alone for this long. */
const RENEWAL_REST_MS = 60_000

/**
 * Keeps the certificates of this chip for as long as their source says and they are valid, and beyond that while nobody can
 * be reached.
 * @returns a cache whose calls throw what its source throws: UpstreamError, AttestationError `ERR_CERTIFICATES`
 */
export function createCertificateCache(options: CertificateCacheOptions = {}): CertificateCache {
  const { clock = systemClock, source = thimSource(options) } = options
  let kept = options.initial && keptFrom(clock.now(), options.initial, lastsUntil(options.initial, clock.now()))
  const underWay = new Map<string, Promise<ThimCertification>>()

  const refresh = (report?: SnpReport) => {
    const of = report === undefined ? '' : `${encodeHex(report.chipId)}/${tcbToHex(report.reportedTcb)}`
    const asked =
      underWay.get(of) ??
      source
        .fetch(report)
        .then((certification) => {
          // A new one that has expired (the clock may be wrong) is the newest there is.
          const now = clock.now()
          kept = keptFrom(now, certification, Math.max(lastsUntil(certification, now), now + RENEWAL_REST_MS))
          return certification
        })
        .finally(() => underWay.delete(of))
    underWay.set(of, asked)
    return asked
  }

  return {
    refresh,
    async current(report) {
      if (kept === undefined) return await refresh(report)
      const { certification, from, until } = kept
      const now = clock.now()
      // Before: the clock has been put right since.
      if (from <= now && now < until) return certification
      kept = keptFrom(now, certification, now + RENEWAL_REST_MS)
      const renewed = refresh(report).catch(() => certification)
      // What is only due is compared with the report like any other: no caller waits for a service that may be silent.
      return now < validUntil(certification) ? certification : await renewed
    },
  }
}

function keptFrom(from: number, certification: ThimCertification, until: number) {
  return { certification, from, until }
}

/** Certificates are good for as long as the service says and the first of them is valid. Milliseconds since the epoch. */
function lastsUntil(certification: ThimCertification, now: number): number {
  const { cacheControl } = certification
  const seconds = /^\d{1,9}$/.test(cacheControl) ? Number(cacheControl) : Number.POSITIVE_INFINITY
  return Math.min(now + seconds * 1000, validUntil(certification))
}

function validUntil({ vcekCert, certificateChain }: ThimCertification): number {
  try {
    const ders = [...pemToDer(vcekCert), ...pemToDer(certificateChain)]
    return Math.min(...ders.map((der) => Date.parse(new X509Certificate(derToPem(der)).validTo)))
  } catch {
    // What cannot be read is told where it is compared with a report.
    return Number.POSITIVE_INFINITY
  }
}

/**
 * Why these certificates do not belong to this report, in words; undefined when they do. Looks at `tcbm` and at what the
 * VCEK or VLEK itself says (AMD 57230, certificate extensions): which of the two it is, the TCB and the chip.
 * @throws UnreadableCertificateError
 * @throws AttestationError `ERR_CERTIFICATES` when no certificate could belong to it, as when the report is not signed
 */
export function mismatch(report: SnpReport, certification: ThimCertification): string | undefined {
  const reported = tcbToHex(report.reportedTcb)
  const announced = tcbFromHex(certification.tcbm)
  if (!equalTcb(announced, report.reportedTcb))
    return `the report says TCB ${reported}, the certificates are for ${tcbToHex(announced)}`
  const vcek = readVcek(certification)
  const signedWith = (report.keyInfo >> 2) & 7
  if (signedWith === 7)
    throw new AttestationError(
      'ERR_CERTIFICATES',
      'the report is not signed: the host hides the key of its chip (MaskChipKey) and has loaded no other',
    )
  const wanted = signedWith === 1 ? 'VLEK' : 'VCEK'
  const found = vcek.hwid === undefined ? 'VLEK' : 'VCEK'
  if (wanted !== found) return `the report is signed with the ${wanted}, the certificate is of a ${found}`
  const product = productOfName(vcek.productName) ?? productOfReport(report)
  if (product === undefined)
    throw new AttestationError(
      'ERR_CERTIFICATES',
      `the ${found} certificate is for ${vcek.productName}, which this version does not know`,
    )
  const certified = encodeTcb(vcek.tcb, product)
  // Reserved bytes of the report's TCB are not in the certificate.
  if (!equalTcb(certified, encodeTcb(decodeTcb(report.reportedTcb, product), product))) {
    return `the report says TCB ${reported}, the ${found} certificate is for ${tcbToHex(certified)}`
  }
  const masked = isZero(report.chipId)
  if (vcek.hwid !== undefined && !masked && !equalBytes(vcek.hwid, report.chipId.subarray(0, vcek.hwid.length))) {
    return `the report is of chip ${encodeHex(report.chipId.subarray(0, 8))}…, the VCEK certificate of ${encodeHex(vcek.hwid.subarray(0, 8))}…`
  }
  return undefined
}

/** Others may be asked for: those at hand say nothing of chip and TCB. */
export class UnreadableCertificateError extends AttestationError {
  constructor(cause: Error) {
    super('ERR_CERTIFICATES', `the VCEK certificate cannot be read: ${cause.message}`, cause)
  }
}

/** Each is looked at with every report until the next one comes. */
const extensionsRead = new WeakMap<ThimCertification, VcekExtensions>()

function readVcek(certification: ThimCertification): VcekExtensions {
  const known = extensionsRead.get(certification)
  if (known !== undefined) return known
  try {
    const [der] = pemToDer(certification.vcekCert)
    if (der === undefined) throw new Error('vcekCert holds no certificate')
    const extensions = decodeVcekExtensions(der)
    extensionsRead.set(certification, extensions)
    return extensions
  } catch (cause) {
    throw new UnreadableCertificateError(cause as Error)
  }
}
