import { describe, expect, it } from 'vitest'
import type { UpstreamError } from '../http/upstream.ts'
import { CHIP_ID, certificationOf, deviceWith, reportOf, TCB } from '../testing/chip.ts'
import { stillClock } from '../testing/clock.ts'
import {
  CERTIFICATE_GUIDS,
  decodeReport,
  encodeCertificateTable,
  encodeTcb,
  pemToDer,
  type SnpReport,
  tcbFromHex,
} from '../wire/index.ts'
import { azCacheSource } from './az-cache.ts'
import { certCacheSource } from './certcache.ts'
import { hostTableSource } from './host-table.ts'
import { kdsSource } from './kds.ts'
import { firstOf } from './source.ts'
import { thimSource } from './thim.ts'

const milan = decodeReport(reportOf(new Uint8Array(64)))
const certification = certificationOf(TCB)
const [VCEK] = pemToDer(certification.vcekCert)
const CHIP = Buffer.from(CHIP_ID).toString('hex')
const MILAN_PATH = `/vcek/v1/Milan/${CHIP}?blSPL=4&teeSPL=0&snpSPL=24&ucodeSPL=219`

/** Certificates by path; anything else is not found. */
function service(answers: (path: string, count: number) => Response | undefined = () => undefined) {
  const asked: string[] = []
  const fetch = async (url: string) => {
    const { pathname, search } = new URL(url)
    asked.push(pathname + search)
    const planned = answers(pathname, asked.length)
    if (planned !== undefined) return planned
    if (pathname === '/vcek/v1/Milan/cert_chain') return new Response(certification.certificateChain)
    if (pathname.startsWith('/vcek/v1/Milan/')) return new Response(VCEK as Uint8Array<ArrayBuffer>)
    return new Response(null, { status: 404 })
  }
  return { asked, fetch }
}

describe("AMD's key distribution service", () => {
  it('is asked for the chip and the TCB of the report, and for the chain', async () => {
    const { asked, fetch } = service()
    const found = await kdsSource({ fetch }).fetch(milan)
    expect(asked).toEqual([MILAN_PATH, '/vcek/v1/Milan/cert_chain'])
    expect(found).toEqual({ ...certification, cacheControl: '' })
  })

  it.each<[string, Partial<SnpReport>, string]>([
    [
      'Genoa',
      { cpuidFamily: 0x19, cpuidModel: 0x11 },
      `/vcek/v1/Genoa/${CHIP}?blSPL=4&teeSPL=0&snpSPL=24&ucodeSPL=219`,
    ],
    [
      'Turin',
      {
        cpuidFamily: 0x1a,
        cpuidModel: 2,
        reportedTcb: tcbFromHex('5100000004030201'),
        chipId: Uint8Array.from({ length: 64 }, (_, index) => (index < 8 ? 0xab : 0)),
      },
      '/vcek/v1/Turin/abababababababab?fmcSPL=1&blSPL=2&teeSPL=3&snpSPL=4&ucodeSPL=81',
    ],
  ])('is asked in the way of %s', async (_product, changes, path) => {
    const { asked, fetch } = service()
    await expect(kdsSource({ fetch }).fetch({ ...milan, ...changes })).rejects.toMatchObject({ status: 404 })
    expect(asked).toEqual([path])
  })

  it('is asked under each name for a chip whose report does not say its product', async () => {
    const { cpuidFamily, cpuidModel, cpuidStepping, ...old } = milan
    const genoa = service((path) =>
      path.includes('/Genoa/')
        ? new Response(path.endsWith('chain') ? certification.certificateChain : (VCEK as Uint8Array<ArrayBuffer>))
        : new Response(null, { status: 404 }),
    )
    await expect(kdsSource({ fetch: genoa.fetch }).fetch({ ...old, version: 2 })).resolves.toBeDefined()
    expect(genoa.asked.map((path) => path.split('/')[3])).toEqual(['Milan', 'Genoa', 'Genoa'])
  })

  it('is asked once for what does not change', async () => {
    const { asked, fetch } = service()
    const source = kdsSource({ fetch })
    await Promise.all([source.fetch(milan), source.fetch(milan)])
    await source.fetch(milan)
    await source.fetch({ ...milan, reportedTcb: encodeTcb({ ...TCB, microcode: 220 }, 'Milan') })
    expect(asked).toEqual([MILAN_PATH, '/vcek/v1/Milan/cert_chain', MILAN_PATH.replace('219', '220')])
  })

  it('is waited for as long as it asks to be', async () => {
    const clock = stillClock()
    const { asked, fetch } = service((_path, count) =>
      count === 1 ? new Response(null, { status: 429, headers: { 'Retry-After': '7' } }) : undefined,
    )
    await kdsSource({ fetch, clock }).fetch(milan)
    expect(clock.waits).toEqual([expect.closeTo(7375, -Math.log10(250))])
    expect(asked).toHaveLength(3)
  })

  it('is left alone after it said that it was asked too often', async () => {
    const at = { ms: 0 }
    const clock = { now: () => at.ms, sleep: async () => undefined }
    const throttled = { yes: true }
    const { asked, fetch } = service(() =>
      throttled.yes ? new Response(null, { status: 429, headers: { 'Retry-After': '600' } }) : undefined,
    )
    const source = kdsSource({ fetch, clock })
    for (let tries = 0; tries < 3; tries += 1) await expect(source.fetch(milan)).rejects.toMatchObject({ status: 429 })
    expect(asked).toHaveLength(1)
    throttled.yes = false
    at.ms = 599_999
    await expect(source.fetch(milan)).rejects.toMatchObject({ status: 429, retryAfterMs: 1 })
    at.ms = 600_000
    await expect(source.fetch(milan)).resolves.toBeDefined()
  })

  it('is not asked again within a minute for what it has not, and for other TCBs at once', async () => {
    const at = { ms: 0 }
    const clock = { now: () => at.ms, sleep: async () => undefined }
    const has = { it: false }
    const { asked, fetch } = service((path) =>
      has.it || path.endsWith('chain') ? undefined : new Response(null, { status: 404 }),
    )
    const source = kdsSource({ fetch, clock })
    for (let tries = 0; tries < 3; tries += 1) await expect(source.fetch(milan)).rejects.toMatchObject({ status: 404 })
    expect(asked).toEqual([MILAN_PATH])
    has.it = true
    await expect(source.fetch({ ...milan, reportedTcb: tcbFromHex('DC18000000000004') })).resolves.toBeDefined()
    at.ms = 60_000
    await expect(source.fetch(milan)).resolves.toBeDefined()
  })

  it('is not asked for a processor that this version does not know', async () => {
    const { asked, fetch } = service()
    const venice = { ...milan, cpuidFamily: 0x1a, cpuidModel: 0x50 }
    await expect(kdsSource({ fetch }).fetch(venice)).rejects.toThrow('the product of this chip is not known')
    expect(asked).toEqual([])
  })

  it('that throttles a fleet is asked by few of it at a time, and in the end has served everybody', async () => {
    const fleet = 40
    const clock = { time: 0, waiting: [] as { at: number; go: () => void }[] }
    const virtual = {
      now: () => clock.time,
      sleep: (ms: number) => new Promise<void>((go) => void clock.waiting.push({ at: clock.time + ms, go })),
    }
    // Ten requests each second, and a second's patience is asked of all others.
    const perSecond = new Map<number, number>()
    const { asked, fetch } = service(() => {
      const second = Math.floor(clock.time / 1000)
      const count = (perSecond.get(second) ?? 0) + 1
      perSecond.set(second, count)
      return count > 10 ? new Response(null, { status: 429, headers: { 'Retry-After': '1' } }) : undefined
    })
    const guest = async () => {
      const source = kdsSource({ fetch, clock: virtual })
      for (;;) {
        try {
          return await source.fetch(milan)
        } catch (error) {
          await virtual.sleep((error as UpstreamError).retryAfterMs ?? 1000)
        }
      }
    }
    let served = 0
    const count = () => {
      served += 1
    }
    for (let index = 0; index < fleet; index += 1) void guest().then(count)
    while (served < fleet) {
      await new Promise(setImmediate)
      clock.waiting.sort((a, b) => a.at - b.at)
      const next = clock.waiting.shift()
      if (next !== undefined) clock.time = Math.max(clock.time, next.at)
      next?.go()
    }
    // Each needs two; 80 requests at ten a second are eight seconds at best.
    expect(asked.length).toBeLessThan(8 * fleet)
    expect(clock.time).toBeLessThan(20_000)
  })

  it.each<[string, SnpReport | undefined, string]>([
    ['without a report', undefined, 'needs a report'],
    ['for a hidden chip', { ...milan, chipId: new Uint8Array(64) }, 'hides the id'],
    ['for a report of a VLEK', { ...milan, keyInfo: 1 << 2 }, 'VLEK'],
  ])('is not asked %s', async (_what, report, words) => {
    const { asked, fetch } = service()
    await expect(kdsSource({ fetch }).fetch(report)).rejects.toMatchObject({
      code: 'ERR_CERTIFICATES',
      message: expect.stringContaining(words),
    })
    expect(asked).toEqual([])
  })

  it('that answers with something else is refused', async () => {
    const { fetch } = service(() => new Response('<html>'))
    await expect(kdsSource({ fetch }).fetch(milan)).rejects.toMatchObject({ code: 'ERR_UPSTREAM_BODY' })
  })
})

describe("Azure's certificate cache", () => {
  const pem = certification.vcekCert + certification.certificateChain

  it('is asked for the chip and the TCB, whose leading zeros it does not want', async () => {
    const { asked, fetch } = service(() => new Response(pem))
    const report = { ...milan, reportedTcb: tcbFromHex('0318000000000004') }
    const found = await azCacheSource({ fetch }).fetch(report)
    expect(asked).toEqual([
      `/SevSnpVM/certificates/${CHIP}/318000000000004?api-version=2020-10-15-preview&clientId=ConfidentialACI`,
    ])
    expect(found).toMatchObject({ vcekCert: certification.vcekCert, tcbm: '0318000000000004' })
  })

  it('has the VCEK wherever it stands in the answer', async () => {
    const { fetch } = service(() => new Response(certification.certificateChain + certification.vcekCert))
    await expect(azCacheSource({ fetch }).fetch(milan)).resolves.toEqual({ ...certification, cacheControl: '' })
  })

  it('that has the certificates of authorities alone is refused', async () => {
    const { fetch } = service(() => new Response(certification.certificateChain.repeat(2)))
    await expect(azCacheSource({ fetch }).fetch(milan)).rejects.toMatchObject({
      code: 'ERR_UPSTREAM_BODY',
      message: expect.stringContaining('no VCEK'),
    })
  })

  it('that has one certificate only is refused', async () => {
    const { fetch } = service(() => new Response(certification.vcekCert))
    await expect(azCacheSource({ fetch }).fetch(milan)).rejects.toMatchObject({ code: 'ERR_UPSTREAM_BODY' })
  })
})

describe("the sidecar's certcache", () => {
  it.each([
    [
      { endpoint_type: 'AMD', endpoint: 'kdsintf.amd.com', tee_type: 'vcek/v1/Milan' },
      `https://kdsintf.amd.com${MILAN_PATH}`,
    ],
    [
      { endpoint_type: 'AMD', endpoint: 'https://kdsintf.amd.com/vcek/v1/', tee_type: 'Milan' },
      `https://kdsintf.amd.com${MILAN_PATH}`,
    ],
    [
      {
        endpoint_type: 'AzCache',
        endpoint: 'americas.acccache.azure.net',
        tee_type: 'SevSnpVM',
        api_version: 'api-version=2021-07-22-preview',
        client_id: 'clientId=me',
      },
      `https://americas.acccache.azure.net/SevSnpVM/certificates/${CHIP}/db18000000000004?api-version=2021-07-22-preview&clientId=me`,
    ],
    [
      { endpoint_type: 'LocalTHIM', endpoint: '169.254.128.1:2377' },
      'http://169.254.128.1:2377/metadata/THIM/amd/certification',
    ],
    [
      { endpoint_type: 'LocalTHIM', endpoint: '169.254.169.254/metadata/THIM/amd/certification' },
      'http://169.254.169.254/metadata/THIM/amd/certification',
    ],
  ])('%o leads to %s', async (config, url) => {
    const asked: string[] = []
    const fetch = async (input: string) => {
      asked.push(input)
      return new Response(null, { status: 403 })
    }
    await expect(certCacheSource(config, { fetch })!.fetch(milan)).rejects.toMatchObject({ status: 403 })
    expect(asked).toEqual([url])
  })

  it('without an endpoint is none; of another type it is refused', () => {
    expect(certCacheSource({ endpoint_type: 'AMD' })).toBeUndefined()
    expect(() => certCacheSource({ endpoint_type: 'Intel', endpoint: 'x' })).toThrow('AMD, AzCache or LocalTHIM')
  })
})

describe('the certificate table of the host', () => {
  const [ask] = pemToDer(certification.certificateChain)
  const table = encodeCertificateTable([
    { guid: CERTIFICATE_GUIDS.vlek, data: VCEK! },
    { guid: CERTIFICATE_GUIDS.ask, data: ask! },
  ])
  const source = (certificateTable: Uint8Array) =>
    hostTableSource(async () => ({
      ...deviceWith(TCB),
      getExtendedReport: async (data: Uint8Array) => ({ report: reportOf(data), certificateTable }),
    }))

  it('has the certificate of the key that signed the report', async () => {
    await expect(source(table).fetch({ ...milan, keyInfo: 1 << 2 })).resolves.toEqual({
      ...certification,
      cacheControl: '',
    })
    await expect(source(table).fetch(milan)).rejects.toThrow('it has no VCEK')
  })

  it.each([
    ['empty', new Uint8Array(), 'empty'],
    ['without an end', new Uint8Array(24).fill(1), 'table'],
  ])('that is %s is refused', async (_what, bytes, words) => {
    await expect(source(bytes).fetch(milan)).rejects.toMatchObject({
      code: 'ERR_CERTIFICATES',
      message: expect.stringContaining(words),
    })
  })

  it('is not to be had from a device that has no extended reports', async () => {
    await expect(hostTableSource(async () => deviceWith(TCB)).fetch(milan)).rejects.toMatchObject({
      code: 'ERR_CERTIFICATES',
    })
  })
})

describe('several sources', () => {
  const failing = (message: string) => ({ name: message, fetch: () => Promise.reject(new Error(message)) })
  const good = { name: 'good', fetch: async () => certification }

  it('are asked one after the other, until one answers', async () => {
    await expect(firstOf([failing('a'), good, failing('b')]).fetch()).resolves.toBe(certification)
  })

  it('that fail again and again say no more each time', async () => {
    const same = new Error('a')
    const both = firstOf([{ name: 'a', fetch: () => Promise.reject(same) }, failing('b')])
    const messages: string[] = []
    for (let tries = 0; tries < 3; tries += 1) {
      await both.fetch(milan).catch(({ message }: Error) => messages.push(message))
    }
    expect(messages.map((message) => message.match(/; b/g)?.length)).toEqual([1, 1, 1])
  })

  it('that all fail say so', async () => {
    await expect(firstOf([failing('a'), failing('b')]).fetch()).rejects.toThrow('a; b')
  })
})

describe('THIM', () => {
  it('is where the environment says', async () => {
    const asked: string[] = []
    const fetch = async (url: string) => {
      asked.push(url)
      return Response.json(certification)
    }
    await thimSource({ fetch, env: { THIM_ENDPOINT: '169.254.128.1:2377' } }).fetch()
    await thimSource({ fetch, env: {} }).fetch()
    expect(asked).toEqual([
      'http://169.254.128.1:2377/metadata/THIM/amd/certification',
      'http://169.254.169.254/metadata/THIM/amd/certification',
    ])
  })

  it('is not asked at an address that is none', async () => {
    await expect(thimSource({ endpoint: 'http://' }).fetch()).rejects.toMatchObject({ field: 'THIM_ENDPOINT' })
  })
})
