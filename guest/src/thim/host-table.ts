import { AttestationError } from '../attest/errors.ts'
import type { SnpDevice } from '../device/index.ts'
import {
  CERTIFICATE_GUIDS,
  decodeCertificateTable,
  derToPem,
  type SnpReport,
  tcbToHex,
  WireError,
} from '../wire/index.ts'
import type { CertificateSource } from './source.ts'

/**
 * Certificates that the host hands out with an extended report: the only source of a VLEK's. Azure's hosts hand out none.
 */
export function hostTableSource(device: () => Promise<SnpDevice>): CertificateSource {
  const name = "the host's certificate table"
  const refuse = (why: string, cause?: unknown) => new AttestationError('ERR_CERTIFICATES', `${name}: ${why}`, cause)
  return {
    name,
    async fetch(report) {
      const opened = await device()
      if (opened.getExtendedReport === undefined) throw refuse('this device has no extended reports')
      const { certificateTable } = await opened.getExtendedReport(new Uint8Array(64))
      if (certificateTable.length === 0) throw refuse('it is empty')
      const table = readTable(certificateTable, refuse)
      const leaf = table.get(signedWithVlek(report) ? CERTIFICATE_GUIDS.vlek : CERTIFICATE_GUIDS.vcek)
      const authorities = [table.get(CERTIFICATE_GUIDS.ask), table.get(CERTIFICATE_GUIDS.ark)]
      if (report === undefined) throw refuse('it is looked at beside a report')
      if (leaf === undefined) throw refuse(`it has no ${signedWithVlek(report) ? 'VLEK' : 'VCEK'}`)
      return {
        vcekCert: derToPem(leaf),
        tcbm: tcbToHex(report.reportedTcb),
        certificateChain: authorities.map((der) => (der === undefined ? '' : derToPem(der))).join(''),
        cacheControl: '',
      }
    },
  }
}

function readTable(bytes: Uint8Array, refuse: (why: string, cause: unknown) => Error): Map<string, Uint8Array> {
  try {
    return new Map(decodeCertificateTable(bytes).map(({ guid, data }) => [guid, data]))
  } catch (cause) {
    throw cause instanceof WireError ? refuse(cause.message, cause) : cause
  }
}

function signedWithVlek(report: SnpReport | undefined): boolean {
  return report !== undefined && ((report.keyInfo >> 2) & 7) === 1
}
