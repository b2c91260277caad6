import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { FirmwareError, GuestRequestError } from '../psp/index.ts'
import { createGuestChannel, HARDWARE_ERROR } from './guest-channel.ts'

const { EAGAIN, EBADMSG, EIO, ENOTTY, ETIMEDOUT } = constants.errno

/** A channel whose waits are counted and not waited for. */
function channelOf() {
  const waits: number[] = []
  const faults: unknown[] = []
  const channel = createGuestChannel({
    onFault: (error) => faults.push(error),
    sleep: async (ms) => {
      waits.push(ms)
    },
  })
  return { channel, waits, faults }
}

const fail = (error: Error) => () => Promise.reject(error)
const answer = async () => 'answered'

describe('a request to the firmware that fails', () => {
  it.each([
    ['the firmware refuses', new FirmwareError(3), EIO, 0x3n],
    ['the hypervisor refuses', new GuestRequestError('vmm', 9), EIO, 0x9_0000_0000n],
    ['the response does not decrypt', new GuestRequestError('response'), EBADMSG, 0n],
    ['the emulator itself failed', new Error('no VCEK'), EIO, BigInt(HARDWARE_ERROR)],
  ])('loses the key to it where %s', async (_, error, errno, exitInfo2) => {
    const { channel } = channelOf()
    expect(await channel.ask(fail(error))).toEqual({ errno, exitInfo2 })
    expect(await channel.ask(answer)).toEqual({ errno: ENOTTY, exitInfo2: 0xffn })
  })

  it.each([
    ['there is too little room for certificates', new GuestRequestError('vmm', 1), EIO, 0x1_0000_0000n],
    ['the message counter is used up', new GuestRequestError('sequence'), EIO, 0xffn],
    ['the driver takes no request', new GuestRequestError('again'), EAGAIN, 0xffn],
  ])('keeps the key where %s', async (_, error, errno, exitInfo2) => {
    const { channel } = channelOf()
    expect(await channel.ask(fail(error))).toEqual({ errno, exitInfo2 })
    expect(await channel.ask(answer)).toEqual({ answer: 'answered' })
  })

  it('tells of a fault of the emulator, and of nothing else', async () => {
    const { channel, faults } = channelOf()
    const fault = new Error('no VCEK')
    await channel.ask(fail(fault))
    expect(faults).toEqual([fault])
    const other = channelOf()
    await other.channel.ask(fail(new FirmwareError(7)))
    expect(other.faults).toEqual([])
  })
})

describe('a host that throttles', () => {
  it('is asked again every two seconds until it answers', async () => {
    const { channel, waits } = channelOf()
    let asked = 0
    const result = await channel.ask(async () => {
      asked += 1
      if (asked <= 3) throw new GuestRequestError('busy')
      return 'answered'
    })
    expect(result).toEqual({ answer: 'answered' })
    expect(waits).toEqual([2000, 2000, 2000])
  })

  it('for more than a minute costs the key', async () => {
    const { channel, waits } = channelOf()
    const outcome = await channel.ask(fail(new GuestRequestError('busy')))
    expect(outcome).toEqual({ errno: ETIMEDOUT, exitInfo2: 0x2_0000_0000n })
    expect(waits).toHaveLength(30)
    expect(await channel.ask(answer)).toMatchObject({ errno: ENOTTY })
  })

  it('does not bring back a key that another request lost meanwhile', async () => {
    const waiting = Promise.withResolvers<void>()
    const channel = createGuestChannel({ sleep: () => waiting.promise })
    const first = channel.ask(fail(new GuestRequestError('busy')))
    await channel.ask(fail(new FirmwareError(1)))
    waiting.resolve()
    expect(await first).toEqual({ errno: ENOTTY, exitInfo2: 0xffn })
  })
})
