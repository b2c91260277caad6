import { constants } from 'node:os'
import { systemClock } from '../core/index.ts'
import { GuestRequestError, VMM_BUSY, VMM_INVALID_LENGTH } from '../psp/errors.ts'

/**
 * The part of a guest's kernel that speaks to the firmware for its drivers: what becomes of a request that fails, and the
 * key (VMPCK) that is lost over it. Source: Linux `drivers/virt/coco/sev-guest/sev-guest.c` (6.x).
 */
export interface GuestChannel {
  /** Asks the firmware by way of the hypervisor. */
  ask<T>(question: () => Promise<T>): Promise<{ readonly answer: T } | Outcome>
}

/** What an ioctl leaves behind: 0 or the errno, and exitinfo2 (firmware's status low, hypervisor's high). */
export interface Outcome {
  readonly errno: number
  readonly exitInfo2: bigint
}

export interface ChannelOptions {
  /** Told what went wrong when the guest's processor threw anything but a GuestRequestError: a fault of the emulator. */
  readonly onFault?: (error: unknown) => void
  /** Waits between tries while the hypervisor throttles. Default: the machine's time. */
  readonly sleep?: (ms: number) => Promise<void>
}

/** What the driver presets exitinfo2 with: still there afterwards, the firmware was never reached. */
export const NOT_REACHED = 0xffn

/** HWERROR_PLATFORM: what is said when the emulator itself failed. */
export const HARDWARE_ERROR = 19

/** SNP_REQ_RETRY_DELAY and SNP_REQ_MAX_RETRY_DURATION. */
const RETRY_DELAY_MS = 2_000
const LONGEST_RETRY_MS = 60_000

const { EAGAIN, EBADMSG, EIO, ENOTTY, ETIMEDOUT } = constants.errno

/** One per guest: after most failures the kernel wipes its key, and every later request of any process gets ENOTTY. */
export function createGuestChannel(options: ChannelOptions = {}): GuestChannel {
  const { onFault, sleep = (ms: number) => systemClock().sleep(ms) } = options
  let keyWiped = false
  const wiped = (errno: number, exitInfo2: bigint): Outcome => {
    keyWiped = true
    return { errno, exitInfo2 }
  }

  const failed = (error: unknown): Outcome => {
    if (!(error instanceof GuestRequestError)) {
      onFault?.(error)
      return wiped(EIO, BigInt(HARDWARE_ERROR))
    }
    const { failure, status } = error
    switch (failure) {
      case 'firmware':
        return wiped(EIO, BigInt(status))
      case 'vmm':
        if (status === VMM_INVALID_LENGTH) return { errno: EIO, exitInfo2: vmmStatus(status) }
        return wiped(EIO, vmmStatus(status))
      case 'busy':
        return wiped(ETIMEDOUT, vmmStatus(VMM_BUSY))
      case 'response':
        // The firmware itself succeeded.
        return wiped(EBADMSG, 0n)
      case 'sequence':
        return { errno: EIO, exitInfo2: NOT_REACHED }
      case 'again':
        return { errno: EAGAIN, exitInfo2: NOT_REACHED }
    }
  }

  return {
    async ask(question) {
      for (let waitedMs = 0; ; waitedMs += RETRY_DELAY_MS) {
        // Another request may have lost the key meanwhile.
        if (keyWiped) return { errno: ENOTTY, exitInfo2: NOT_REACHED }
        try {
          return { answer: await question() }
        } catch (error) {
          const busy = error instanceof GuestRequestError && error.failure === 'busy'
          if (!busy || waitedMs >= LONGEST_RETRY_MS) return failed(error)
          await sleep(RETRY_DELAY_MS)
        }
      }
    },
  }
}

/** SNP_GUEST_VMM_ERR_*: the upper half of exitinfo2. */
export function vmmStatus(status: number): bigint {
  return BigInt(status) << 32n
}
