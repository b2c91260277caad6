import { constants } from 'node:os'
import type { VirtualGuest } from '../psp/types.ts'

/** The memory of the process whose `ioctl` is being answered. Addresses are its own. */
export interface CallerMemory {
  /** Exactly `size` bytes, or undefined when they cannot all be read. */
  read(address: bigint, size: number): Uint8Array | undefined
  /** False when they cannot all be written. */
  write(address: bigint, bytes: Uint8Array): boolean
}

/** What a kernel driver does with an `ioctl` on the SNP device. */
export interface DeviceDriver {
  /** @returns 0, or the errno that the caller gets */
  ioctl(request: number, argument: bigint, memory: CallerMemory): Promise<number>
}

export interface DriverOptions {
  readonly guest: VirtualGuest
  /** Told what went wrong when the guest's processor threw anything but a FirmwareError: a fault of the emulator. */
  readonly onFault?: (error: unknown) => void
}

/** Thrown by a VirtualGuest when the firmware refuses the whole request (not one of MSG_*_RSP's status words). */
export class FirmwareError extends Error {
  override readonly name = 'FirmwareError'
  readonly code = 'ERR_FIRMWARE'
  /** AMD 56860, status codes: what the low half of exitinfo2 carries. */
  readonly status: number

  constructor(status: number) {
    super(`the firmware answered status ${status}`)
    this.status = status
  }
}

/** HWERROR_PLATFORM: what is said when the emulator itself failed. */
export const HARDWARE_ERROR = 19

export const { EFAULT, EINVAL, EIO, ENOTTY } = constants.errno

/** Little-endian view of bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** The bytes followed by zeros up to `size`, as a driver copies its whole buffer out. */
export function padTo(bytes: Uint8Array, size: number): Uint8Array {
  const padded = new Uint8Array(size)
  padded.set(bytes.subarray(0, size))
  return padded
}
