import { WireError } from './errors.ts'
import { optionalText, requireObject, requireText } from './json.ts'

/**
 * What Azure's Trusted Hardware Identity Management answers to `GET /metadata/THIM/amd/certification`, and what the
 * host puts into `host-amd-cert-base64`. Source: Microsoft Learn, "Trusted Hardware Identity Management".
 */
export interface ThimCertification {
  /** PEM of the VCEK, ends in a newline. */
  readonly vcekCert: string
  /** The TCB of that VCEK: u64, upper-case hex, 16 digits. See `tcbFromHex`. */
  readonly tcbm: string
  /** PEM: ASK then ARK. */
  readonly certificateChain: string
  /** Seconds, as text. */
  readonly cacheControl: string
}

/**
 * Checks the form of a certification document; members beyond these four are ignored.
 * @throws WireError `ERR_THIM` with a JSON pointer
 */
export function parseThimCertification(value: unknown): ThimCertification {
  const object = requireObject(value, 'ERR_THIM', '')
  const tcbm = requireText(object.tcbm, 'ERR_THIM', '/tcbm')
  if (!/^[0-9a-fA-F]{1,16}$/.test(tcbm)) {
    throw new WireError('ERR_THIM', '/tcbm must be a u64 in hexadecimal digits', '/tcbm')
  }
  return {
    vcekCert: requirePem(object.vcekCert, '/vcekCert'),
    tcbm,
    certificateChain: requirePem(object.certificateChain, '/certificateChain'),
    cacheControl: optionalText(object.cacheControl, 'ERR_THIM', '/cacheControl') ?? '',
  }
}

/** VCEK, ASK and ARK as one PEM text, whether or not the first one ends in a newline. */
export function certificateChainPem(certification: ThimCertification): string {
  const { vcekCert, certificateChain } = certification
  return vcekCert.endsWith('\n') ? vcekCert + certificateChain : `${vcekCert}\n${certificateChain}`
}

function requirePem(value: unknown, at: string): string {
  const text = requireText(value, 'ERR_THIM', at)
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new WireError('ERR_THIM', `${at} must hold a certificate in PEM`, at)
  }
  return text
}
