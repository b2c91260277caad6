import { fetchCertification, type ThimOptions } from '../thim/thim.ts'
import {
  decodeTcb,
  decodeVcekExtensions,
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
  /** Those at hand; the first call asks the host if the security context brought none. */
  current(): Promise<ThimCertification>
  /** Asks the host again and keeps the answer. Calls that come while one is under way share it. */
  refresh(): Promise<ThimCertification>
}

export function createCertificateCache(
  options: ThimOptions & { readonly initial?: ThimCertification } = {},
): CertificateCache {
  let kept = options.initial
  let underWay: Promise<ThimCertification> | undefined
  const refresh = () => {
    underWay ??= fetchCertification(options)
      .then((certification) => {
        kept = certification
        return certification
      })
      .finally(() => {
        underWay = undefined
      })
    return underWay
  }
  return { current: async () => kept ?? (await refresh()), refresh }
}

/**
 * Why these certificates do not belong to this report, in words; undefined when they do. Looks at `tcbm` and at what the
 * VCEK itself says (AMD 57230, certificate extensions): the TCB and the chip.
 * @throws AttestationError `ERR_CERTIFICATES` when the certificate cannot be read
 */
export function mismatch(report: SnpReport, certification: ThimCertification): string | undefined {
  const reported = tcbToHex(report.reportedTcb)
  const announced = tcbFromHex(certification.tcbm)
  if (!equalTcb(announced, report.reportedTcb))
    return `the report says TCB ${reported}, the certificates are for ${tcbToHex(announced)}`
  const vcek = readVcek(certification)
  const product = productOfName(vcek.productName) ?? productOfReport(report)
  if (product === undefined)
    throw new AttestationError(
      'ERR_CERTIFICATES',
      `the VCEK certificate is for ${vcek.productName}, which this version does not know`,
    )
  const certified = encodeTcb(vcek.tcb, product)
  // Reserved bytes of the report's TCB are not in the certificate.
  if (!equalTcb(certified, encodeTcb(decodeTcb(report.reportedTcb, product), product))) {
    return `the report says TCB ${reported}, the VCEK certificate is for ${tcbToHex(certified)}`
  }
  const masked = isZero(report.chipId)
  if (vcek.hwid !== undefined && !masked && !equalBytes(vcek.hwid, report.chipId.subarray(0, vcek.hwid.length))) {
    return `the report is of chip ${encodeHex(report.chipId.subarray(0, 8))}…, the VCEK certificate of ${encodeHex(vcek.hwid.subarray(0, 8))}…`
  }
  return undefined
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
    throw new AttestationError(
      'ERR_CERTIFICATES',
      `the VCEK certificate cannot be read: ${(cause as Error).message}`,
      cause,
    )
  }
}
