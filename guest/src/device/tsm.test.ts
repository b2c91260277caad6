import { describe, expect, it } from 'vitest'
import { reportOf } from '../testing/chip.ts'
import { stillClock } from '../testing/clock.ts'
import { decodeReport, encodeCertificateTable } from '../wire/index.ts'
import { openTsmDevice, TSM_PATH, type TsmFileSystem, tsmProvider } from './tsm.ts'

const REPORT_DATA = new Uint8Array(64).fill(7)
const TABLE = encodeCertificateTable([])

interface Entry {
  madeAt: number
  generation: number
  inblob?: Uint8Array
  level: number
}

interface Faults {
  provider?: string
  floor?: number | string
  /** Errno of a path's last part, each time it is used, until the list ends. */
  fail?: Record<string, string[]>
  /** Called after each write: somebody else may write, too. */
  interfere?: (entry: Entry) => void
  report?: Uint8Array
}

function add(entry: Entry, count: number): void {
  entry.generation += count
}

const errno = (code: string) => Object.assign(new Error(code), { code })

/** The rules of the kernel's Documentation/ABI/testing/configfs-tsm-report, over a map. */
function kernel({ provider = 'sev_guest', floor = 0, fail = {}, interfere, report }: Faults = {}) {
  const clock = stillClock()
  const entries = new Map<string, Entry>()
  const made: string[] = []
  const writes: string[] = []
  const at = (path: string): [Entry, string] => {
    const [, name = '', attribute = ''] = path.slice(TSM_PATH.length).split('/')
    const code = fail[attribute]?.shift()
    if (code !== undefined) throw errno(code)
    const entry = entries.get(name)
    if (entry === undefined) throw errno('ENOENT')
    return [entry, attribute]
  }
  const fileSystem: TsmFileSystem = {
    async makeEntry(path) {
      const code = fail.mkdir?.shift()
      if (code !== undefined) throw errno(code)
      made.push(path)
      entries.set(path.slice(TSM_PATH.length + 1), { madeAt: clock.now(), generation: 0, level: 0 })
    },
    entries: async () => [...entries].map(([name, { madeAt }]) => ({ name, madeAt })),
    async removeEntry(path) {
      if (!entries.delete(path.slice(TSM_PATH.length + 1))) throw errno('ENOENT')
    },
    async read(path) {
      const [entry, attribute] = at(path)
      const signed = () => {
        if (entry.inblob?.length !== 64 || entry.level < Number(floor)) throw errno('EINVAL')
        return report ?? reportOf(entry.inblob)
      }
      const values: Record<string, () => Uint8Array> = {
        provider: () => Buffer.from(`${provider}\n`),
        generation: () => Buffer.from(`${entry.generation}\n`),
        privlevel_floor: () => Buffer.from(`${floor}\n`),
        outblob: signed,
        auxblob: () => (signed().length > 0 ? TABLE : new Uint8Array()),
      }
      const value = values[attribute]
      if (value === undefined) throw errno('EACCES')
      return value()
    },
    async write(path, value) {
      const [entry, attribute] = at(path)
      writes.push(`${attribute} ${typeof value === 'string' ? value : value.length}`)
      if (attribute === 'inblob') entry.inblob = value as Uint8Array
      else if (attribute === 'privlevel') entry.level = Number(value)
      else throw errno('EACCES')
      entry.generation += 1
      interfere?.(entry)
    },
  }
  let count = 0
  const open = () => openTsmDevice({ clock, fileSystem, entryName: () => `e${++count}` })
  return { open, entries, made, writes, clock, fileSystem }
}

describe('a report by configfs-tsm', () => {
  it('is asked for by an entry of its own, which is gone afterwards', async () => {
    const { open, entries, made } = kernel()
    const device = await open()
    const report = await device.getReport(REPORT_DATA)
    expect(decodeReport(report).reportData).toEqual(REPORT_DATA)
    await device.getReport(REPORT_DATA)
    expect(new Set(made).size).toBe(3) // one of them to see whose it is
    expect(entries.size).toBe(0)
  })

  it("comes with the host's certificates", async () => {
    const device = await kernel().open()
    await expect(device.getExtendedReport!(REPORT_DATA)).resolves.toMatchObject({ certificateTable: TABLE })
  })

  it("asks for the guest's own VMPL, which a never-written level is not", async () => {
    const { open, writes } = kernel({ floor: 2 })
    await (await open()).getReport(REPORT_DATA)
    expect(writes).toEqual(['privlevel 2', 'inblob 64'])
  })

  it("of a VMPL below the guest's own is refused before anything is asked", async () => {
    const { open, writes } = kernel({ floor: 2 })
    await expect((await open()).getReport(REPORT_DATA, { vmpl: 1 })).rejects.toMatchObject({
      code: 'ERR_SNP_INVALID_PARAMETERS',
    })
    expect(writes).toEqual([])
  })

  it('is thrown away when somebody else wrote meanwhile, and asked for again', async () => {
    let others = 2
    const { open, clock } = kernel({
      interfere: (entry) => {
        if (others-- > 0) entry.generation += 1
      },
    })
    await expect((await open()).getReport(REPORT_DATA)).resolves.toHaveLength(1184)
    expect(clock.waits).toEqual([100, 200])
  })

  it('is given up when somebody else keeps writing', async () => {
    const { open, clock } = kernel({ interfere: (entry) => add(entry, 1) })
    await expect((await open()).getReport(REPORT_DATA)).rejects.toMatchObject({ code: 'ERR_SNP_BUSY', retry: 'again' })
    expect(clock.waits).toEqual([100, 200, 400, 800])
  })

  it('notices a write that was lost when its descriptor was closed', async () => {
    const { open } = kernel({ interfere: (entry) => add(entry, -1) })
    await expect((await open()).getReport(REPORT_DATA)).rejects.toMatchObject({ code: 'ERR_SNP_BUSY' })
  })

  it.each([
    ['EINVAL', 'ERR_SNP_INVALID_PARAMETERS', 'never'],
    ['ENXIO', 'ERR_SNP_FIRMWARE', 'never'],
    ['ETIMEDOUT', 'ERR_SNP_BUSY', 'after-restart'],
    ['ENOTTY', 'ERR_SNP_IOCTL', 'after-restart'],
    ['EIO', 'ERR_SNP_FIRMWARE', 'after-restart'],
    ['EBADMSG', 'ERR_SNP_RESPONSE', 'after-restart'],
    ['ENOMEM', 'ERR_SNP_IOCTL', 'again'],
    ['EFAULT', 'ERR_SNP_IOCTL', 'never'],
  ])('that fails with %s is %s, to be tried %s', async (errno, code, retry) => {
    const { open, entries } = kernel({ fail: { outblob: [errno] } })
    await expect((await open()).getReport(REPORT_DATA)).rejects.toMatchObject({ code, errno, retry })
    expect(entries.size).toBe(0)
  })

  it('waits while the counter of writes is about to wrap', async () => {
    const { open, clock } = kernel({ fail: { inblob: ['EBUSY'] } })
    await expect((await open()).getReport(REPORT_DATA)).resolves.toHaveLength(1184)
    expect(clock.waits).toEqual([100])
  })

  it('over other data than was asked for is refused', async () => {
    const device = await kernel({ report: reportOf(new Uint8Array(64)) }).open()
    await expect(device.getReport(REPORT_DATA)).rejects.toMatchObject({ code: 'ERR_SNP_RESPONSE' })
  })

  it('of another size than a report is refused', async () => {
    const device = await kernel({ report: new Uint8Array(1183) }).open()
    await expect(device.getReport(REPORT_DATA)).rejects.toMatchObject({ code: 'ERR_SNP_RESPONSE' })
  })

  it('needs 64 bytes of data', async () => {
    const device = await kernel().open()
    await expect(device.getReport(new Uint8Array(32))).rejects.toThrow('64 bytes')
  })

  it('is not to be had after close', async () => {
    const device = await kernel().open()
    device.close()
    await expect(device.getReport(REPORT_DATA)).rejects.toMatchObject({ code: 'ERR_SNP_DEVICE_CLOSED' })
  })
})

describe('configfs-tsm', () => {
  it('is rid of what killed processes of ours left there, and of nothing else', async () => {
    const { open, entries, clock } = kernel()
    const at = (madeAt: number) => ({ madeAt, generation: 0, level: 0 })
    entries.set('skerry-7-old', at(clock.now() - 3_600_001))
    entries.set('skerry-8-in-use', at(clock.now() - 60_000))
    entries.set('other-old', at(0))
    await open()
    expect([...entries.keys()]).toEqual(['skerry-8-in-use', 'other-old'])
  })

  it.each(['', '4', '-1', 'x'])('whose lowest level is "%s" is not believed', async (floor) => {
    const device = await kernel({ floor }).open()
    await expect(device.getReport(REPORT_DATA)).rejects.toMatchObject({ code: 'ERR_SNP_RESPONSE' })
  })

  it('of a TDX guest is not opened', async () => {
    await expect(kernel({ provider: 'tdx_guest' }).open()).rejects.toMatchObject({ code: 'ERR_SNP_DEVICE_MISSING' })
  })

  it('without a provider has none', async () => {
    await expect(tsmProvider(kernel({ fail: { mkdir: ['ENXIO'] } }).fileSystem)).resolves.toBeUndefined()
  })

  it('that is mounted for reading only says what is missing', async () => {
    await expect(kernel({ fail: { mkdir: ['EROFS'] } }).open()).rejects.toMatchObject({
      code: 'ERR_SNP_DEVICE_OPEN',
      errno: 'EROFS',
      message: expect.stringContaining('writable'),
    })
  })
})
