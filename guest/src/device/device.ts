import type { Clock } from '../clock.ts'
import { systemClock } from '../clock.ts'
import {
  decodeKeyResponse,
  decodeReportResponse,
  encodeKeyRequest,
  encodeReportRequest,
  type KeyRequest,
  MESSAGE_STATUS,
  trimCertificateTable,
} from '../wire/index.ts'
import type { NativeAddon, NativeDevice, NativeExtResponse, NativeResponse } from './addon.ts'
import { loadAddon, requireLinux } from './addon.ts'
import { readAnswer, requireReportOver, requireVmpl } from './answer.ts'
import { chooseDevice } from './choose.ts'
import { SnpDeviceError } from './errors.ts'
import type { SnpDevice } from './snp-device.ts'
import { errnoName, ioctlError, isBusy, messageError, neededRoom } from './status.ts'
import { openTsmDevice, TSM_PATH } from './tsm.ts'

/** Which device, and by what means. */
export interface OpenDeviceOptions {
  /**
   * Default: chosen as `chooseDevice` says. A path that ends in `/sev` is spoken to as Azure's 5.15 driver, that of
   * configfs-tsm as such.
   */
  readonly path?: string
  /** For the waits while it is busy. Default: the system's. */
  readonly clock?: Clock
  /** The native part; a test passes its own to give errors that no machine gives on demand. */
  readonly addon?: NativeAddon
}

/** Waits between tries while the driver is busy: 100 ms, doubled each time, five tries in all. */
const BUSY_TRIES = 5
const FIRST_BUSY_WAIT_MS = 100

/** Room for VCEK, ASK and ARK, in whole pages; a host with more says how much. */
const CERTIFICATES_ROOM = 0x2000
/** The largest certificate table that the driver takes. */
const MOST_CERTIFICATES_ROOM = 0x4000
const PAGE = 0x1000

const HIGHEST_VMPL = 3

/**
 * Opens the SNP guest device: `/dev/sev-guest`, configfs-tsm or `/dev/sev`, in this order. A bare-metal AMD host also has
 * a `/dev/sev`, its own interface to the secure processor, which knows no request of a guest: it comes last, and the
 * host's is not chosen.
 * @throws SnpDeviceError `ERR_SNP_SYSTEM`, `ERR_SNP_ADDON`, `ERR_SNP_DEVICE_MISSING`, `ERR_SNP_DEVICE_OPEN`
 */
export async function openDevice(options: OpenDeviceOptions = {}): Promise<SnpDevice> {
  if (options.addon === undefined) requireLinux()
  const clock = options.clock ?? systemClock
  const path = options.path ?? (await chooseDevice())
  if (path === TSM_PATH) return await openTsmDevice({ clock })
  const { errno, device } = await (options.addon ?? loadAddon()).open(path)
  if (device === undefined) throw openError(path, errno)
  return new GuestDevice(path, device, clock)
}

function openError(path: string, errno: number): SnpDeviceError {
  const name = errnoName(errno)
  if (name === 'ENOENT') return new SnpDeviceError('ERR_SNP_DEVICE_MISSING', `there is no ${path}`, { errno: name })
  const hint =
    name === 'EACCES' || name === 'EPERM' ? ': the device belongs to root; run as root or grant read and write' : ''
  const retry = ['EMFILE', 'ENFILE', 'ENOMEM', 'EBUSY', 'EINTR'].includes(name) ? 'again' : 'never'
  return new SnpDeviceError('ERR_SNP_DEVICE_OPEN', `${path} cannot be opened (${name})${hint}`, { errno: name, retry })
}

class GuestDevice implements SnpDevice {
  readonly #path: string
  readonly #native: NativeDevice
  readonly #clock: Clock
  readonly #legacy: boolean
  #certificatesRoom = CERTIFICATES_ROOM
  /** The guest's own VMPL is not below this. */
  #level = 0
  #closed = false
  #last: Promise<unknown> = Promise.resolve()

  constructor(path: string, native: NativeDevice, clock: Clock) {
    this.#path = path
    this.#native = native
    this.#clock = clock
    this.#legacy = path.endsWith('/sev')
  }

  async getReport(reportData: Uint8Array, options: { readonly vmpl?: number } = {}): Promise<Uint8Array> {
    const { report } = await this.#report(reportData, options.vmpl, (request) =>
      this.#legacy ? this.#native.getLegacyReport(request) : this.#native.getReport(request),
    )
    return report
  }

  async getExtendedReport(
    reportData: Uint8Array,
    options: { readonly vmpl?: number } = {},
  ): Promise<{ report: Uint8Array; certificateTable: Uint8Array }> {
    this.#refuseLegacy('SNP_GET_EXT_REPORT')
    const { report, outcome } = await this.#report(reportData, options.vmpl, (request) => this.#extReport(request))
    return { report, certificateTable: trimCertificateTable(outcome.certificates) }
  }

  /** With too little room the kernel keeps its key and says how much it takes: asked again once, and remembered. */
  async #extReport(request: Uint8Array): Promise<NativeExtResponse> {
    const outcome = await this.#native.getExtReport(request, this.#certificatesRoom)
    const needed = outcome.errno === 0 ? undefined : neededRoom(outcome)
    if (needed === undefined || needed <= this.#certificatesRoom || needed > MOST_CERTIFICATES_ROOM) return outcome
    this.#certificatesRoom = Math.ceil(needed / PAGE) * PAGE
    return await this.#native.getExtReport(request, this.#certificatesRoom)
  }

  async getDerivedKey(request: KeyRequest): Promise<Uint8Array> {
    this.#refuseLegacy('SNP_GET_DERIVED_KEY')
    if (request.launchMitVector !== undefined)
      throw new RangeError('launchMitVector cannot be asked for: the Linux driver passes messages of 32 bytes')
    const bytes = encodeKeyRequest(request)
    const outcome = await this.#ask(() => this.#native.getDerivedKey(bytes))
    try {
      const { status, key } = readAnswer(this.#path, () => decodeKeyResponse(outcome.response))
      if (status !== MESSAGE_STATUS.success) throw messageError(this.#path, status)
      return key
    } finally {
      outcome.response.fill(0)
    }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#native.close()
  }

  /**
   * A level below the guest's own is refused in the answer (0x16), which costs a message and not the kernel's key. Where no
   * level was asked for, the guest's own is the first that is not.
   */
  async #report<T extends NativeResponse>(
    reportData: Uint8Array,
    vmpl: number | undefined,
    send: (request: Uint8Array) => Promise<T>,
  ): Promise<{ report: Uint8Array; outcome: T }> {
    for (let level = vmpl ?? this.#level; ; level += 1) {
      const request = reportRequest(reportData, level)
      const outcome = await this.#ask(() => send(request))
      const { status, report } = readAnswer(this.#path, () => decodeReportResponse(outcome.response))
      if (status === MESSAGE_STATUS.invalidParameters && vmpl === undefined && level < HIGHEST_VMPL) continue
      if (status !== MESSAGE_STATUS.success) throw messageError(this.#path, status)
      if (vmpl === undefined) this.#level = level
      requireReportOver(this.#path, report, reportData)
      return { report, outcome }
    }
  }

  #refuseLegacy(what: string): void {
    if (this.#legacy)
      throw new SnpDeviceError('ERR_SNP_IOCTL', `${this.#path}: ${what} is only known to /dev/sev-guest`, {
        errno: 'ENOTTY',
      })
  }

  /** One request at a time: the kernel holds a lock over them anyway, and each waiting one would hold a thread of libuv's pool. */
  #ask<T extends NativeResponse>(send: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => this.#send(send))
    this.#last = turn.catch(() => undefined)
    return turn
  }

  async #send<T extends NativeResponse>(send: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      if (this.#closed) throw new SnpDeviceError('ERR_SNP_DEVICE_CLOSED', `${this.#path} was closed`)
      const outcome = await send()
      if (outcome.errno === 0) return outcome
      if (!isBusy(outcome) || attempt === BUSY_TRIES) throw ioctlError(this.#path, outcome)
      await this.#clock.sleep(FIRST_BUSY_WAIT_MS * 2 ** (attempt - 1))
    }
  }
}

function reportRequest(reportData: Uint8Array, vmpl: number): Uint8Array {
  requireVmpl(vmpl)
  return encodeReportRequest({ reportData, vmpl })
}
