import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { decodeVcekExtensions, pemToDer } from '@skerry/guest/wire'
import { beforeAll, describe, expect, it } from 'vitest'
import { createTestContext } from '../core/test-context.ts'
import { createProcessor } from '../psp/index.ts'
import { createKdsService } from './index.ts'

const AMD = 'https://kdsintf.amd.com'
const AZURE = 'https://global.acccache.azure.net'
const LEVELS = 'blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219'

const world = createTestContext()
const psp = createProcessor(world.ctx)
world.use(createKdsService(world.ctx, { psp }))

let chip: string
beforeAll(async () => {
  const [vcek] = pemToDer((await psp.thim()).vcekCert)
  chip = Buffer.from(decodeVcekExtensions(vcek!).hwid!).toString('hex')
})

const bytes = async (url: string) => new Uint8Array(await (await world.fetch(url)).arrayBuffer())

describe("AMD's key distribution service", () => {
  it('gives the VCEK that THIM gives, in DER', async () => {
    expect(await bytes(`${AMD}/vcek/v1/Milan/${chip}?${LEVELS}`)).toEqual(pemToDer((await psp.thim()).vcekCert)[0])
  })

  it('reads the levels by name, in any order, padded or not', async () => {
    const url = `${AMD}/vcek/v1/Milan/${chip}?ucodeSPL=219&snpSPL=24&teeSPL=0&blSPL=4`
    expect(await bytes(url)).toEqual(pemToDer((await psp.thim()).vcekCert)[0])
  })

  it('gives another certificate for the TCB of before, with its levels', async () => {
    const der = await bytes(`${AMD}/vcek/v1/Milan/${chip}?blSPL=3&teeSPL=0&snpSPL=22&ucodeSPL=209`)
    expect(decodeVcekExtensions(der).tcb).toEqual({ bootLoader: 3, tee: 0, snp: 22, microcode: 209 })
  })

  it('gives ASK then ARK and nothing after the last newline', async () => {
    const pem = await (await world.fetch(`${AMD}/vcek/v1/Milan/cert_chain`)).text()
    const [ask, ark, ...rest] = pemToDer(pem).map((der) => new X509Certificate(der))
    expect(rest).toEqual([])
    expect(ask!.subject).toContain('CN=SEV-Milan')
    expect(ark!.subject).toContain('CN=ARK-Milan')
    expect(pem.endsWith('-----END CERTIFICATE-----\n')).toBe(true)
  })

  it('gives a revocation list that the ARK signed', async (test) => {
    const der = await bytes(`${AMD}/vcek/v1/Milan/crl`)
    try {
      const text = execFileSync('openssl', ['crl', '-inform', 'DER', '-noout', '-text'], {
        input: der,
        encoding: 'utf8',
      })
      expect(text).toMatch(/CN ?= ?ARK-Milan/)
      expect(text).toContain('No Revoked Certificates')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      test.skip('there is no openssl program on this machine')
    }
  })

  it.each(['Genoa/00', 'milan/00', `Milan/${'0'.repeat(128)}`])('answers 404 for the chip %s', async (path) => {
    expect((await world.fetch(`${AMD}/vcek/v1/${path}?${LEVELS}`)).status).toBe(404)
  })

  it('answers 404 for a TCB that this machine never had', async () => {
    const url = `${AMD}/vcek/v1/Milan/${chip}?blSPL=4&teeSPL=0&snpSPL=24&ucodeSPL=220`
    expect((await world.fetch(url)).status).toBe(404)
  })

  it.each(['', 'blSPL=4&teeSPL=0&snpSPL=24', `${LEVELS}9`, 'blSPL=0x4&teeSPL=0&snpSPL=24&ucodeSPL=219'])(
    'answers 400 for the levels %j',
    async (levels) => {
      expect((await world.fetch(`${AMD}/vcek/v1/Milan/${chip}?${levels}`)).status).toBe(400)
    },
  )

  it.each(['vcek/v1/Genoa/cert_chain', 'vcek/v1/Turin/crl', 'vlek/v1/Milan/cert_chain'])(
    'says plainly that it does not cover %s',
    async (path) => {
      expect((await world.fetch(`${AMD}/${path}`)).status).toBe(501)
    },
  )
})

describe("Azure's certificate cache", () => {
  const query = 'api-version=2020-10-15-preview&clientId=ConfidentialACI'

  it('gives VCEK, ASK and ARK in one PEM text', async () => {
    const { vcekCert, certificateChain } = await psp.thim()
    const response = await world.fetch(`${AZURE}/SevSnpVM/certificates/${chip}/db18000000000004?${query}`)
    expect(await response.text()).toBe(vcekCert + certificateChain)
  })

  it.each([
    ['another TEE', () => `SgxEnclave/certificates/${chip}/db18000000000004`],
    ['another chip', () => `SevSnpVM/certificates/${'ab'.repeat(64)}/db18000000000004`],
    ['another TCB', () => `SevSnpVM/certificates/${chip}/db18000000000005`],
    ['a TCB with reserved bytes', () => `SevSnpVM/certificates/${chip}/db18000000010004`],
    ['a TCB that is no number', () => `SevSnpVM/certificates/${chip}/latest`],
  ])('answers 404 with an empty body for %s', async (_, path) => {
    const response = await world.fetch(`${AZURE}/${path()}?${query}`)
    expect(response.status).toBe(404)
    expect(await response.text()).toBe('')
  })
})
