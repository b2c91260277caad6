/**
 * A program in a guest: asks the device for what its arguments name, one after the other (`report`, `extended`, `key`),
 * with the guest library, and prints of each `ok` with what came, or the code of the error with errno and statuses.
 */
import { decodeCertificateTable, decodeReport, encodeHex } from '@skerry/guest/wire'
import { openDevice, type SnpDevice, SnpDeviceError } from '../../../guest/src/device/index.ts'

const REPORT_DATA = new Uint8Array(64).fill(5)

async function ask(device: SnpDevice, what: string | undefined): Promise<string> {
  switch (what) {
    case 'report': {
      const { version, reportedTcb } = decodeReport(await device.getReport(REPORT_DATA))
      return `version ${version}, TCB ${encodeHex(reportedTcb)}`
    }
    case 'extended': {
      const { certificateTable } = await device.getExtendedReport!(REPORT_DATA)
      return `${certificateTable.length === 0 ? 0 : decodeCertificateTable(certificateTable).length} certificates`
    }
    default:
      return `${(await device.getDerivedKey!({ rootKeySelect: 0, guestFieldSelect: 0n, vmpl: 0 })).length} bytes`
  }
}

const device = await openDevice()
for (const what of process.argv.slice(2)) {
  try {
    console.log(`${what}: ok, ${await ask(device, what)}`)
  } catch (error) {
    if (!(error instanceof SnpDeviceError)) throw error
    const { code, errno, firmwareStatus, vmmStatus } = error
    console.log([`${what}: ${code}`, errno, firmwareStatus, vmmStatus].filter((part) => part !== undefined).join(' '))
  }
}
device.close()
