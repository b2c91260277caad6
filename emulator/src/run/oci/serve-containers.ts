import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { VirtualGuest } from '../../psp/types.ts'
import type { DeviceDriver } from '../device-driver.ts'
import { RunnerError } from '../errors.ts'
import { loadNative } from '../native.ts'
import { createSevDriver } from '../sev-driver.ts'
import { createSevGuestDriver } from '../sev-guest-driver.ts'
import type { DeviceGeneration, DeviceMechanism } from '../types.ts'
import { type SeccompAgent, startSeccompAgent } from './agent.ts'
import type { ContainerState } from './container-state.ts'
import { profileMetadata, seccompProfile } from './profile.ts'

export interface ServeContainersOptions {
  /** Where the profile is written; the listener's socket is beside it, with `.sock` after its name. */
  readonly profileFile: string
  /** Behind the device of every container that is started with the profile. */
  readonly guest: VirtualGuest
  readonly deviceGeneration?: DeviceGeneration
  /** Default `injected-descriptor`: see ProfileOptions. */
  readonly mechanism?: DeviceMechanism
  readonly onContainer?: (state: ContainerState) => void
  readonly onProblem?: (error: RunnerError) => void
  readonly onFault?: (error: unknown) => void
}

/**
 * Has containers of runc, crun or Docker find the SNP device: writes an OCI seccomp profile and answers whatever runtime
 * comes to its `listenerPath`, until disposed of.
 * @throws RunnerError ERR_NATIVE_MISSING, ERR_NATIVE_STALE, ERR_LISTENER_PATH; what writing the profile throws
 */
export async function serveContainers(options: ServeContainersOptions): Promise<SeccompAgent> {
  const { guest, deviceGeneration = 'sev-guest', mechanism = 'injected-descriptor', onFault } = options
  const native = loadNative()
  if ('missing' in native) throw new RunnerError(native.code, native.missing)
  const profileFile = resolve(options.profileFile)
  const listenerPath = `${profileFile}.sock`
  const create = deviceGeneration === 'sev' ? createSevDriver : createSevGuestDriver
  const driver: DeviceDriver = create({ guest, ...(onFault !== undefined && { onFault }) })
  const agent = await startSeccompAgent({
    native: native.parts,
    listenerPath,
    metadata: profileMetadata({ deviceGeneration, mechanism }),
    devicePath: `/dev/${deviceGeneration}`,
    injected: mechanism === 'injected-descriptor',
    driver,
    ...(options.onContainer !== undefined && { onContainer: options.onContainer }),
    ...(options.onProblem !== undefined && { onProblem: options.onProblem }),
  })
  try {
    const profile = seccompProfile({ listenerPath, deviceGeneration, mechanism, architecture: process.arch })
    writeFileSync(profileFile, `${JSON.stringify(profile, null, 2)}\n`)
  } catch (error) {
    await agent[Symbol.asyncDispose]()
    throw error
  }
  return agent
}
