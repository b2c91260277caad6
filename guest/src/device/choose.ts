import { access, readdir, readFile, stat } from 'node:fs/promises'
import { SnpDeviceError } from './errors.ts'
import { TSM_PATH, TSM_PROVIDER, tsmProvider } from './tsm.ts'

/** Upstream's driver (5.19 and later), its file system (6.7 and later), the driver of Azure's 5.15 utility VM. */
export const DEVICE_PATHS = ['/dev/sev-guest', TSM_PATH, '/dev/sev'] as const

/** What can be seen of this machine without asking for a report. */
export interface DeviceProbe {
  /** Whether there is something of this name, whatever may be done with it. */
  exists(path: string): Promise<boolean>
  /** Name of configfs-tsm's provider, such as `sev_guest` or `tdx_guest`; undefined where there is none. */
  tsmProvider(): Promise<string | undefined>
  /** Whether `/dev/sev` is a bare-metal host's interface to its own secure processor. */
  isHost(): Promise<boolean>
}

const machine: DeviceProbe = {
  exists: (path) =>
    access(path).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
    ),
  tsmProvider,
  isHost: () => isHostDevice(),
}

/**
 * A host's `/dev/sev` is the one that its `ccp` driver made, and that driver has bound the processor's PCI device; no
 * utility VM has such a device. Found without a request to either. Sources: Linux `drivers/crypto/ccp`, sysfs's classes.
 * @param root where `dev` and `sys` are
 */
export async function isHostDevice(root = '/'): Promise<boolean> {
  try {
    const { rdev } = await stat(`${root}dev/sev`)
    const made = (await readFile(`${root}sys/class/misc/sev/dev`, 'latin1')).trim()
    if (made !== deviceNumber(rdev)) return false
    const bound = await readdir(`${root}sys/bus/pci/drivers/ccp`)
    return bound.some((name) => /^[0-9a-f]{4,}:[0-9a-f]{2}:/.test(name))
  } catch {
    return false
  }
}

/** As sysfs writes it. The C library's dev_t: twelve bits of the major number from bit 8, the minor's around them. */
function deviceNumber(rdev: number): string {
  return `${(rdev >>> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >>> 12) & 0xfff00)}`
}

/**
 * The first of `/dev/sev-guest`, configfs-tsm with the provider `sev_guest`, and `/dev/sev`. The last is also the name of
 * a bare-metal AMD host's interface to its secure processor, which gives no reports: where the others exist it is never
 * looked at, and the host's is not taken for a guest's. A TDX guest's configfs-tsm is passed over.
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
  if (await probe.exists(legacy)) {
    if (!(await probe.isHost())) return legacy
    other += `; ${legacy} is the interface of a bare-metal AMD host, which gives no reports`
  }
  if (failure !== undefined) throw failure
  throw new SnpDeviceError(
    'ERR_SNP_DEVICE_MISSING',
    `there is no ${guest}, no ${TSM_PATH} of an SEV-SNP guest and no ${legacy} of one: this is not such a guest, or the container was not given the device${other}`,
  )
}
