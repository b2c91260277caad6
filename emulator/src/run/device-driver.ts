import { constants } from 'node:os'
import type { VirtualGuest } from '../psp/types.ts'
import type { ChannelOptions } from './guest-channel.ts'

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

export interface DriverOptions extends ChannelOptions {
  readonly guest: VirtualGuest
}

export const { EAGAIN, EBADMSG, EBUSY, EFAULT, EINVAL, EIO, ENOTTY, ETIMEDOUT } = constants.errno

export { FirmwareError } from '../psp/errors.ts'
export { HARDWARE_ERROR } from './guest-channel.ts'

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
