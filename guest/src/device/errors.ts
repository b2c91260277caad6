import { FIRMWARE_STATUSES } from './firmware-status.ts'

/**
 * Why a report or a derived key could not be had. The code says who refused:
 * - `ERR_SNP_SYSTEM`: not Linux, where alone the device exists;
 * - `ERR_SNP_ADDON`: the native part was not built for this machine;
 * - `ERR_SNP_DEVICE_MISSING`: no device node: not a confidential guest, or the container was not given it;
 * - `ERR_SNP_DEVICE_OPEN`: the node is there and cannot be opened (`errno` says why);
 * - `ERR_SNP_NOT_THE_DEVICE`: ENOTTY (on `/dev/sev` EINVAL and ENODEV, too): the node is something else, or the kernel has
 *   wiped its key (VMPCK) after an earlier error;
 * - `ERR_SNP_FIRMWARE`: the secure processor refused (`firmwareStatus`);
 * - `ERR_SNP_VMM`: the hypervisor refused (`vmmStatus`);
 * - `ERR_SNP_BUSY`: throttled, and still so after the last try;
 * - `ERR_SNP_INVALID_PARAMETERS`, `ERR_SNP_INVALID_KEY`: the message was delivered and its fields were refused (0x16, 0x27);
 * - `ERR_SNP_IOCTL`: any other errno;
 * - `ERR_SNP_RESPONSE`: the device answered with something that is not what was asked;
 * - `ERR_SNP_DEVICE_CLOSED`: used after `close()`.
 */
export type SnpDeviceErrorCode =
  | 'ERR_SNP_SYSTEM'
  | 'ERR_SNP_ADDON'
  | 'ERR_SNP_DEVICE_MISSING'
  | 'ERR_SNP_DEVICE_OPEN'
  | 'ERR_SNP_NOT_THE_DEVICE'
  | 'ERR_SNP_FIRMWARE'
  | 'ERR_SNP_VMM'
  | 'ERR_SNP_BUSY'
  | 'ERR_SNP_INVALID_PARAMETERS'
  | 'ERR_SNP_INVALID_KEY'
  | 'ERR_SNP_IOCTL'
  | 'ERR_SNP_RESPONSE'
  | 'ERR_SNP_DEVICE_CLOSED'

/**
 * Whether to ask again:
 * - `again`: the request never reached the secure processor; the same one may pass later;
 * - `after-restart`: the kernel has given up its key to the processor (it wipes the VMPCK after most failures, so that a
 *   sequence number is never used twice), and every request fails until the guest restarts;
 * - `never`: the same request fails in the same way.
 */
export type RetryVerdict = 'again' | 'after-restart' | 'never'

export interface SnpDeviceErrorDetails {
  /** Default `never`. */
  readonly retry?: RetryVerdict
  /** Name of the errno, such as `ENOTTY`. */
  readonly errno?: string
  /** Low half of exitinfo2: a status of the firmware. */
  readonly firmwareStatus?: number
  /** High half of exitinfo2: a status of the hypervisor. */
  readonly vmmStatus?: number
  /** Bytes that the host's certificates need, when the room for them was too small. */
  readonly certificatesLength?: number
  readonly cause?: unknown
}

/** The device could not be used, or refused. Its message says in words who did, and what helps. */
export class SnpDeviceError extends Error {
  /** Stable. */
  readonly code: SnpDeviceErrorCode
  /** Whether the same request may pass. */
  readonly retry: RetryVerdict
  /** Name of the errno, such as `ENOTTY`. */
  readonly errno?: string
  /** A status of the firmware (AMD 56860, status codes). */
  readonly firmwareStatus?: number
  /** AMD's name of it, such as `INVALID_PARAM`. */
  readonly firmwareStatusName?: string
  /** A status of the hypervisor (Linux `sev-guest.h`): 1 invalid length, 2 busy. */
  readonly vmmStatus?: number
  /** Bytes that the host's certificates need, when the room for them was too small. */
  readonly certificatesLength?: number

  constructor(code: SnpDeviceErrorCode, message: string, details: SnpDeviceErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'SnpDeviceError'
    this.code = code
    this.retry = details.retry ?? 'never'
    if (details.errno !== undefined) this.errno = details.errno
    if (details.firmwareStatus !== undefined) {
      this.firmwareStatus = details.firmwareStatus
      const name = FIRMWARE_STATUSES[details.firmwareStatus]?.name
      if (name !== undefined) this.firmwareStatusName = name
    }
    if (details.vmmStatus !== undefined) this.vmmStatus = details.vmmStatus
    if (details.certificatesLength !== undefined) this.certificatesLength = details.certificatesLength
  }
}
