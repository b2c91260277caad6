import { MESSAGE_TYPES, REPORT_REQUEST_SIZE, SEV_REPORT } from '@skerry/guest/wire'
import {
  type DeviceDriver,
  type DriverOptions,
  EFAULT,
  EINVAL,
  EIO,
  ENOTTY,
  FirmwareError,
  HARDWARE_ERROR,
  padTo,
  viewOf,
} from './device-driver.ts'

/**
 * The out-of-tree driver behind `/dev/sev` of Azure's 5.15 utility VM, REPORT only. Its errno for a bad argument is not
 * published; this emulator says EINVAL for lengths and types, EIO with `error` filled in for the firmware's own.
 */

/** 40 bytes: types u8 at 0 and 1, version u8 at 2, lengths u16 at 4 and 16, addresses u64 at 8 and 24, error u32 at 32. */
const ARGUMENT_SIZE = 40
/** The message and 64 spare bytes; the driver refuses less. */
const RESPONSE_SIZE = 1280

export function createSevDriver({ guest, onFault }: DriverOptions): DeviceDriver {
  return {
    async ioctl(request, argument, memory) {
      const bytes = memory.read(argument, ARGUMENT_SIZE)
      if (bytes === undefined) return EFAULT
      if (request !== SEV_REPORT) return ENOTTY
      const view = viewOf(bytes)
      const typesMatch = bytes[0] === MESSAGE_TYPES.reportRequest && bytes[1] === MESSAGE_TYPES.reportResponse
      const lengthsMatch = view.getUint16(4, true) === REPORT_REQUEST_SIZE && view.getUint16(16, true) >= RESPONSE_SIZE
      const requestAddress = view.getBigUint64(8, true)
      const responseAddress = view.getBigUint64(24, true)
      if (!typesMatch || bytes[2] === 0 || !lengthsMatch) return EINVAL
      if (requestAddress === 0n || responseAddress === 0n) return EINVAL
      const asked = memory.read(requestAddress, REPORT_REQUEST_SIZE)
      if (asked === undefined) return EFAULT
      try {
        const answer = await guest.reportRequest(asked)
        return memory.write(responseAddress, padTo(answer, RESPONSE_SIZE)) ? 0 : EFAULT
      } catch (error) {
        if (!(error instanceof FirmwareError)) onFault?.(error)
        const copy = Uint8Array.from(bytes)
        viewOf(copy).setUint32(32, error instanceof FirmwareError ? error.status : HARDWARE_ERROR, true)
        return memory.write(argument, copy) ? EIO : EFAULT
      }
    },
  }
}
