import { execFile } from 'node:child_process'
import { closeSync, fstatSync, ftruncateSync, readFileSync, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
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

describe.runIf(linux)('in a process of its own, the native part', () => {
  /** What the script prints: an abort of the process would take the tests with it. */
  const run = async (script: string) => {
    const addon = JSON.stringify(addonPaths()[0])
    const args = ['--expose-gc', '--input-type=commonjs', '-e', `const addon = require(${addon});${script}`]
    return (await promisify(execFile)(process.execPath, args, { timeout: 20_000 })).stdout.trim()
  }

  it('ends with its thread while requests of that thread are under way, and leaves the others alone', async () => {
    const thread = `
      const { parentPort, workerData } = require('node:worker_threads')
      const { pbkdf2 } = require('node:crypto')
      const addon = require(workerData)
      addon.open('/dev/null').then(({ device }) => {
        for (let i = 0; i < 8; i += 1) pbkdf2('', '', 20000, 64, 'sha512', () => {})
        for (let i = 0; i < 3; i += 1) device.getReport(new Uint8Array(96))
        addon.open('/dev/null')
        parentPort.postMessage('under way')
      })
    `
    const stdout = await run(`
      const { Worker } = require('node:worker_threads')
      const worker = new Worker(${JSON.stringify(thread)}, { eval: true, workerData: ${JSON.stringify(addonPaths()[0])} })
      worker.once('message', async () => {
        await worker.terminate()
        const { device } = await addon.open('/dev/null')
        console.log((await device.getReport(new Uint8Array(96))).errno)
      })
    `)
    expect(stdout).toBe('25')
  })

  it('lets go of the descriptors of devices that nobody closed', async () => {
    const stdout = await run(`
      const open = () => require('node:fs').readdirSync('/proc/self/fd').length
      const before = open()
      const use = async () => { for (let i = 0; i < 50; i += 1) await (await addon.open('/dev/null')).device.getReport(new Uint8Array(96)) }
      const collected = async () => { for (let i = 0; i < 20 && open() > before; i += 1) { gc(); await new Promise(setImmediate) } }
      use().then(collected).then(() => console.log(open() - before))
    `)
    expect(stdout).toBe('0')
  })

  it('gives nothing to who makes a device by hand', async () => {
    const stdout = await run(`
      addon.open('/dev/null').then(({ device }) => {
        try { new device.constructor('/dev/null').getReport(new Uint8Array(96)) } catch (error) { console.log(error.message) }
      })
    `)
    expect(stdout).toBe('the device is closed')
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

describe('without Linux', () => {
  const { platform } = process
  afterEach(() => void Object.defineProperty(process, 'platform', { value: platform }))

  it.each(['darwin', 'win32'])('a device is not to be had, and the error says what is missing: %s', async (system) => {
    Object.defineProperty(process, 'platform', { value: system })
    await expect(openDevice()).rejects.toMatchObject({
      code: 'ERR_SNP_SYSTEM',
      retry: 'never',
      message: expect.stringContaining(system),
    })
  })
})
