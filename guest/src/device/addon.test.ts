import { closeSync, fstatSync, ftruncateSync, readFileSync, writeSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { addonPaths, loadAddon } from './addon.ts'
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

describe.runIf(linux)('a file in memory', () => {
  it('has its content, for its owner to read, and cannot be changed by anybody', () => {
    const fd = loadAddon().createMemoryFile('key', Buffer.from('secret'))
    try {
      expect(readFileSync(`/proc/self/fd/${fd}`, 'utf8')).toBe('secret')
      expect(fstatSync(fd).mode & 0o777).toBe(0o400)
      expect(() => writeSync(fd, 'x', 0)).toThrow('EPERM')
      expect(() => ftruncateSync(fd, 0)).toThrow('EPERM')
    } finally {
      closeSync(fd)
    }
  })
})

describe('the places of the addon', () => {
  it('are what was compiled here, then what came with the package for this processor and either C library', () => {
    const prebuilt = `/package/prebuilds/linux-${process.arch}/snp_device`
    expect(addonPaths(new URL('file:///package/'))).toEqual([
      '/package/native/build/Release/snp_device.node',
      `${prebuilt}.glibc.node`,
      `${prebuilt}.musl.node`,
    ])
  })
})

describe.skipIf(linux)('without Linux', () => {
  it('says what is missing', async () => {
    await expect(openDevice()).rejects.toMatchObject({ code: 'ERR_SNP_SYSTEM' })
  })
})
