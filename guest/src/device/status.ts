import { constants } from 'node:os'
import { SnpDeviceError } from './errors.ts'

/** What an ioctl left behind. `exitinfo2`: firmware status in the low 32 bits, hypervisor status in the high 32. */
export interface IoctlOutcome {
  /** 0, or the errno. */
  readonly errno: number
  readonly exitinfo2: bigint
}

/** Hypervisor statuses of GHCB's SNP guest request (Linux `SNP_GUEST_VMM_ERR_*`). */
const VMM_INVALID_LENGTH = 1
const VMM_BUSY = 2

/** The kernel's preset of exitinfo2 (`SEV_RET_NO_FW_CALL`): the firmware was never reached. */
const NO_FIRMWARE_CALL = 0xff

/** AMD 56860, "Status Codes". */
const FIRMWARE_STATUSES: Readonly<Record<number, string>> = {
  1: 'the platform is in the wrong state',
  2: 'the guest is in the wrong state',
  3: 'the platform configuration is bad',
  4: 'a length is bad',
  5: 'the platform is already owned',
  6: 'a certificate is bad',
  7: 'the guest policy forbids it',
  8: 'the guest is inactive',
  9: 'an address is bad',
  10: 'a signature is bad',
  11: 'a measurement is bad',
  12: 'the ASID is owned',
  13: 'the ASID is bad',
  14: 'WBINVD is required',
  15: 'DF_FLUSH is required',
  16: 'the guest handle is bad',
  17: 'the command is bad',
  18: 'the guest is active',
  19: 'hardware error, the platform is safe',
  20: 'hardware error, the platform is unsafe',
  21: 'not supported',
  22: 'a parameter is bad',
  23: 'out of resources',
  24: 'integrity check of secure data failed',
  25: 'a page has the wrong size',
  26: 'a page is in the wrong state',
  27: 'a metadata entry is bad',
  28: 'a page has the wrong owner',
  29: 'the AEAD sequence overflowed',
  31: 'the ring buffer mode was left',
  32: 'the RMP must be initialised',
  33: 'the SVN is below the committed one',
  34: 'the firmware version is below the committed one',
  35: 'a shutdown is required',
  36: 'the update failed',
  37: 'a restore is required',
  38: 'RMP initialisation failed',
  39: 'the key is not valid',
}

/** Of two names of one number (EAGAIN, EWOULDBLOCK) the first. */
const ERRNO_NAMES = new Map(
  Object.entries(constants.errno)
    .reverse()
    .map(([name, number]) => [number, name]),
)

export function errnoName(errno: number): string {
  return ERRNO_NAMES.get(errno) ?? `errno ${errno}`
}

/**
 * Whether the same request may be sent again. Only where the driver gave up before the message left: after a firmware
 * error or its own time limit (ETIMEDOUT) it wipes the VMPCK, and every further request fails until the guest restarts.
 */
export function isBusy(outcome: IoctlOutcome): boolean {
  return ['EAGAIN', 'EBUSY', 'EINTR'].includes(errnoName(outcome.errno))
}

/** The error for an ioctl that failed. Sources: Linux `drivers/virt/coco/sev-guest`, AMD 56860, GHCB specification. */
export function ioctlError(path: string, outcome: IoctlOutcome): SnpDeviceError {
  const errno = errnoName(outcome.errno)
  const firmwareStatus = Number(outcome.exitinfo2 & 0xffff_ffffn)
  const vmmStatus = Number(outcome.exitinfo2 >> 32n)
  if (errno === 'ENOTTY') {
    const trap = path.endsWith('/sev')
      ? ' (on a bare-metal AMD host /dev/sev belongs to the host and gives no reports)'
      : ''
    return new SnpDeviceError(
      'ERR_SNP_NOT_THE_DEVICE',
      `${path} does not answer SNP guest requests: it is another device${trap}, or the kernel has wiped its key (VMPCK) after an earlier error, until the guest restarts`,
      { errno },
    )
  }
  if (vmmStatus === VMM_BUSY || isBusy(outcome)) {
    return new SnpDeviceError('ERR_SNP_BUSY', `${path}: the host throttles requests (${errno})`, { errno, vmmStatus })
  }
  if (vmmStatus !== 0) {
    const words = vmmStatus === VMM_INVALID_LENGTH ? 'the buffer for certificates is too small' : `status ${vmmStatus}`
    return new SnpDeviceError('ERR_SNP_VMM', `${path}: the hypervisor refused (${errno}): ${words}`, {
      errno,
      vmmStatus,
    })
  }
  if (firmwareStatus !== 0 && firmwareStatus !== NO_FIRMWARE_CALL) {
    const words = FIRMWARE_STATUSES[firmwareStatus] ?? 'a status this version does not know'
    const message = `${path}: the secure processor refused with 0x${firmwareStatus.toString(16)} (${errno}): ${words}; later requests will fail until the guest restarts`
    return new SnpDeviceError('ERR_SNP_FIRMWARE', message, { errno, firmwareStatus })
  }
  return new SnpDeviceError('ERR_SNP_IOCTL', `${path}: the request failed with ${errno}`, { errno })
}

/** The error for a message that was delivered and refused: the status word of MSG_REPORT_RSP or MSG_KEY_RSP. */
export function messageError(path: string, status: number): SnpDeviceError {
  const details = { firmwareStatus: status }
  if (status === 0x27) {
    return new SnpDeviceError(
      'ERR_SNP_INVALID_KEY',
      `${path}: the selected signing key does not exist or is disabled (0x27)`,
      details,
    )
  }
  return new SnpDeviceError(
    'ERR_SNP_INVALID_PARAMETERS',
    `${path}: the secure processor refuses the fields of the request (0x${status.toString(16)}); a VMPL below the guest's own is one`,
    details,
  )
}
