import {
  KEY_REQUEST_SIZE,
  KEY_RESPONSE_SIZE,
  MESSAGE_TYPES,
  REPORT_REQUEST_SIZE,
  SEV_KEY,
  SEV_REPORT,
  SEV_REQUEST,
} from '@skerry/guest/wire'
import { GuestRequestError, type GuestRequestFailure } from '../psp/errors.ts'
import type { VirtualGuest } from '../psp/types.ts'
import {
  type DeviceDriver,
  type DriverOptions,
  EAGAIN,
  EBADMSG,
  EBUSY,
  EFAULT,
  EINVAL,
  EIO,
  ENOTTY,
  HARDWARE_ERROR,
  padTo,
  viewOf,
} from './device-driver.ts'

/**
 * The out-of-tree driver behind `/dev/sev` of Azure's 5.15 utility VM. Its errno for a bad argument is not published; this
 * emulator says EINVAL for lengths and types, EIO with `error` filled in for the firmware's own, and leaves waiting to the
 * caller. Whether it wipes its key is not known: here it does not.
 */

/** 40 bytes: types u8 at 0 and 1, version u8 at 2, lengths u16 at 4 and 16, addresses u64 at 8 and 24, error u32 at 32. */
const ARGUMENT_SIZE = 40

interface Message {
  readonly requestType: number
  readonly responseType: number
  readonly requestSize: number
  /** The driver refuses less; for a report the message and 64 spare bytes. */
  readonly responseSize: number
  ask(guest: VirtualGuest, request: Uint8Array): Promise<Uint8Array>
}

const REPORT: Message = {
  requestType: MESSAGE_TYPES.reportRequest,
  responseType: MESSAGE_TYPES.reportResponse,
  requestSize: REPORT_REQUEST_SIZE,
  responseSize: 1280,
  ask: (guest, request) => guest.reportRequest(request),
}
const KEY: Message = {
  requestType: MESSAGE_TYPES.keyRequest,
  responseType: MESSAGE_TYPES.keyResponse,
  requestSize: KEY_REQUEST_SIZE,
  responseSize: KEY_RESPONSE_SIZE,
  ask: (guest, request) => guest.keyRequest(request),
}

/** Which messages an ioctl takes; REQUEST takes whichever its argument names. */
const MESSAGES: ReadonlyMap<number, readonly Message[]> = new Map([
  [SEV_REQUEST, [REPORT, KEY]],
  [SEV_REPORT, [REPORT]],
  [SEV_KEY, [KEY]],
])

const ERRNO: Readonly<Record<Exclude<GuestRequestFailure, 'firmware'>, number>> = {
  vmm: EIO,
  busy: EBUSY,
  response: EBADMSG,
  sequence: EIO,
  again: EAGAIN,
}

export function createSevDriver({ guest, onFault }: DriverOptions): DeviceDriver {
  return {
    async ioctl(request, argument, memory) {
      const bytes = memory.read(argument, ARGUMENT_SIZE)
      if (bytes === undefined) return EFAULT
      const messages = MESSAGES.get(request)
      if (messages === undefined) return ENOTTY
      const view = viewOf(bytes)
      const message = messages.find(
        ({ requestType, responseType }) => bytes[0] === requestType && bytes[1] === responseType,
      )
      if (message === undefined || bytes[2] === 0) return EINVAL
      const { requestSize, responseSize } = message
      if (view.getUint16(4, true) !== requestSize || view.getUint16(16, true) < responseSize) return EINVAL
      const requestAddress = view.getBigUint64(8, true)
      const responseAddress = view.getBigUint64(24, true)
      if (requestAddress === 0n || responseAddress === 0n) return EINVAL
      const asked = memory.read(requestAddress, requestSize)
      if (asked === undefined) return EFAULT
      try {
        const answer = await message.ask(guest, asked)
        return memory.write(responseAddress, padTo(answer, responseSize)) ? 0 : EFAULT
      } catch (error) {
        if (!(error instanceof GuestRequestError)) onFault?.(error)
        const failure = error instanceof GuestRequestError ? error.failure : 'firmware'
        if (failure !== 'firmware') return ERRNO[failure]
        const copy = Uint8Array.from(bytes)
        viewOf(copy).setUint32(32, error instanceof GuestRequestError ? error.status : HARDWARE_ERROR, true)
        return memory.write(argument, copy) ? EIO : EFAULT
      }
    },
  }
}
