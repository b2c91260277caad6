import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, readdir, rmdir, stat } from 'node:fs/promises'
import type { Clock } from '../clock.ts'
import { REPORT_SIZE } from '../wire/index.ts'
import { requireReportOver, requireVmpl } from './answer.ts'
import { SnpDeviceError } from './errors.ts'
import type { SnpDevice } from './snp-device.ts'

/** Linux Documentation/ABI/testing/configfs-tsm-report (kernel 6.7 and later). */
export const TSM_PATH = '/sys/kernel/config/tsm/report'
export const TSM_PROVIDER = 'sev_guest'

/** The file operations that configfs understands, on an entry's attributes. Errors are Node's, with a `code`. */
export interface TsmFileSystem {
  makeEntry(path: string): Promise<void>
  removeEntry(path: string): Promise<void>
  /** Everybody's entries, with the milliseconds since the epoch at which they were made. */
  entries(): Promise<readonly { readonly name: string; readonly madeAt: number }[]>
  read(path: string): Promise<Uint8Array>
  /** All in one descriptor: the bytes of a binary attribute take effect when it is closed. */
  write(path: string, value: Uint8Array | string): Promise<void>
}

const configfs: TsmFileSystem = {
  makeEntry: async (path) => void (await mkdir(path)),
  removeEntry: (path) => rmdir(path),
  entries: async () =>
    await Promise.all(
      (await readdir(TSM_PATH)).map(async (name) => ({ name, madeAt: (await stat(`${TSM_PATH}/${name}`)).ctimeMs })),
    ),
  async read(path) {
    const file = await open(path, constants.O_RDONLY)
    try {
      // The sizes that configfs states are not those of the contents.
      const chunks: Buffer[] = []
      for (;;) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(0x4000))
        if (bytesRead === 0) return Buffer.concat(chunks)
        chunks.push(buffer.subarray(0, bytesRead))
      }
    } finally {
      await file.close()
    }
  },
  async write(path, value) {
    // For writing only: the attributes have no read permission, and configfs lets nobody pass over that.
    const file = await open(path, constants.O_WRONLY)
    try {
      await (typeof value === 'string' ? file.write(value) : file.write(value))
    } finally {
      await file.close()
    }
  },
}

export interface TsmDeviceOptions {
  readonly clock: Clock
  readonly fileSystem?: TsmFileSystem
  /** Names an entry; must not repeat. */
  readonly entryName?: () => string
}

/** Tries while somebody else writes to the entry, or the kernel is busy: 100 ms between them, doubled each time. */
const TRIES = 5
const FIRST_WAIT_MS = 100

const ENTRY_PREFIX = 'skerry-'
/** No request takes so long: the kernel gives up a throttled one after a minute. */
const LEFT_BEHIND_MS = 60 * 60 * 1000

/** @throws SnpDeviceError */
export async function tsmProvider(fileSystem: TsmFileSystem = configfs): Promise<string | undefined> {
  try {
    return await withEntry(fileSystem, entryName(), async (entry) => text(await fileSystem.read(`${entry}/provider`)))
  } catch (error) {
    // No provider is registered: this is a host, or a guest of another kind.
    if (error instanceof SnpDeviceError && error.errno === 'ENXIO') return undefined
    throw error
  }
}

/**
 * Reports by way of configfs-tsm: an entry is made for each, and removed behind it.
 * @throws SnpDeviceError `ERR_SNP_DEVICE_OPEN`, `ERR_SNP_DEVICE_MISSING`
 */
export async function openTsmDevice(options: TsmDeviceOptions): Promise<SnpDevice> {
  const { clock, fileSystem = configfs } = options
  const name = options.entryName ?? entryName
  const provider = await tsmProvider(fileSystem)
  if (provider !== TSM_PROVIDER)
    throw new SnpDeviceError(
      'ERR_SNP_DEVICE_MISSING',
      `${TSM_PATH} belongs to ${provider ?? 'nobody'}: this is not an SEV-SNP guest`,
    )
  await removeLeftBehind(fileSystem, clock.now())
  let closed = false
  let last: Promise<unknown> = Promise.resolve()

  const ask = async (reportData: Uint8Array, vmpl: number | undefined) => {
    for (let attempt = 1; ; attempt += 1) {
      if (closed) throw new SnpDeviceError('ERR_SNP_DEVICE_CLOSED', `${TSM_PATH} was closed`)
      try {
        return await withEntry(fileSystem, name(), (entry) => requestReport(fileSystem, entry, reportData, vmpl))
      } catch (error) {
        const again = error instanceof SnpDeviceError && error.code === 'ERR_SNP_BUSY' && error.retry === 'again'
        if (!again || attempt === TRIES) throw error
        await clock.sleep(FIRST_WAIT_MS * 2 ** (attempt - 1))
      }
    }
  }

  const inTurn = (reportData: Uint8Array, vmpl: number | undefined) => {
    if (reportData.length !== 64) throw new RangeError(`reportData must be 64 bytes, not ${reportData.length}`)
    if (vmpl !== undefined) requireVmpl(vmpl)
    const turn = last.then(() => ask(reportData, vmpl))
    last = turn.catch(() => undefined)
    return turn
  }

  return {
    getReport: async (reportData, { vmpl } = {}) => (await inTurn(reportData, vmpl)).report,
    getExtendedReport: async (reportData, { vmpl } = {}) => await inTurn(reportData, vmpl),
    close: () => {
      closed = true
    },
  }
}

async function requestReport(
  fileSystem: TsmFileSystem,
  entry: string,
  reportData: Uint8Array,
  vmpl: number | undefined,
): Promise<{ report: Uint8Array; certificateTable: Uint8Array }> {
  const generation = async () => text(await fileSystem.read(`${entry}/generation`))
  await writeLevel(fileSystem, entry, vmpl)
  const before = await generation()
  await fileSystem.write(`${entry}/inblob`, reportData)
  // An error of the write is lost when the descriptor is closed; the counter tells.
  const written = await generation()
  if (BigInt(written) !== BigInt(before) + 1n) throw interfered()
  const report = await fileSystem.read(`${entry}/outblob`)
  const certificateTable = await fileSystem.read(`${entry}/auxblob`)
  if ((await generation()) !== written) throw interfered()
  if (report.length !== REPORT_SIZE)
    throw new SnpDeviceError('ERR_SNP_RESPONSE', `${TSM_PATH} answered with ${report.length} bytes, not ${REPORT_SIZE}`)
  requireReportOver(TSM_PATH, report, reportData)
  return { report, certificateTable }
}

/** A process that was killed leaves its entry; the kernel keeps it for good. Others' are not touched, nor those in use. */
async function removeLeftBehind(fileSystem: TsmFileSystem, now: number): Promise<void> {
  const entries = await fileSystem.entries().catch(() => [])
  const left = entries.filter(({ name, madeAt }) => name.startsWith(ENTRY_PREFIX) && now - madeAt > LEFT_BEHIND_MS)
  await Promise.all(left.map(({ name }) => fileSystem.removeEntry(`${TSM_PATH}/${name}`).catch(() => undefined)))
}

/** An entry whose level was never written asks for VMPL 0, also where the guest itself runs above it. */
async function writeLevel(fileSystem: TsmFileSystem, entry: string, vmpl: number | undefined): Promise<void> {
  const stated = text(await fileSystem.read(`${entry}/privlevel_floor`))
  if (!/^[0-3]$/.test(stated))
    throw new SnpDeviceError('ERR_SNP_RESPONSE', `${TSM_PATH}: privlevel_floor is none: "${stated}"`)
  const floor = Number(stated)
  const level = vmpl ?? floor
  if (level < floor)
    throw new SnpDeviceError(
      'ERR_SNP_INVALID_PARAMETERS',
      `${TSM_PATH}: VMPL ${level} is below the guest's own, ${floor}`,
    )
  if (level !== 0) await fileSystem.write(`${entry}/privlevel`, String(level))
}

async function withEntry<T>(fileSystem: TsmFileSystem, name: string, work: (entry: string) => Promise<T>): Promise<T> {
  const entry = `${TSM_PATH}/${name}`
  await fileSystem.makeEntry(entry).catch((error) => {
    throw entryError(error)
  })
  try {
    return await work(entry)
  } catch (error) {
    throw requestError(error)
  } finally {
    // One that cannot be removed costs a few bytes of the kernel's; the report is not worth less.
    await fileSystem.removeEntry(entry).catch(() => undefined)
  }
}

function entryError(error: NodeJS.ErrnoException): SnpDeviceError {
  const { code: errno = 'EIO' } = error
  const why =
    errno === 'ENXIO'
      ? 'no provider of reports is registered'
      : ['EACCES', 'EPERM', 'EROFS'].includes(errno)
        ? 'configfs belongs to root and must be mounted writable'
        : error.message
  return new SnpDeviceError('ERR_SNP_DEVICE_OPEN', `${TSM_PATH} makes no entry (${errno}): ${why}`, {
    errno,
    retry: ['ENOMEM', 'EBUSY', 'EINTR'].includes(errno) ? 'again' : 'never',
    cause: error,
  })
}

/**
 * The driver behind it folds what the firmware says into three numbers: EINVAL and ENXIO for a message that was answered,
 * EIO for one that was not, and then its key is gone as with the ioctl.
 */
function requestError(error: unknown): unknown {
  const errno = (error as NodeJS.ErrnoException).code
  if (error instanceof SnpDeviceError || errno === undefined || !/^E[A-Z0-9]+$/.test(errno)) return error
  const make = (code: SnpDeviceError['code'], words: string, retry: SnpDeviceError['retry']) =>
    new SnpDeviceError(code, `${TSM_PATH}: ${words} (${errno})`, { errno, retry, cause: error })
  if (errno === 'EINVAL')
    return make('ERR_SNP_INVALID_PARAMETERS', 'the secure processor refuses the fields of the request', 'never')
  if (errno === 'ENXIO') return make('ERR_SNP_FIRMWARE', 'the secure processor refused', 'never')
  if (errno === 'EIO')
    return make('ERR_SNP_FIRMWARE', 'the secure processor or the hypervisor refused', 'after-restart')
  if (errno === 'EBADMSG') return make('ERR_SNP_RESPONSE', "the answer was not the secure processor's", 'after-restart')
  if (errno === 'ENOMEM') return make('ERR_SNP_IOCTL', 'the kernel is short of memory', 'again')
  if (['EBUSY', 'EAGAIN', 'EINTR'].includes(errno)) return make('ERR_SNP_BUSY', 'the kernel is busy', 'again')
  if (errno === 'ETIMEDOUT')
    return make('ERR_SNP_BUSY', 'the host throttled the request until the kernel gave up', 'after-restart')
  return make('ERR_SNP_IOCTL', 'the request failed', errno === 'ENOTTY' ? 'after-restart' : 'never')
}

function interfered(): SnpDeviceError {
  return new SnpDeviceError('ERR_SNP_BUSY', `${TSM_PATH}: somebody else writes to the entry of this request`, {
    retry: 'again',
  })
}

function entryName(): string {
  return `${ENTRY_PREFIX}${process.pid}-${randomBytes(8).toString('hex')}`
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1').trim()
}
