import { createPublicKey, verify, X509Certificate } from 'node:crypto'
import { decodeSnpAttestRequest, encodeHex } from '@skerry/guest/wire'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../core/test-context.ts'
import { createProcessor } from '../psp/index.ts'
import { evidenceTrust } from './evidence/trust.ts'
import { createEvidenceVerifier } from './evidence/verifier.ts'
import { createMaaService, rollSigningKey } from './index.ts'
import { keyIdOf } from './signing-key.ts'
import { attestationToken } from './token.ts'

const ISSUER = 'https://sharedweu.weu.attest.azure.net'
const HOUR = 3600_000

function createWorld(signingKeyLifetime?: string) {
  const world = createTestContext({
    settings: {
      attestation: {
        trust: 'emulator',
        endorsers: [],
        ...(signingKeyLifetime !== undefined && { signingKeyLifetime }),
      },
    },
  })
  const psp = createProcessor(world.ctx)
  world.use(createMaaService(world.ctx, { psp }))
  const keys = async () =>
    ((await (await world.fetch(`${ISSUER}/certs`)).json()) as { keys: { kid: string; x5c: string[] }[] }).keys
  const token = () => attestationToken(world.ctx, ISSUER, {})
  const verified = async (jwt: string) => {
    const key = (await keys()).find(({ kid }) => kid === decodeProtectedHeader(jwt).kid)
    if (key === undefined) return false
    const [head, payload, signature] = jwt.split('.')
    const { publicKey } = new X509Certificate(Buffer.from(key.x5c[0]!, 'base64'))
    return verify('sha256', Buffer.from(`${head}.${payload}`), publicKey, Buffer.from(signature!, 'base64url'))
  }
  return { ...world, psp, keys, token, verified }
}

describe('a new signing key', () => {
  it('signs from then on, and the old one stays published for longer than its tokens live', async () => {
    const world = createWorld()
    const old = await world.token()
    rollSigningKey(world.ctx)
    const young = await world.token()
    expect(decodeProtectedHeader(young).kid).not.toBe(decodeProtectedHeader(old).kid)
    const kids = (await world.keys()).map(({ kid }) => kid)
    expect(kids).toEqual([decodeProtectedHeader(young).kid, decodeProtectedHeader(old).kid])
    expect(await world.verified(old)).toBe(true)
    await world.clock.advance(23 * HOUR)
    expect(decodeJwt(old).exp! * 1000).toBeLessThan(world.clock.now())
    expect(await world.verified(old)).toBe(true)
    await world.clock.advance(HOUR)
    expect((await world.keys()).map(({ kid }) => kid)).toEqual([decodeProtectedHeader(young).kid])
    expect(world.ctx.journal.records().map(({ operation }) => operation)).toContain('rollSigningKey')
  })

  it('never comes by itself unless a lifetime is set', async () => {
    const world = createWorld()
    const before = await world.keys()
    await world.clock.advance(10 * 365 * 24 * HOUR)
    expect(await world.keys()).toEqual(before)
  })

  it('comes when the lifetime of the one before is over, at its own time', async () => {
    const world = createWorld('P30D')
    const first = await world.token()
    await world.clock.advance(30 * 24 * HOUR - 1000)
    const last = await world.token()
    expect(decodeProtectedHeader(last).kid).toBe(decodeProtectedHeader(first).kid)
    await world.clock.advance(1000)
    expect(decodeProtectedHeader(await world.token()).kid).not.toBe(decodeProtectedHeader(first).kid)
    expect(await world.verified(last)).toBe(true)
    await world.clock.advance(24 * HOUR)
    expect(await world.verified(last)).toBe(false)
  })

  it('comes when nobody asked for a long time, and those in between are not published', async () => {
    const world = createWorld('2h')
    await world.token()
    await world.clock.advance(1000 * 24 * HOUR)
    const kids = (await world.keys()).map(({ kid }) => kid)
    expect(kids.length).toBeGreaterThan(1)
    expect(kids.length).toBeLessThanOrEqual(13)
    expect(new Set(kids).size).toBe(kids.length)
    expect(decodeProtectedHeader(await world.token()).kid).toBe(kids[0])
  }, 30_000)
})

describe('the certificate of a signing key', () => {
  /** DER of 1.3.6.1.4.1.311.105.1000.1. */
  const EVIDENCE = Buffer.from('060b2b06010401823769876801', 'hex')

  it('says that the key lives in a confidential container, by evidence that verifies', async () => {
    const world = createWorld()
    const [key] = await world.keys()
    const der = Buffer.from(key!.x5c[0]!, 'base64')
    const text = der.toString('latin1')
    expect(der.includes(EVIDENCE)).toBe(true)
    expect(text).toContain('acisevsnp')
    const start = text.indexOf('{"SnpReport"')
    const json = text.slice(start, text.indexOf('}', start) + 1)
    const evidence = decodeSnpAttestRequest(JSON.stringify({ report: Buffer.from(json).toString('base64url') }))
    const verifier = createEvidenceVerifier(() => evidenceTrust(world.ctx.settings.attestation, world.psp))
    const found = await verifier.verify(evidence, world.clock.now())
    expect(found.checks.filter(({ met }) => !met)).toEqual([])
    expect(found.verified).toBe(true)
    // What ties the key to the evidence: its id is the first half of the report data.
    const publicKey = createPublicKey(new X509Certificate(der).publicKey.export({ type: 'spki', format: 'pem' }))
    expect(keyIdOf(publicKey)).toBe(key!.kid)
    expect(encodeHex(found.report!.reportData)).toBe(Buffer.from(key!.kid, 'base64').toString('hex') + '00'.repeat(32))
  })
})
