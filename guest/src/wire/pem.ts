import { decodeBase64, encodeBase64 } from './bytes.ts'
import { WireError } from './errors.ts'

/**
 * The certificates of a PEM text, in order, as DER. LF and CRLF line ends; text between blocks is ignored
 * (RFC 7468 section 2), blocks with another label are not.
 * @throws WireError `ERR_PEM`
 */
export function pemToDer(pemText: string): Uint8Array<ArrayBuffer>[] {
  const blocks = pemText.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END ([A-Z0-9 ]+)-----/g)
  const ders = [...blocks].map(([, begin, body, end], index) => {
    const at = `certificate[${index}]`
    if (begin !== 'CERTIFICATE' || end !== begin) {
      throw new WireError('ERR_PEM', `block ${index} is not a CERTIFICATE block`, at)
    }
    try {
      return decodeBase64(body!.replace(/[ \t\r\n]/g, ''))
    } catch (cause) {
      throw new WireError('ERR_PEM', `block ${index} does not hold base64`, at, { cause })
    }
  })
  const begins = pemText.split('-----BEGIN ').length - 1
  if (ders.length === 0 || ders.length !== begins) {
    throw new WireError('ERR_PEM', ders.length === 0 ? 'the text holds no PEM block' : 'a PEM block is not complete')
  }
  return ders
}

/** One PEM block: lines of 64 characters, LF, ends in a newline. */
export function derToPem(der: Uint8Array, label = 'CERTIFICATE'): string {
  const lines = encodeBase64(der).match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.map((line) => `${line}\n`).join('')}-----END ${label}-----\n`
}
