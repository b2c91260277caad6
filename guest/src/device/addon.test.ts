import { describe, expect, it } from 'vitest'
import { loadAddon } from './addon.ts'
import { openDevice } from './device.ts'

const linux = process.platform === 'linux'

describe.runIf(linux)('the native part', () => {
  it('reports a device that does not exist as missing', async () => {
    await expect(openDevice({ path: '/dev/skerry-no-such-device' })).rejects.toMatchObject({
      name: 'SnpDeviceError',
      code: 'ERR_SNP_DEVICE_MISSING',
      errno: 'ENOENT',
    })
  })

  it('issues the real ioctl, which another device answers with ENOTTY', async () => {
    const device = await openDevice({ path: '/dev/null' })
    await expect(device.getReport(new Uint8Array(64))).rejects.toMatchObject({
      code: 'ERR_SNP_NOT_THE_DEVICE',
      errno: 'ENOTTY',
    })
    await expect(device.getDerivedKey!({ rootKeySelect: 0, guestFieldSelect: 0n, vmpl: 0 })).rejects.toMatchObject({
      errno: 'ENOTTY',
    })
    await expect(device.getExtendedReport!(new Uint8Array(64))).rejects.toMatchObject({ errno: 'ENOTTY' })
    device.close()
  })

  it('lets a request under way finish when the device is closed', async () => {
    const { device } = await loadAddon().open('/dev/null')
    const underWay = device!.getReport(new Uint8Array(96))
    device!.close()
    await expect(underWay).resolves.toMatchObject({ errno: 25, exitinfo2: 0n })
  })

  it('refuses a request of the wrong size without asking the kernel', async () => {
    const { device } = await loadAddon().open('/dev/null')
    expect(() => device!.getReport(new Uint8Array(95))).toThrow('96 bytes')
    expect(() => device!.getExtReport(new Uint8Array(96), 100)).toThrow('whole pages')
    device!.close()
  })
})

describe.skipIf(linux)('without Linux', () => {
  it('says what is missing', async () => {
    await expect(openDevice()).rejects.toMatchObject({ code: 'ERR_SNP_SYSTEM' })
  })
})
