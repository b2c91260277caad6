import { existsSync } from 'node:fs'
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

/**
 * Loads the addon that `npm ci` built beside this package.
 * @throws SnpDeviceError `ERR_SNP_SYSTEM`, `ERR_SNP_ADDON`
 */
export function loadAddon(): NativeAddon {
  if (process.platform !== 'linux') {
    throw new SnpDeviceError(
      'ERR_SNP_SYSTEM',
      `SEV-SNP reports come from a Linux device; this is ${process.platform}. Pass a device of your own as a parameter, as the emulator does in process`,
    )
  }
  const path = fileURLToPath(new URL('../../native/build/Release/snp_device.node', import.meta.url))
  if (!existsSync(path)) {
    throw new SnpDeviceError(
      'ERR_SNP_ADDON',
      `the native part is not built: ${path} is missing. "npm run build" makes it (it needs python3, make and g++)`,
    )
  }
  try {
    return createRequire(import.meta.url)(path) as NativeAddon
  } catch (cause) {
    throw new SnpDeviceError(
      'ERR_SNP_ADDON',
      `the native part does not load on this machine: ${(cause as Error).message}`,
      { cause },
    )
  }
}
