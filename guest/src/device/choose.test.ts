import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { chooseDevice, isHostDevice } from './choose.ts'
import { SnpDeviceError } from './errors.ts'
import { TSM_PATH } from './tsm.ts'

const machine = (paths: string[], provider?: string | Error, host = false) => ({
  isHost: async () => host,
  exists: async (path: string) => paths.includes(path),
  tsmProvider: async () => {
    if (provider instanceof Error) throw provider
    return provider
  },
})

describe('the device of', () => {
  it.each([
    ['an upstream kernel is /dev/sev-guest', ['/dev/sev-guest'], undefined, '/dev/sev-guest'],
    ["Azure's 5.15 utility VM is /dev/sev", ['/dev/sev'], undefined, '/dev/sev'],
    [
      'a guest with both names is /dev/sev-guest',
      ['/dev/sev', '/dev/sev-guest', TSM_PATH],
      'sev_guest',
      '/dev/sev-guest',
    ],
    ['a guest that was given configfs alone is configfs-tsm', [TSM_PATH], 'sev_guest', TSM_PATH],
    ["a guest with a host's /dev/sev mapped in is configfs-tsm", [TSM_PATH, '/dev/sev'], 'sev_guest', TSM_PATH],
    ['a kernel whose configfs has no provider is /dev/sev', [TSM_PATH, '/dev/sev'], undefined, '/dev/sev'],
    ['a container that may not use configfs is /dev/sev', [TSM_PATH, '/dev/sev'], new Error('EACCES'), '/dev/sev'],
  ])('%s', async (_what, paths, provider, path) => {
    await expect(chooseDevice(machine(paths, provider))).resolves.toBe(path)
  })

  it('an ordinary machine is none', async () => {
    await expect(chooseDevice(machine([]))).rejects.toMatchObject({ code: 'ERR_SNP_DEVICE_MISSING', retry: 'never' })
  })

  it.each([
    ['alone', ['/dev/sev'], undefined],
    ['beside a configfs without provider', [TSM_PATH, '/dev/sev'], undefined],
  ])('a bare-metal AMD host is none, its own /dev/sev %s, and the error says so', async (_how, paths, provider) => {
    await expect(chooseDevice(machine(paths, provider, true))).rejects.toMatchObject({
      code: 'ERR_SNP_DEVICE_MISSING',
      message: expect.stringContaining('bare-metal AMD host'),
    })
  })

  it("a guest that a host's /dev/sev was mapped into is the guest's own", async () => {
    await expect(chooseDevice(machine(['/dev/sev', '/dev/sev-guest'], undefined, true))).resolves.toBe('/dev/sev-guest')
  })

  it("a TDX guest is none, and the error says whose guest's it is", async () => {
    await expect(chooseDevice(machine([TSM_PATH], 'tdx_guest'))).rejects.toMatchObject({
      code: 'ERR_SNP_DEVICE_MISSING',
      message: expect.stringContaining('tdx_guest'),
    })
  })

  it('a container that may not use configfs, with nothing else, is the error of configfs', async () => {
    const denied = new SnpDeviceError('ERR_SNP_DEVICE_OPEN', 'root', { errno: 'EACCES' })
    await expect(chooseDevice(machine([TSM_PATH], denied))).rejects.toBe(denied)
  })
})

describe.runIf(process.platform === 'linux')("a host's /dev/sev", () => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-host-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** A machine whose /dev/sev is the device 1:3, as sysfs describes it. */
  const machineOf = (name: string, { made, bound }: { made?: string; bound: string[] }) => {
    const root = join(folder, name)
    const put = (path: string, text: string) => {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), text)
    }
    mkdirSync(join(root, 'dev'), { recursive: true })
    symlinkSync('/dev/null', join(root, 'dev/sev'))
    if (made !== undefined) put('sys/class/misc/sev/dev', made)
    for (const file of bound) put(`sys/bus/pci/drivers/ccp/${file}`, '')
    return `${root}/`
  }

  it.each<[string, { made?: string; bound: string[] }, boolean]>([
    ['is one that the driver of its bound processor made', { made: '1:3\n', bound: ['bind', '0000:47:00.1'] }, true],
    [
      "is not that of a utility VM, whose kernel has a driver and no processor's device",
      { made: '1:3\n', bound: ['bind'] },
      false,
    ],
    ['is not another device by its name', { made: '10:124\n', bound: ['0000:47:00.1'] }, false],
    ['is not where no kernel made one', { bound: ['0000:47:00.1'] }, false],
  ])('%s', async (name, machine, host) => {
    await expect(isHostDevice(machineOf(name.replaceAll(/\W/g, '-'), machine))).resolves.toBe(host)
  })
})
