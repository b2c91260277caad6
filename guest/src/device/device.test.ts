import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { reportOf } from '../testing/chip.ts'
import { stillClock } from '../testing/clock.ts'
import {
  CERTIFICATE_GUIDS,
  decodeCertificateTable,
  decodeReportRequest,
  encodeCertificateTable,
  encodeKeyResponse,
  encodeReportResponse,
} from '../wire/index.ts'
import type { NativeAddon, NativeDevice, NativeResponse } from './addon.ts'
import { openDevice } from './device.ts'
import { FIRMWARE_STATUSES } from './firmware-status.ts'

const { EAGAIN, EACCES, EIO, ENOENT, ENOTTY, ETIMEDOUT } = constants.errno
const REPORT_DATA = new Uint8Array(64).fill(7)

type Answer = { errno: number; exitinfo2?: bigint; response?: Uint8Array }

/** Stands where the ioctl stands: answers requests with what a kernel could answer. */
function kernel(...answers: Answer[]) {
  const calls: { call: string; request: Uint8Array }[] = []
  const answer = async (call: string, request: Uint8Array): Promise<NativeResponse> => {
    const { errno, exitinfo2 = 0n, response } = answers[Math.min(calls.length, answers.length - 1)] ?? { errno: ENOTTY }
    calls.push({ call, request })
    return {
      errno,
      exitinfo2,
      response: Buffer.concat([
        response ?? encodeReportResponse({ status: 0, report: reportOf(request.slice(0, 64)) }),
        Buffer.alloc(64),
      ]),
    }
  }
  const device: NativeDevice = {
    getReport: (request) => answer('report', request),
    getLegacyReport: (request) => answer('legacy', request),
    getDerivedKey: (request) => answer('key', request),
    getExtReport: async (request) => ({
      ...(await answer('ext', request)),
      certificates: new Uint8Array(),
      certificatesLength: 0,
    }),
    close: () => undefined,
  }
  const addon: NativeAddon = { open: async () => ({ errno: 0, device }) }
  return { addon, calls }
}

const open = (world: { addon: NativeAddon }, path = '/dev/sev-guest', clock = stillClock()) =>
  openDevice({ path, addon: world.addon, clock })

describe('a report', () => {
  it('is asked for with the data and the VMPL in the places of MSG_REPORT_REQ', async () => {
    const world = kernel({ errno: 0 })
    const device = await open(world)
    const report = await device.getReport(REPORT_DATA, { vmpl: 2 })
    expect(report).toHaveLength(1184)
    expect(decodeReportRequest(world.calls[0]!.request)).toMatchObject({
      reportData: REPORT_DATA,
      vmpl: 2,
      keySelect: 0,
      reservedBitsSet: false,
    })
  })

  it("states the guest's own VMPL where none is asked for: the first that is not refused, which is then known", async () => {
    const refused = { errno: 0, response: encodeReportResponse({ status: 0x16 }) }
    const world = kernel(refused, refused, { errno: 0 })
    const device = await open(world)
    await device.getReport(REPORT_DATA)
    await device.getReport(REPORT_DATA)
    expect(world.calls.map(({ request }) => decodeReportRequest(request).vmpl)).toEqual([0, 1, 2, 2])
  })

  it('of a VMPL that was asked for is of that or none', async () => {
    const world = kernel({ errno: 0, response: encodeReportResponse({ status: 0x16 }) })
    const device = await open(world)
    await expect(device.getReport(REPORT_DATA, { vmpl: 0 })).rejects.toMatchObject({
      code: 'ERR_SNP_INVALID_PARAMETERS',
    })
    expect(world.calls).toHaveLength(1)
    await expect(device.getReport(REPORT_DATA)).rejects.toMatchObject({ code: 'ERR_SNP_INVALID_PARAMETERS' })
    expect(world.calls).toHaveLength(5)
  })

  it("goes through the 5.15 driver's request on /dev/sev", async () => {
    const world = kernel({ errno: 0 })
    await (await open(world, '/dev/sev')).getReport(REPORT_DATA)
    expect(world.calls.map(({ call }) => call)).toEqual(['legacy'])
  })

  it('over other data than was asked for is refused', async () => {
    const response = encodeReportResponse({ status: 0, report: reportOf(new Uint8Array(64)) })
    const device = await open(kernel({ errno: 0, response }))
    await expect(device.getReport(REPORT_DATA)).rejects.toMatchObject({ code: 'ERR_SNP_RESPONSE' })
  })

  it('of an impossible VMPL is refused before the device is asked', async () => {
    const world = kernel({ errno: 0 })
    const device = await open(world)
    await expect(device.getReport(REPORT_DATA, { vmpl: 4 })).rejects.toThrow('vmpl must be 0, 1, 2 or 3')
    expect(world.calls).toEqual([])
  })

  it('is one at a time, in the order of the calls', async () => {
    const world = kernel({ errno: 0 })
    const device = await open(world)
    await Promise.all([1, 2, 3].map((byte) => device.getReport(new Uint8Array(64).fill(byte))))
    expect(world.calls.map(({ request }) => request[0])).toEqual([1, 2, 3])
  })
})

describe('a refusal', () => {
  it.each([
    ['0x16', 'ERR_SNP_INVALID_PARAMETERS'],
    ['0x27', 'ERR_SNP_INVALID_KEY'],
    ['0x17', 'ERR_SNP_FIRMWARE'],
  ])('in the status %s of the message is %s', async (hex, code) => {
    const status = Number(hex)
    const device = await open(kernel({ errno: 0, response: encodeReportResponse({ status }) }))
    await expect(device.getReport(REPORT_DATA)).rejects.toMatchObject({ code, firmwareStatus: status, retry: 'never' })
  })

  it('by the firmware says its status and that the kernel forgets its key', async () => {
    const device = await open(kernel({ errno: EIO, exitinfo2: 0x02n }))
    const error = await device.getReport(REPORT_DATA).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'ERR_SNP_FIRMWARE', firmwareStatus: 2, errno: 'EIO' })
    expect(error.message).toContain('until the guest restarts')
  })

  it('by the hypervisor is told apart from one by the firmware', async () => {
    const device = await open(kernel({ errno: EIO, exitinfo2: 0x5_0000_0000n }))
    await expect(device.getReport(REPORT_DATA)).rejects.toMatchObject({ code: 'ERR_SNP_VMM', vmmStatus: 5 })
  })

  // A host's driver knows one number of its own and answers EINVAL to all others.
  it.each(['ENOTTY', 'EINVAL', 'ENODEV'] as const)(
    'of another device is told, with the trap of a bare-metal /dev/sev: %s',
    async (errno) => {
      const device = await open(kernel({ errno: constants.errno[errno] }), '/dev/sev')
      const error = await device.getReport(REPORT_DATA).catch((thrown) => thrown)
      expect(error).toMatchObject({ code: 'ERR_SNP_NOT_THE_DEVICE', errno, retry: 'never' })
      expect(error.message).toContain('bare-metal')
    },
  )
})

describe('every failure', () => {
  it.each([
    ['a firmware status', { errno: EIO, exitinfo2: 0x16n }, 'ERR_SNP_FIRMWARE', 'after-restart'],
    ['a firmware status nobody knows', { errno: EIO, exitinfo2: 0x7fn }, 'ERR_SNP_FIRMWARE', 'after-restart'],
    ['a throttled request that may come again', { errno: EAGAIN }, 'ERR_SNP_BUSY', 'again'],
    [
      'a throttle that outlasted the kernel',
      { errno: ETIMEDOUT, exitinfo2: 1n << 33n },
      'ERR_SNP_BUSY',
      'after-restart',
    ],
    ['an unknown status of the hypervisor', { errno: EIO, exitinfo2: 9n << 32n }, 'ERR_SNP_VMM', 'after-restart'],
    ['an answer that does not decrypt', { errno: constants.errno.EBADMSG }, 'ERR_SNP_RESPONSE', 'after-restart'],
    ['a wiped key', { errno: ENOTTY }, 'ERR_SNP_NOT_THE_DEVICE', 'after-restart'],
    ['a counter of messages at its end', { errno: EIO, exitinfo2: 0xffn }, 'ERR_SNP_IOCTL', 'after-restart'],
    ['a kernel short of memory', { errno: constants.errno.ENOMEM, exitinfo2: 0xffn }, 'ERR_SNP_IOCTL', 'again'],
    ['a request the kernel does not like', { errno: constants.errno.EINVAL }, 'ERR_SNP_IOCTL', 'never'],
  ])('says whether to ask again: %s', async (_what, answer, code, retry) => {
    const device = await open(kernel(answer))
    await expect(device.getReport(REPORT_DATA)).rejects.toMatchObject({ code, retry })
  })

  it.each(Object.entries(FIRMWARE_STATUSES))('by firmware has the name of its status: %s', async (status, { name }) => {
    const device = await open(kernel({ errno: EIO, exitinfo2: BigInt(status) }))
    await expect(device.getReport(REPORT_DATA)).rejects.toMatchObject({
      firmwareStatus: Number(status),
      firmwareStatusName: name,
      message: expect.stringContaining(name),
    })
  })
})

describe('an extended report', () => {
  const INVALID_LENGTH = 1n << 32n
  const VCEK = { guid: CERTIFICATE_GUIDS.vcek, data: new Uint8Array([0x30, 0]) }
  /** A table as the kernel copies it: whole pages, zero behind what the host wrote. */
  const certificates = (needed: number, room: number) => {
    const filler = { guid: CERTIFICATE_GUIDS.ark, data: new Uint8Array(needed - 3 * 24 - VCEK.data.length) }
    return Buffer.concat([encodeCertificateTable([VCEK, filler]), Buffer.alloc(room - needed)])
  }
  /** A host whose certificates need this many bytes. */
  const host = (needed: number) => {
    const rooms: number[] = []
    const { addon } = kernel({ errno: 0 })
    const opened = async (path: string) => {
      const { device } = await addon.open(path)
      const getExtReport: NativeDevice['getExtReport'] = async (request, room) => {
        rooms.push(room)
        const short = room < needed
        return {
          errno: short ? EIO : 0,
          exitinfo2: short ? INVALID_LENGTH : 0n,
          response: (await device!.getReport(request)).response,
          certificates: short ? new Uint8Array() : certificates(needed, room),
          certificatesLength: needed,
        }
      }
      return { errno: 0, device: { ...device!, getExtReport } }
    }
    return { world: { addon: { open: opened } }, rooms }
  }

  it('is asked for again, with the room that its certificates need, and the room is remembered', async () => {
    const { world, rooms } = host(0x3000)
    const device = await open(world)
    const { certificateTable } = await device.getExtendedReport!(REPORT_DATA)
    expect(decodeCertificateTable(certificateTable)[0]).toEqual(VCEK)
    await device.getExtendedReport!(REPORT_DATA)
    expect(certificateTable).toHaveLength(0x3000)
    expect(rooms).toEqual([0x2000, 0x3000, 0x3000])
  })

  it('is asked for in whole pages, and its certificates come without the zeros behind them', async () => {
    const { world, rooms } = host(0x2001)
    const { certificateTable } = await (await open(world)).getExtendedReport!(REPORT_DATA)
    expect(rooms).toEqual([0x2000, 0x3000])
    expect(certificateTable).toHaveLength(0x2001)
  })

  it('of a host without certificates comes with an empty table, whatever the room for it', async () => {
    const { world } = host(0)
    const { device } = await world.addon.open('/dev/sev-guest')
    const getExtReport: NativeDevice['getExtReport'] = async (request, room) => ({
      ...(await device!.getReport(request)),
      certificates: new Uint8Array(room),
      certificatesLength: room,
    })
    const opened = await open({ addon: { open: async () => ({ errno: 0, device: { ...device!, getExtReport } }) } })
    const { certificateTable } = await opened.getExtendedReport!(REPORT_DATA)
    expect(certificateTable).toHaveLength(0)
  })

  it('whose certificates are more than the kernel passes says how much they need', async () => {
    const { world, rooms } = host(0x5000)
    await expect((await open(world)).getExtendedReport!(REPORT_DATA)).rejects.toMatchObject({
      code: 'ERR_SNP_VMM',
      vmmStatus: 1,
      certificatesLength: 0x5000,
      retry: 'never',
    })
    expect(rooms).toEqual([0x2000])
  })
})

describe('a busy device', () => {
  it('is asked again after a while', async () => {
    const clock = stillClock()
    const device = await open(kernel({ errno: EAGAIN }, { errno: EAGAIN }, { errno: 0 }), '/dev/sev-guest', clock)
    await expect(device.getReport(REPORT_DATA)).resolves.toHaveLength(1184)
    expect(clock.waits).toEqual([100, 200])
  })

  it('is given up after five tries', async () => {
    const world = kernel({ errno: EAGAIN })
    const device = await open(world)
    await expect(device.getReport(REPORT_DATA)).rejects.toMatchObject({ code: 'ERR_SNP_BUSY' })
    expect(world.calls).toHaveLength(5)
  })

  it('that the kernel has waited for in vain is not asked again: its key is gone', async () => {
    const world = kernel({ errno: ETIMEDOUT, exitinfo2: 0x2_0000_0000n })
    const device = await open(world)
    await expect(device.getReport(REPORT_DATA)).rejects.toMatchObject({ code: 'ERR_SNP_BUSY', vmmStatus: 2 })
    expect(world.calls).toHaveLength(1)
  })
})

describe('a derived key', () => {
  const request = { rootKeySelect: 0, guestFieldSelect: 0n, vmpl: 0 } as const

  it('is the 32 bytes of the message', async () => {
    const key = new Uint8Array(32).fill(9)
    const device = await open(kernel({ errno: 0, response: encodeKeyResponse({ status: 0, key }) }))
    await expect(device.getDerivedKey!(request)).resolves.toEqual(key)
  })

  it('that is refused leaves nothing of an answer behind', async () => {
    const answers: Uint8Array[] = []
    const { addon } = kernel({
      errno: 0,
      response: encodeKeyResponse({ status: 0x27, key: new Uint8Array(32).fill(9) }),
    })
    const { device } = await addon.open('/dev/sev-guest')
    const getDerivedKey: NativeDevice['getDerivedKey'] = async (bytes) => {
      const answer = await device!.getDerivedKey(bytes)
      answers.push(answer.response)
      return answer
    }
    const opened = await open({ addon: { open: async () => ({ errno: 0, device: { ...device!, getDerivedKey } }) } })
    await expect(opened.getDerivedKey!(request)).rejects.toMatchObject({ code: 'ERR_SNP_INVALID_KEY' })
    expect(answers.map((bytes) => bytes.every((byte) => byte === 0))).toEqual([true])
  })

  it('is not asked for with a field that the driver does not pass', async () => {
    const device = await open(kernel({ errno: 0 }))
    await expect(device.getDerivedKey!({ ...request, launchMitVector: 1n })).rejects.toThrow('launchMitVector')
  })

  it('is not to be had from the 5.15 driver', async () => {
    const device = await open(kernel({ errno: 0 }), '/dev/sev')
    await expect(device.getDerivedKey!(request)).rejects.toMatchObject({ code: 'ERR_SNP_IOCTL' })
  })
})

describe('opening', () => {
  const failing = (errno: number): NativeAddon => ({ open: async () => ({ errno }) })

  it('a node that is not there says so', async () => {
    await expect(openDevice({ path: '/dev/sev-guest', addon: failing(ENOENT) })).rejects.toMatchObject({
      code: 'ERR_SNP_DEVICE_MISSING',
    })
  })

  it('a node of somebody else says what to do', async () => {
    const error = await openDevice({ path: '/dev/sev-guest', addon: failing(EACCES) }).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'ERR_SNP_DEVICE_OPEN', errno: 'EACCES' })
    expect(error.message).toContain('root')
  })

  it('is the end of use after close', async () => {
    const device = await open(kernel({ errno: 0 }))
    device.close()
    await expect(device.getReport(REPORT_DATA)).rejects.toMatchObject({ code: 'ERR_SNP_DEVICE_CLOSED' })
  })
})
