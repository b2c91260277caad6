import { access } from 'node:fs/promises'
import { SnpDeviceError } from './errors.ts'
import { TSM_PATH, TSM_PROVIDER, tsmProvider } from './tsm.ts'

/** Upstream's driver (5.19 and later), its file system (6.7 and later), the driver of Azure's 5.15 utility VM. */
export const DEVICE_PATHS = ['/dev/sev-guest', TSM_PATH, '/dev/sev'] as const

/** What can be seen of this machine without asking for a report. */
export interface DeviceProbe {
  exists(path: string): Promise<boolean>
  /** Name of configfs-tsm's provider, such as `sev_guest` or `tdx_guest`; undefined where there is none. */
  tsmProvider(): Promise<string | undefined>
}

const machine: DeviceProbe = {
  exists: (path) =>
    access(path).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
    ),
  tsmProvider,
}

/**
 * The first of `/dev/sev-guest`, configfs-tsm with the provider `sev_guest`, and `/dev/sev`. The last is also the name of
 * a bare-metal AMD host's interface to its secure processor, which gives no reports: where the others exist it is never
 * looked at. A TDX guest's configfs-tsm is passed over.
 * @throws SnpDeviceError `ERR_SNP_DEVICE_MISSING`; what reading configfs-tsm throws, where nothing else is there
 */
export async function chooseDevice(probe: DeviceProbe = machine): Promise<string> {
  const [guest, , legacy] = DEVICE_PATHS
  if (await probe.exists(guest)) return guest
  let other = ''
  let failure: unknown
  if (await probe.exists(TSM_PATH)) {
    try {
      const provider = await probe.tsmProvider()
      if (provider === TSM_PROVIDER) return TSM_PATH
      if (provider !== undefined) other = `; ${TSM_PATH} belongs to ${provider}, which is no SEV-SNP guest's`
    } catch (error) {
      failure = error
    }
  }
  if (await probe.exists(legacy)) return legacy
  if (failure !== undefined) throw failure
  throw new SnpDeviceError(
    'ERR_SNP_DEVICE_MISSING',
    `there is no ${guest}, no ${TSM_PATH} of an SEV-SNP guest and no ${legacy}: this is not such a guest, or the container was not given the device${other}`,
  )
}
