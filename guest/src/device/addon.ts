import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { SnpDeviceError } from './errors.ts'
import type { IoctlOutcome } from './status.ts'

/**
 * The native part (`native/snp_device.cc`): opens a device node and issues its ioctls on libuv's pool. A failed call is
 * an answer with an errno; nothing here decides what it means.
 */
export interface NativeAddon {
  open(path: string): Promise<{ readonly errno: number; readonly device?: NativeDevice }>
}

/** Requests are the bytes of AMD's messages: 96 for a report, 32 for a key. */
export interface NativeDevice {
  /** SNP_GET_REPORT of `/dev/sev-guest`: 4000 bytes that begin with MSG_REPORT_RSP. */
  getReport(request: Uint8Array): Promise<NativeResponse>
  /** SNP_GET_DERIVED_KEY: the 64 bytes of MSG_KEY_RSP. */
  getDerivedKey(request: Uint8Array): Promise<NativeResponse>
  /** SNP_GET_EXT_REPORT with room for certificates in bytes (whole pages, at most 0x4000). */
  getExtReport(request: Uint8Array, certificatesLength: number): Promise<NativeExtResponse>
  /** REPORT of Azure's 5.15 `/dev/sev`: 1280 bytes that begin with MSG_REPORT_RSP; `exitinfo2` is its error word. */
  getLegacyReport(request: Uint8Array): Promise<NativeResponse>
  /** Requests under way finish; the descriptor is closed after the last of them. */
  close(): void
}

export interface NativeResponse extends IoctlOutcome {
  readonly response: Uint8Array
}

export interface NativeExtResponse extends NativeResponse {
  readonly certificates: Uint8Array
  /** Bytes written, or the bytes needed when the room was too small. */
  readonly certificatesLength: number
}

/** What the addon does besides. */
export interface LoadedAddon extends NativeAddon {
  /**
   * A file without a name, in memory, sealed against change (memfd_create): readable to whoever has the descriptor, gone
   * with the last one. The descriptor is not passed on unless asked to be. Throws an error in the system's words.
   */
  createMemoryFile(name: string, content: Uint8Array): number
}

/** @throws SnpDeviceError `ERR_SNP_SYSTEM` */
export function requireLinux(): void {
  if (process.platform === 'linux') return
  throw new SnpDeviceError(
    'ERR_SNP_SYSTEM',
    `SEV-SNP reports come from a Linux device; this is ${process.platform}. Pass a device of your own as a parameter, as the emulator does in process`,
  )
}

/**
 * Where the addon may lie: as `npm ci` compiled it here, or as it came with the published package, one for each processor
 * and C library. Of the last two only that of this machine's library loads; its interface, Node-API, is the same for
 * every Node.
 */
export function addonPaths(root = new URL('../../', import.meta.url)): string[] {
  const prebuilt = (libc: string) => `prebuilds/linux-${process.arch}/snp_device.${libc}.node`
  return ['native/build/Release/snp_device.node', prebuilt('glibc'), prebuilt('musl')].map((path) =>
    fileURLToPath(new URL(path, root)),
  )
}

let loaded: LoadedAddon | undefined

/**
 * Loads the native part.
 * @throws SnpDeviceError `ERR_SNP_SYSTEM`, `ERR_SNP_ADDON`
 */
export function loadAddon(): LoadedAddon {
  loaded ??= findAddon()
  return loaded
}

function findAddon(): LoadedAddon {
  requireLinux()
  const require = createRequire(import.meta.url)
  const failures: string[] = []
  let cause: unknown
  for (const path of addonPaths()) {
    if (!existsSync(path)) continue
    try {
      return require(path) as LoadedAddon
    } catch (error) {
      cause = error
      failures.push((error as Error).message)
    }
  }
  if (failures.length > 0)
    throw new SnpDeviceError('ERR_SNP_ADDON', `the native part does not load here: ${failures.join('; ')}`, { cause })
  throw new SnpDeviceError(
    'ERR_SNP_ADDON',
    `the native part is neither compiled nor did it come with the package for linux-${process.arch}: ${addonPaths()[0]} is missing${reasonNoted()}. "npm rebuild @skerry/guest" makes it (it needs python3, make, g++ and Node's headers)`,
  )
}

/** What the package's installation found missing. */
function reasonNoted(): string {
  try {
    const note = fileURLToPath(new URL('../../native/not-made.txt', import.meta.url))
    return `, for when the package was installed, ${readFileSync(note, 'utf8').trim()}`
  } catch {
    return ''
  }
}
