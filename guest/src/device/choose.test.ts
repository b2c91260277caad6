import { describe, expect, it } from 'vitest'
import { chooseDevice } from './choose.ts'
import { SnpDeviceError } from './errors.ts'
import { TSM_PATH } from './tsm.ts'

const machine = (paths: string[], provider?: string | Error) => ({
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
