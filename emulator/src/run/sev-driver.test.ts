import { constants } from 'node:os'
import { SEV_KEY, SEV_REPORT, SEV_REQUEST } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { GuestRequestError } from '../psp/errors.ts'
import type { VirtualGuest } from '../psp/types.ts'
import { EFAULT, EINVAL, EIO, ENOTTY, FirmwareError } from './device-driver.ts'
import { createSevDriver } from './sev-driver.ts'
import { fakeMemory, guestOf } from './testing.test-support.ts'

const ARGUMENT = 0x1000n
const REQUEST = 0x2000n
const RESPONSE = 0x3000n

function caller(change: (argument: Buffer) => void = () => {}) {
  const memory = fakeMemory([
    [ARGUMENT, 40],
    [REQUEST, 96],
    [RESPONSE, 1280],
  ])
  const bytes = Buffer.alloc(40)
  bytes.set([5, 6, 1])
  bytes.writeUInt16LE(96, 4)
  bytes.writeBigUInt64LE(REQUEST, 8)
  bytes.writeUInt16LE(1280, 16)
  bytes.writeBigUInt64LE(RESPONSE, 24)
  change(bytes)
  memory.write(ARGUMENT, bytes)
  return memory
}

const ask = (memory: ReturnType<typeof caller>, guest: Partial<VirtualGuest> = {}, request: number = SEV_REPORT) =>
  createSevDriver({ guest: guestOf(guest) }).ioctl(request, ARGUMENT, memory)

describe('REPORT on /dev/sev', () => {
  it('copies the response and its 64 spare bytes out', async () => {
    const memory = caller()
    expect(await ask(memory)).toBe(0)
    expect(memory.read(RESPONSE, 1280)).toEqual(Uint8Array.from([...new Array(1216).fill(1), ...new Array(64).fill(0)]))
  })

  it.each([
    ['a request type', (argument: Buffer) => argument.writeUInt8(3, 0)],
    ['a response type', (argument: Buffer) => argument.writeUInt8(4, 1)],
    ['a version', (argument: Buffer) => argument.writeUInt8(0, 2)],
    ['a request length', (argument: Buffer) => argument.writeUInt16LE(95, 4)],
    ['a response length', (argument: Buffer) => argument.writeUInt16LE(1279, 16)],
    ['a request pointer', (argument: Buffer) => argument.writeBigUInt64LE(0n, 8)],
    ['a response pointer', (argument: Buffer) => argument.writeBigUInt64LE(0n, 24)],
  ])('says EINVAL to %s that is wrong', async (_what, change) => {
    expect(await ask(caller(change))).toBe(EINVAL)
  })

  it('says EFAULT to a request that is not there', async () => {
    expect(await ask(caller((argument) => argument.writeBigUInt64LE(0x9_0000n, 8)))).toBe(EFAULT)
  })

  it('gives a firmware error’s status in `error`', async () => {
    const memory = caller()
    expect(await ask(memory, { reportRequest: () => Promise.reject(new FirmwareError(0x27)) })).toBe(EIO)
    expect(Buffer.from(memory.read(ARGUMENT, 40)!).readUInt32LE(32)).toBe(0x27)
  })

  it.each([
    ['busy', 'EBUSY'],
    ['again', 'EAGAIN'],
    ['vmm', 'EIO'],
    ['response', 'EBADMSG'],
  ] as const)(
    'leaves a failure of the kind %s to its caller as %s, and answers the next request',
    async (failure, name) => {
      let failed = false
      const reportRequest = async () => {
        if (failed) return new Uint8Array(1216).fill(1)
        failed = true
        throw new GuestRequestError(failure)
      }
      const driver = createSevDriver({ guest: guestOf({ reportRequest }) })
      expect(await driver.ioctl(SEV_REPORT, ARGUMENT, caller())).toBe(constants.errno[name])
      expect(await driver.ioctl(SEV_REPORT, ARGUMENT, caller())).toBe(0)
    },
  )
})

describe('KEY on /dev/sev', () => {
  const keyArgument = (argument: Buffer) => {
    argument.set([3, 4])
    argument.writeUInt16LE(32, 4)
    argument.writeUInt16LE(64, 16)
  }

  it.each([SEV_KEY, SEV_REQUEST])('copies 64 bytes out for ioctl %i', async (request) => {
    const memory = caller(keyArgument)
    expect(await ask(memory, {}, request)).toBe(0)
    expect(memory.read(RESPONSE, 65)).toEqual(Uint8Array.from([...new Array(64).fill(2), 0]))
  })

  it('is not what REPORT takes, nor the other way round', async () => {
    expect(await ask(caller(keyArgument), {}, SEV_REPORT)).toBe(EINVAL)
    expect(await ask(caller(), {}, SEV_KEY)).toBe(EINVAL)
  })

  it('and REPORT are the only requests that this device answers', async () => {
    expect(await ask(caller(), {}, SEV_KEY + 1)).toBe(ENOTTY)
    expect(await ask(caller(), {}, SEV_REQUEST)).toBe(0)
  })
})
