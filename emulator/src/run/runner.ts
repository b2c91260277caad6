import type { VirtualGuest } from '../psp/types.ts'
import { type ProbeOptions, probe } from './capabilities.ts'
import { startConfined } from './confined-process.ts'
import type { DeviceDriver } from './device-driver.ts'
import { RunnerError } from './errors.ts'
import { startInProcess } from './in-process/start.ts'
import { loadNative, type NativeParts } from './native.ts'
import { createGroupNetwork } from './network.ts'
import { createSevDriver } from './sev-driver.ts'
import { createSevGuestDriver } from './sev-guest-driver.ts'
import type { ConfidentialRunner, DeviceGeneration, RunnerCapabilities } from './types.ts'

export interface RunnerOptions extends ProbeOptions {
  /**
   * Directories that programs find empty, where they have a mount namespace: what is kept there is the emulator's, and
   * programs run as the same user. Files among them are sockets, which refuse them. Nothing else of the file system is hidden.
   */
  readonly hidden?: readonly string[]
  /** Directories that programs find empty and may write to, where they have a mount namespace. */
  readonly emptied?: readonly string[]
  /** Where what belongs to a network is kept: in a hidden directory, so that no program changes another group's. */
  readonly stateDir?: string
  /** Told when a guest's processor failed in a way that no firmware does; the caller gets EIO. */
  readonly onFault?: (error: unknown) => void
  /** Told when a program asks the device whose memory the system keeps from the emulator (`unreachableCaller`). */
  readonly onUnreachable?: (error: RunnerError) => void
}

export function createRunner(options: RunnerOptions = {}): ConfidentialRunner {
  let found: Promise<RunnerCapabilities> | undefined
  // A driver keeps what the kernel keeps per guest, so all programs of a guest share one.
  const drivers: Record<DeviceGeneration, WeakMap<VirtualGuest, DeviceDriver>> = {
    'sev-guest': new WeakMap(),
    sev: new WeakMap(),
  }
  const driverOf = (guest: VirtualGuest, generation: DeviceGeneration): DeviceDriver => {
    const known = drivers[generation].get(guest)
    if (known !== undefined) return known
    const create = generation === 'sev' ? createSevDriver : createSevGuestDriver
    const driver = create({ guest, ...onFaultOf(options) })
    drivers[generation].set(guest, driver)
    return driver
  }
  const capabilities = () => {
    found ??= probe(loadNative(), options)
    return found
  }
  return {
    capabilities,
    async createNetwork(networkOptions) {
      const { networkNamespace, notices } = await capabilities()
      if (!networkNamespace) throw new RunnerError('ERR_NETWORK_NAMESPACE', notices.join(' '))
      return createGroupNetwork(nativeParts(), networkOptions, options.stateDir)
    },
    async start(processOptions) {
      const { device, notices } = await capabilities()
      if (device === 'none') return startInProcess(processOptions, { notices, ...onFaultOf(options) })
      const driver = driverOf(processOptions.guest, processOptions.deviceGeneration ?? 'sev-guest')
      return startConfined(processOptions, {
        native: nativeParts(),
        mechanism: device,
        driver,
        ...(options.hidden !== undefined && { hidden: options.hidden }),
        ...(options.emptied !== undefined && { emptied: options.emptied }),
        ...(options.onUnreachable !== undefined && { onUnreachable: options.onUnreachable }),
      })
    },
  }
}

function onFaultOf({ onFault }: RunnerOptions): Pick<RunnerOptions, 'onFault'> {
  return onFault === undefined ? {} : { onFault }
}

function nativeParts(): NativeParts {
  const native = loadNative()
  if ('missing' in native) throw new RunnerError(native.code, native.missing)
  return native.parts
}
