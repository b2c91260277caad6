import { concatBytes, copyBytes } from './bytes.ts'
import { WireError } from './errors.ts'

/**
 * The report of an Open Enclave program: a quote behind a header of 16 bytes. Integers are little-endian.
 * Source: Open Enclave SDK, `oe_report_header_t` (include/openenclave/internal/report.h).
 */

const HEADER_SIZE = 16
const VERSION = 1
/** A quote for a remote party; 1 is a report for another enclave of the same machine. */
const TYPE_SGX_REMOTE = 2

/**
 * The quote of a remote Open Enclave report.
 * @throws WireError `ERR_OE_REPORT` (`at` is `field@0xOFFSET`)
 */
export function decodeOeReport(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (bytes.length < HEADER_SIZE) {
    throw new WireError(
      'ERR_OE_REPORT',
      `an Open Enclave report starts with 16 bytes, there are ${bytes.length}`,
      'size',
    )
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const version = view.getUint32(0, true)
  if (version !== VERSION) {
    throw new WireError('ERR_OE_REPORT', `version 1 is wanted, this is ${version}`, 'version@0x0')
  }
  const type = view.getUint32(4, true)
  if (type !== TYPE_SGX_REMOTE) {
    throw new WireError('ERR_OE_REPORT', `type 2 (remote SGX report) is wanted, this is ${type}`, 'type@0x4')
  }
  const size = view.getBigUint64(8, true)
  if (size !== BigInt(bytes.length - HEADER_SIZE)) {
    const message = `the header says ${size} bytes, ${bytes.length - HEADER_SIZE} follow it`
    throw new WireError('ERR_OE_REPORT', message, 'size@0x8')
  }
  return copyBytes(bytes, HEADER_SIZE)
}

/** A quote as a remote Open Enclave report. */
export function encodeOeReport(quote: Uint8Array): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(HEADER_SIZE)
  const view = new DataView(header.buffer)
  view.setUint32(0, VERSION, true)
  view.setUint32(4, TYPE_SGX_REMOTE, true)
  view.setBigUint64(8, BigInt(quote.length), true)
  return concatBytes(header, quote)
}
