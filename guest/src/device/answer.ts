import { decodeReport, equalBytes, WireError } from '../wire/index.ts'
import { SnpDeviceError } from './errors.ts'

/** @throws RangeError */
export function requireVmpl(vmpl: number): void {
  if (!Number.isInteger(vmpl) || vmpl < 0 || vmpl > 3) throw new RangeError(`vmpl must be 0, 1, 2 or 3, not ${vmpl}`)
}

/** Reads what a device answered: what cannot be read is the device's error. */
export function readAnswer<T>(path: string, decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause
    throw new SnpDeviceError('ERR_SNP_RESPONSE', `${path}: ${cause.message}`, { cause })
  }
}

/**
 * A report that does not carry the data asked for would be somebody else's evidence.
 * @throws SnpDeviceError `ERR_SNP_RESPONSE`
 */
export function requireReportOver(path: string, report: Uint8Array, reportData: Uint8Array): void {
  const { reportData: found } = readAnswer(path, () => decodeReport(report, { newer: true }))
  if (equalBytes(found, reportData)) return
  throw new SnpDeviceError('ERR_SNP_RESPONSE', `${path} answered with a report over other data than was asked for`, {
    retry: 'again',
  })
}
