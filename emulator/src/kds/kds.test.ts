import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeVcekExtensions, derToPem, pemToDer, type SnpProduct } from '@skerry/guest/wire'
import { beforeAll, describe, expect, it } from 'vitest'
import type { ProcessorFaults } from '../core/index.ts'
import { createTestContext } from '../core/test-context.ts'
import { createProcessor, type ProcessorOptions } from '../psp/index.ts'
import { createKdsService } from './index.ts'

const AMD = 'https://kdsintf.amd.com'
const AZURE = 'https://global.acccache.azure.net'
const LEVELS = 'blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219'

function createKds(options: { processor?: ProcessorOptions; faults?: ProcessorFaults } = {}) {
  const faults = { tamper: 'none' as const, ...(options.faults && { processor: options.faults }) }
  const world = createTestContext({ faults })
  const psp = createProcessor(world.ctx, options.processor)
  world.use(createKdsService(world.ctx, { psp }))
  const bytes = async (url: string) => new Uint8Array(await (await world.fetch(url)).arrayBuffer())
  return { world, psp, bytes, status: async (url: string) => (await world.fetch(url)).status }
}

const { world, psp, bytes, status } = createKds()

const hwidOf = async (product: SnpProduct) => {
  const [vcek] = pemToDer((await psp.of(product).thim()).vcekCert)
  return Buffer.from(decodeVcekExtensions(vcek!).hwid!).toString('hex')
}

let chip: string
let turin: string
beforeAll(async () => {
  chip = await hwidOf('Milan')
  turin = await hwidOf('Turin')
})

describe("AMD's key distribution service", () => {
  it('gives the VCEK that THIM gives, in DER', async () => {
    const response = await world.fetch(`${AMD}/vcek/v1/Milan/${chip}?${LEVELS}`)
    expect(response.headers.get('content-type')).toBe('application/octet-stream')
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(pemToDer((await psp.thim()).vcekCert)[0])
  })

  it('reads the levels by name, in any order, padded or not', async () => {
    const url = `${AMD}/vcek/v1/Milan/${chip}?ucodeSPL=219&snpSPL=24&teeSPL=0&blSPL=4`
    expect(await bytes(url)).toEqual(pemToDer((await psp.thim()).vcekCert)[0])
  })

  it('gives another certificate for any TCB of before, with its levels and another key', async () => {
    const der = await bytes(`${AMD}/vcek/v1/Milan/${chip}?blSPL=3&teeSPL=0&snpSPL=22&ucodeSPL=209`)
    expect(decodeVcekExtensions(der).tcb).toEqual({ bootLoader: 3, tee: 0, snp: 22, microcode: 209 })
    const ours = new X509Certificate((await psp.thim()).vcekCert)
    expect(new X509Certificate(der).publicKey.equals(ours.publicKey)).toBe(false)
  })

  it('wants the FMC level and the short hardware id of a Turin', async () => {
    const levels = 'fmcSPL=1&blSPL=1&teeSPL=1&snpSPL=4&ucodeSPL=81'
    expect(turin).toMatch(/^[0-9a-f]{16}$/)
    const der = await bytes(`${AMD}/vcek/v1/Turin/${turin}?${levels}`)
    expect(decodeVcekExtensions(der)).toMatchObject({
      structureVersion: 1,
      productName: 'Turin',
      tcb: { fmc: 1, bootLoader: 1, tee: 1, snp: 4, microcode: 81 },
    })
    expect(await status(`${AMD}/vcek/v1/Turin/${turin}?${levels.replace('fmcSPL=1&', '')}`)).toBe(400)
    expect(await status(`${AMD}/vcek/v1/Turin/${turin.padEnd(128, '0')}?${levels}`)).toBe(404)
  })

  it.each([
    ['Milan', 'vcek', 'SEV-Milan'],
    ['Milan', 'vlek', 'SEV-VLEK-Milan'],
    ['Genoa', 'vcek', 'SEV-Genoa'],
    ['Turin', 'vcek', 'SEV-Turin'],
  ])(
    'gives %s (%s) its intermediate, then its root, and nothing after the last newline',
    async (product, kind, name) => {
      const response = await world.fetch(`${AMD}/${kind}/v1/${product}/cert_chain`)
      expect(response.headers.get('content-type')).toBe('application/x-pem-file')
      const pem = await response.text()
      const [issuing, ark, ...rest] = pemToDer(pem).map((der) => new X509Certificate(der))
      expect(rest).toEqual([])
      expect(issuing!.subject).toContain(`CN=${name}`)
      expect(ark!.subject).toContain(`CN=ARK-${product}`)
      expect(issuing!.verify(ark!.publicKey)).toBe(true)
      expect(pem.endsWith('-----END CERTIFICATE-----\n')).toBe(true)
    },
  )

  it.for([
    ['nothing', [], 'No Revoked Certificates'],
    ['the ASK, whose serial number it lists', ['ask'], 'Serial Number: 010001'],
  ] as const)('gives a revocation list of %s that the ARK signed', async ([, revoked, words], { skip }) => {
    const kds = createKds({ faults: { revoked } })
    const der = await kds.bytes(`${AMD}/vcek/v1/Milan/crl`)
    expect(await kds.bytes(`${AMD}/vlek/v1/Milan/crl`)).toEqual(der)
    const folder = mkdtempSync(join(tmpdir(), 'skerry-kds-'))
    try {
      writeFileSync(join(folder, 'ark'), derToPem(pemToDer(await kds.psp.certificateChainPem())[1]!))
      const { stdout, stderr, error } = spawnSync(
        'openssl',
        ['crl', '-inform', 'DER', '-noout', '-text', '-CAfile', join(folder, 'ark')],
        { input: der, encoding: 'utf8' },
      )
      if (error !== undefined) skip('there is no openssl program on this machine')
      expect(stderr).toContain('verify OK')
      expect(stdout).toMatch(/CN ?= ?ARK-Milan/)
      expect(stdout).toContain(words)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it.each([
    'Genoa/00',
    'milan/00',
    'Siena/cert_chain',
    'Bergamo/crl',
    `Milan/${'0'.repeat(128)}`,
    `Milan/${'AB'.repeat(64)}`,
    `Genoa/${'ab'.repeat(64)}`,
  ])('answers 404 for %s', async (path) => {
    expect(await status(`${AMD}/vcek/v1/${path}?${LEVELS}`)).toBe(404)
  })

  it('answers 404 for a TCB that AMD has not certified', async () => {
    expect(await status(`${AMD}/vcek/v1/Milan/${chip}?blSPL=4&teeSPL=0&snpSPL=24&ucodeSPL=220`)).toBe(404)
  })

  it.each(['', 'blSPL=4&teeSPL=0&snpSPL=24', `${LEVELS}9`, 'blSPL=0x4&teeSPL=0&snpSPL=24&ucodeSPL=219'])(
    'answers 400 for the levels %j',
    async (levels) => {
      expect(await status(`${AMD}/vcek/v1/Milan/${chip}?${levels}`)).toBe(400)
    },
  )

  it('says in the journal what was asked for and why it was not given', async () => {
    await status(`${AMD}/vcek/v1/Milan/${chip}?teeSPL=0`)
    expect(world.ctx.journal.records().at(-1)).toMatchObject({
      service: 'kds',
      outcome: 'failed',
      summary: 'blSPL: a decimal number from 0 to 255 is required',
      answer: { status: 400 },
    })
  })

  it('throttles every third request where the fault plan says so', async () => {
    const kds = createKds({ faults: { kds: { every: 3, retryAfterSeconds: 10 } } })
    const url = `${AMD}/vcek/v1/Milan/crl`
    expect([await kds.status(url), await kds.status(url)]).toEqual([200, 200])
    const third = await kds.world.fetch(url)
    expect([third.status, third.headers.get('retry-after'), await third.text()]).toEqual([429, '10', ''])
    expect(await kds.status(url)).toBe(200)
  })
})

describe('a VLEK', () => {
  const url = `${AMD}/vlek/v1/Milan/cert?${LEVELS}`

  it('is given to nobody, unless the processor has a secret of its provider', async () => {
    expect(await status(url)).toBe(403)
    const kds = createKds({ processor: { cspSecret: 'of the provider', cspId: 'CN=here.example' } })
    const ask = (secret: string) =>
      kds.world.fetch(new Request(url, { headers: { authorization: `Bearer ${secret}` } }))
    expect((await ask('of another')).status).toBe(403)
    const der = new Uint8Array(await (await ask('of the provider')).arrayBuffer())
    expect(decodeVcekExtensions(der)).toMatchObject({ cspId: 'CN=here.example', productName: 'Milan' })
    expect(decodeVcekExtensions(der)).not.toHaveProperty('hwid')
  })
})

describe('a TCB roll', () => {
  const next = LEVELS.replace('219', '220')

  it.each([
    ['fresh', 200, 'DC18000000000004'],
    ['stale', 200, 'DB18000000000004'],
    ['missing', 404, 'DB18000000000004'],
  ] as const)('with %s certificates: AMD answers %i, THIM has those for %s', async (certificates, answer, tcbm) => {
    const kds = createKds()
    kds.psp.rollTcb({ microcode: 220 }, { certificates })
    expect(await kds.status(`${AMD}/vcek/v1/Milan/${chip}?${next}`)).toBe(answer)
    expect((await kds.psp.thim()).tcbm).toBe(tcbm)
  })
})

describe("Azure's certificate cache", () => {
  const query = 'api-version=2020-10-15-preview&clientId=ConfidentialACI'

  it('gives VCEK, ASK and ARK in one PEM text', async () => {
    const { vcekCert, certificateChain } = await psp.thim()
    const response = await world.fetch(`${AZURE}/SevSnpVM/certificates/${chip}/db18000000000004?${query}`)
    expect(await response.text()).toBe(vcekCert + certificateChain)
  })

  it('knows a Turin by its whole chip id and reads its TCB in its own order', async () => {
    const { vcekCert, certificateChain } = await psp.of('Turin').thim()
    const url = `${AZURE}/SevSnpVM/certificates/${turin.padEnd(128, '0')}/5100000004010101?${query}`
    expect(await (await world.fetch(url)).text()).toBe(vcekCert + certificateChain)
  })

  it.each([
    ['another TEE', () => `SgxEnclave/certificates/${chip}/db18000000000004`],
    ['another chip', () => `SevSnpVM/certificates/${'ab'.repeat(64)}/db18000000000004`],
    ['a hardware id alone', () => `SevSnpVM/certificates/${turin}/5100000004010101`],
    ['another TCB', () => `SevSnpVM/certificates/${chip}/db18000000000005`],
    ['a TCB with reserved bytes', () => `SevSnpVM/certificates/${chip}/db18000000010004`],
    ['a TCB that is no number', () => `SevSnpVM/certificates/${chip}/latest`],
  ])('answers 404 with an empty body for %s', async (_, path) => {
    const response = await world.fetch(`${AZURE}/${path()}?${query}`)
    expect(response.status).toBe(404)
    expect(await response.text()).toBe('')
  })

  it('fails as the fault plan says', async () => {
    const kds = createKds({ faults: { certificateCache: { at: 1, status: 503 } } })
    const url = `${AZURE}/SevSnpVM/certificates/${chip}/db18000000000004?${query}`
    expect([await kds.status(url), await kds.status(url)]).toEqual([503, 200])
  })
})
