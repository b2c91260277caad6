import { SNP_GET_DERIVED_KEY, SNP_GET_EXT_REPORT, SNP_GET_REPORT } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { GuestRequestError } from '../psp/errors.ts'
import type { VirtualGuest } from '../psp/types.ts'
import { EFAULT, EINVAL, EIO, ENOTTY, FirmwareError, HARDWARE_ERROR } from './device-driver.ts'
import { createSevGuestDriver } from './sev-guest-driver.ts'
import { fakeMemory, guestOf } from './testing.test-support.ts'

const ARGUMENT = 0x1000n
const REQUEST = 0x2000n
const RESPONSE = 0x3000n
const CERTIFICATES = 0x8000n

/** A caller with its argument, request and response in place; exitinfo2 preset to 0x77. */
function caller(argument: { version?: number; request?: bigint; response?: bigint } = {}) {
  const memory = fakeMemory([
    [ARGUMENT, 32],
    [REQUEST, 112],
    [RESPONSE, 4000],
    [CERTIFICATES, 0x4000],
  ])
  const bytes = Buffer.alloc(32)
  bytes.writeUInt8(argument.version ?? 1, 0)
  bytes.writeBigUInt64LE(argument.request ?? REQUEST, 8)
  bytes.writeBigUInt64LE(argument.response ?? RESPONSE, 16)
  bytes.writeBigUInt64LE(0x77n, 24)
  memory.write(ARGUMENT, bytes)
  return { memory, exitInfo2: () => Buffer.from(memory.read(ARGUMENT, 32)!).readBigUInt64LE(24) }
}

const driverOf = (guest: Partial<VirtualGuest> = {}, onFault?: (error: unknown) => void) =>
  createSevGuestDriver({ guest: guestOf(guest), ...(onFault && { onFault }) })

describe('SNP_GET_REPORT', () => {
  it('copies 4000 bytes out and leaves the caller’s exitinfo2 as it was', async () => {
    const { memory, exitInfo2 } = caller()
    memory.write(RESPONSE, new Uint8Array(4000).fill(0xee))
    expect(await driverOf().ioctl(SNP_GET_REPORT, ARGUMENT, memory)).toBe(0)
    const response = memory.read(RESPONSE, 4000)!
    expect(response.subarray(0, 1216)).toEqual(new Uint8Array(1216).fill(1))
    expect(response.subarray(1216)).toEqual(new Uint8Array(2784))
    expect(exitInfo2()).toBe(0x77n)
  })

  it('hands a status of the firmware’s own message through as success', async () => {
    const { memory } = caller()
    const refusal = new Uint8Array(1216)
    refusal[0] = 0x16
    const driver = driverOf({ reportRequest: async () => refusal })
    expect(await driver.ioctl(SNP_GET_REPORT, ARGUMENT, memory)).toBe(0)
    expect(memory.read(RESPONSE, 1)).toEqual(Uint8Array.of(0x16))
  })

  it('says EINVAL to message version 0 and copies nothing back', async () => {
    const { memory, exitInfo2 } = caller({ version: 0 })
    expect(await driverOf().ioctl(SNP_GET_REPORT, ARGUMENT, memory)).toBe(EINVAL)
    expect(exitInfo2()).toBe(0x77n)
  })

  it.each([{ request: 0n }, { response: 0n }])(
    'says EINVAL to a null pointer, the firmware not reached: %o',
    async (pointers) => {
      const { memory, exitInfo2 } = caller(pointers)
      expect(await driverOf().ioctl(SNP_GET_REPORT, ARGUMENT, memory)).toBe(EINVAL)
      expect(exitInfo2()).toBe(0xffn)
    },
  )

  it.each([{ request: 0x9_0000n }, { response: 0x9_0000n }])(
    'says EFAULT to memory that is not there: %o',
    async (pointers) => {
      expect(await driverOf().ioctl(SNP_GET_REPORT, ARGUMENT, caller(pointers).memory)).toBe(EFAULT)
    },
  )

  it('says EFAULT to an argument that is not there', async () => {
    expect(await driverOf().ioctl(SNP_GET_REPORT, 0x9_0000n, caller().memory)).toBe(EFAULT)
  })

  it('says ENOTTY to a request number it does not know', async () => {
    expect(await driverOf().ioctl(0xc020_5303, ARGUMENT, caller().memory)).toBe(ENOTTY)
  })

  it('gives a firmware error’s status in exitinfo2, and has lost its key from then on', async () => {
    const driver = driverOf({ reportRequest: () => Promise.reject(new FirmwareError(0x16)) })
    const first = caller()
    expect(await driver.ioctl(SNP_GET_REPORT, ARGUMENT, first.memory)).toBe(EIO)
    expect(first.exitInfo2()).toBe(0x16n)
    const second = caller()
    expect(await driver.ioctl(SNP_GET_DERIVED_KEY, ARGUMENT, second.memory)).toBe(ENOTTY)
    expect(second.exitInfo2()).toBe(0xffn)
  })

  it('turns a fault of the emulator into a hardware error, and tells of it', async () => {
    const faults: unknown[] = []
    const fault = new Error('no VCEK')
    const driver = driverOf({ reportRequest: () => Promise.reject(fault) }, (error) => faults.push(error))
    const { memory, exitInfo2 } = caller()
    expect(await driver.ioctl(SNP_GET_REPORT, ARGUMENT, memory)).toBe(EIO)
    expect(exitInfo2()).toBe(BigInt(HARDWARE_ERROR))
    expect(faults).toEqual([fault])
  })
})

describe('SNP_GET_DERIVED_KEY', () => {
  it('copies 64 bytes out', async () => {
    const { memory } = caller()
    expect(await driverOf().ioctl(SNP_GET_DERIVED_KEY, ARGUMENT, memory)).toBe(0)
    expect(memory.read(RESPONSE, 65)).toEqual(Uint8Array.from([...new Array(64).fill(2), 0]))
  })
})

describe('SNP_GET_EXT_REPORT', () => {
  function asking(certsAddress: bigint, certsLen: number) {
    const all = caller()
    const request = Buffer.alloc(112)
    request.writeBigUInt64LE(certsAddress, 96)
    request.writeUInt32LE(certsLen, 104)
    all.memory.write(REQUEST, request)
    return { ...all, certsLen: () => Buffer.from(all.memory.read(REQUEST, 112)!).readUInt32LE(104) }
  }

  it.each([
    [0n, 0],
    [CERTIFICATES, 0],
    [0n, 4096],
    [CERTIFICATES, 4096],
  ])(
    'tells the size in whole pages when there is no room (address %s, %i bytes), and keeps its key',
    async (address, size) => {
      const driver = driverOf()
      const asked = asking(address, size)
      expect(await driver.ioctl(SNP_GET_EXT_REPORT, ARGUMENT, asked.memory)).toBe(EIO)
      expect(asked.exitInfo2()).toBe(0x1_0000_0000n)
      expect(asked.certsLen()).toBe(8192)
      expect(await driver.ioctl(SNP_GET_REPORT, ARGUMENT, caller().memory)).toBe(0)
    },
  )

  it('is told by a host that grew meanwhile to bring a page more, and keeps its key', async () => {
    let refuse = true
    const driver = driverOf({
      reportRequest: async () => {
        if (refuse) throw new GuestRequestError('vmm', 1)
        return new Uint8Array(1216).fill(1)
      },
    })
    const asked = asking(CERTIFICATES, 8192)
    expect(await driver.ioctl(SNP_GET_EXT_REPORT, ARGUMENT, asked.memory)).toBe(EIO)
    expect(asked.exitInfo2()).toBe(0x1_0000_0000n)
    expect(asked.certsLen()).toBe(12288)
    refuse = false
    expect(await driver.ioctl(SNP_GET_EXT_REPORT, ARGUMENT, asking(CERTIFICATES, 12288).memory)).toBe(0)
  })

  it('copies report and certificates when there is', async () => {
    const asked = asking(CERTIFICATES, 8192)
    expect(await driverOf().ioctl(SNP_GET_EXT_REPORT, ARGUMENT, asked.memory)).toBe(0)
    expect(asked.memory.read(CERTIFICATES, 8192)).toEqual(
      Uint8Array.from([...new Array(5000).fill(3), ...new Array(3192).fill(0)]),
    )
    expect(asked.memory.read(RESPONSE, 1216)).toEqual(new Uint8Array(1216).fill(1))
    expect(asked.exitInfo2()).toBe(0x77n)
  })

  it('succeeds without room when the host has no certificates', async () => {
    const driver = driverOf({ certificateTable: async () => new Uint8Array() })
    expect(await driver.ioctl(SNP_GET_EXT_REPORT, ARGUMENT, asking(0n, 0).memory)).toBe(0)
  })

  it.each([4095, 0x5000])('says EINVAL to a certificate buffer of %i bytes', async (size) => {
    expect(await driverOf().ioctl(SNP_GET_EXT_REPORT, ARGUMENT, asking(CERTIFICATES, size).memory)).toBe(EINVAL)
  })

  it.each([1n << 63n, 0x9_0000n])('says EFAULT to a certificate buffer at %s', async (address) => {
    expect(await driverOf().ioctl(SNP_GET_EXT_REPORT, ARGUMENT, asking(address, 8192).memory)).toBe(EFAULT)
  })
})
