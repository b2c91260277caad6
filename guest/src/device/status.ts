import { constants } from 'node:os'
import { type RetryVerdict, SnpDeviceError } from './errors.ts'
import { FIRMWARE_STATUSES } from './firmware-status.ts'

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

/** Bytes that the host's certificates need, when the failure is that the room was too small: the one that wipes no key. */
export function neededRoom(outcome: IoctlOutcome & { readonly certificatesLength?: number }): number | undefined {
  return outcome.exitinfo2 >> 32n === BigInt(VMM_INVALID_LENGTH) ? outcome.certificatesLength : undefined
}

/** The error for an ioctl that failed. Sources: Linux `drivers/virt/coco/sev-guest`, AMD 56860, GHCB specification. */
export function ioctlError(
  path: string,
  outcome: IoctlOutcome & { readonly certificatesLength?: number },
): SnpDeviceError {
  const errno = errnoName(outcome.errno)
  const firmwareStatus = Number(outcome.exitinfo2 & 0xffff_ffffn)
  const vmmStatus = Number(outcome.exitinfo2 >> 32n)
  if (isNotTheDevice(path, errno)) return notTheDevice(path, errno)
  if (vmmStatus === VMM_BUSY || isBusy(outcome)) {
    const retry = isBusy(outcome) ? 'again' : 'after-restart'
    const lost =
      retry === 'again' ? '' : '; the kernel waited in vain, and later requests will fail until the guest restarts'
    return new SnpDeviceError('ERR_SNP_BUSY', `${path}: the host throttles requests (${errno})${lost}`, {
      errno,
      vmmStatus,
      retry,
    })
  }
  if (vmmStatus === VMM_INVALID_LENGTH) return tooSmall(path, errno, outcome.certificatesLength)
  if (vmmStatus !== 0) {
    const message = `${path}: the hypervisor refused (${errno}): status ${vmmStatus}; later requests will fail until the guest restarts`
    return new SnpDeviceError('ERR_SNP_VMM', message, { errno, vmmStatus, retry: 'after-restart' })
  }
  if (firmwareStatus !== 0 && firmwareStatus !== NO_FIRMWARE_CALL) {
    const message = `${path}: the secure processor refused (${errno}) with ${inWords(firmwareStatus)}; later requests will fail until the guest restarts`
    return new SnpDeviceError('ERR_SNP_FIRMWARE', message, { errno, firmwareStatus, retry: 'after-restart' })
  }
  if (errno === 'EBADMSG')
    return new SnpDeviceError(
      'ERR_SNP_RESPONSE',
      `${path}: the answer was not the secure processor's (${errno}); later requests will fail until the guest restarts`,
      { errno, retry: 'after-restart' },
    )
  return new SnpDeviceError('ERR_SNP_IOCTL', `${path}: the request failed with ${errno}`, {
    errno,
    retry: verdictOfErrno(errno, firmwareStatus),
  })
}

/** Of what failed inside the driver. */
function verdictOfErrno(errno: string, firmwareStatus: number): RetryVerdict {
  if (errno === 'ENOMEM') return 'again'
  // The counter of messages, whose number makes each of them unique, has come to its end.
  return errno === 'EIO' && firmwareStatus === NO_FIRMWARE_CALL ? 'after-restart' : 'never'
}

/** A bare-metal host's `/dev/sev` answers EINVAL to every request that is not its own, ENODEV without its processor. */
function isNotTheDevice(path: string, errno: string): boolean {
  return errno === 'ENOTTY' || (path.endsWith('/sev') && ['EINVAL', 'ENODEV'].includes(errno))
}

function notTheDevice(path: string, errno: string): SnpDeviceError {
  const host = path.endsWith('/sev')
  const trap = host ? ' (on a bare-metal AMD host /dev/sev belongs to the host and gives no reports)' : ''
  return new SnpDeviceError(
    'ERR_SNP_NOT_THE_DEVICE',
    `${path} does not answer SNP guest requests (${errno}): it is another device${trap}, or the kernel has wiped its key (VMPCK) after an earlier error, until the guest restarts`,
    { errno, retry: host ? 'never' : 'after-restart' },
  )
}

function tooSmall(path: string, errno: string, certificatesLength: number | undefined): SnpDeviceError {
  const needed = certificatesLength === undefined ? '' : `: they need ${certificatesLength} bytes`
  return new SnpDeviceError('ERR_SNP_VMM', `${path}: the buffer for certificates is too small (${errno})${needed}`, {
    errno,
    vmmStatus: VMM_INVALID_LENGTH,
    ...(certificatesLength !== undefined && { certificatesLength }),
  })
}

function inWords(firmwareStatus: number): string {
  const { name = '', words = 'a status this version does not know' } = FIRMWARE_STATUSES[firmwareStatus] ?? {}
  return `0x${firmwareStatus.toString(16)}${name && ` ${name}`}: ${words}`
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
  if (status === 0x16) {
    return new SnpDeviceError(
      'ERR_SNP_INVALID_PARAMETERS',
      `${path}: the secure processor refuses the fields of the request (0x16), as it does a VMPL below the guest's own, and for a key an SVN or TCB above its own`,
      details,
    )
  }
  // The message was delivered: the kernel keeps its key.
  return new SnpDeviceError(
    'ERR_SNP_FIRMWARE',
    `${path}: the secure processor refused with ${inWords(status)}`,
    details,
  )
}
