import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import {
  aciReleasePolicy,
  certificateChainPem,
  decodeReportResponse,
  encodeReportRequest,
  encodeSnpAttestRequest,
} from '@skerry/guest/wire'
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../../emulator/src/core/index.ts'
import { createVaultWorld, VAULT } from '../../emulator/src/keyvault/test-vaults.ts'
import { createMaaService } from '../../emulator/src/maa/index.ts'
import { createProcessor, type ProcessorOptions } from '../../emulator/src/psp/index.ts'
import { openRelease, unwrapByNode } from '../support/released-key.ts'

/*
 * A guest, its processor, the attestation service and the vault together: the evidence that the policy of a key means
 * releases it, and evidence that is in one respect another does not. Nothing is made up: each token but the forged ones is
 * what the service answers to real evidence.
 */

const PROVIDER = 'sharedweu.weu.attest.azure.net'
const START = Date.parse('2026-06-01T00:00:00Z')
const HOUR = 3_600_000
const digest = (text: string) => new Uint8Array(createHash('sha256').update(text).digest())
const HOST_DATA = digest('a CCE policy')
const wrapping = generateKeyPairSync('rsa', { modulusLength: 2048 })

/** What the guest is and does; each default is what the policy means. */
interface Evidence {
  readonly host?: ProcessorOptions
  readonly hostData?: Uint8Array
  readonly debug?: boolean
  readonly vmpl?: 0 | 1
  readonly measurement?: Uint8Array
  readonly endorsed?: boolean
  readonly provider?: string
  readonly runtime?: object
  readonly dataType?: 'JSON' | 'Binary'
  readonly draftPolicy?: string
}

const JWK = { ...createPublicKey(wrapping.privateKey).export({ format: 'jwk' }), kid: 'guest', key_ops: ['encrypt'] }

function createWorld() {
  const clock = manualClock(START)
  const world = createVaultWorld({ clock })
  const psps = new Map<string, ReturnType<typeof createProcessor>>()
  const hostOf = (options: ProcessorOptions = {}) => {
    const name = JSON.stringify(options)
    const psp = psps.get(name) ?? createProcessor(world.ctx, options)
    psps.set(name, psp)
    return psp
  }
  world.use(createMaaService(world.ctx, { psp: hostOf() }))

  /** The answer of the attestation service to a guest's evidence. */
  const attest = async (evidence: Evidence = {}) => {
    const { runtime = { keys: [JWK] }, dataType = 'JSON', vmpl = 0, measurement } = evidence
    const psp = hostOf(evidence.host)
    const data = new Uint8Array(Buffer.from(JSON.stringify(runtime)))
    const reportData = new Uint8Array(64)
    reportData.set(createHash('sha256').update(data).digest())
    const guest = psp.launch({
      hostData: evidence.hostData ?? HOST_DATA,
      debug: evidence.debug ?? false,
      ...(measurement !== undefined && { measurement }),
    })
    const body = encodeSnpAttestRequest({
      report: decodeReportResponse(await guest.reportRequest(encodeReportRequest({ reportData, vmpl }))).report,
      certificateChainPem: certificateChainPem(await psp.thim()),
      uvmEndorsements: evidence.endorsed === false ? [] : [await psp.uvm.endorsement()],
      runtimeData: { data, dataType },
    })
    const sent = evidence.draftPolicy === undefined ? body : withDraft(body, evidence.draftPolicy)
    const url = `https://${evidence.provider ?? PROVIDER}/attest/SevSnpVm?api-version=2022-08-01`
    const response = await world.fetch(new Request(url, { method: 'POST', body: sent }))
    return { status: response.status, ...((await response.json()) as { token?: string }) }
  }
  return { world, clock, attest }
}

const withDraft = (body: string, text: string) =>
  JSON.stringify({ ...(JSON.parse(body) as object), draftPolicyForAttestation: text })

type World = ReturnType<typeof createWorld>

/** Host data, utility VM, no debugging, VMPL 0, and a least microcode. */
const POLICY = aciReleasePolicy({
  authority: `https://${PROVIDER}`,
  hostData: HOST_DATA,
  claims: [[{ claim: 'x-ms-sevsnpvm-microcode-svn', greaterOrEquals: 0xdb }]],
})

/** A vault whose key has that policy, asked for it with a token; and the conditions that the journal says were not met. */
async function release({ world }: World, target: string) {
  const encoded = Buffer.from(JSON.stringify(POLICY)).toString('base64url')
  await world.call('POST', `${VAULT}/keys/k/create`, {
    kty: 'RSA-HSM',
    key_ops: ['encrypt', 'decrypt'],
    attributes: { exportable: true },
    release_policy: { data: encoded },
  })
  const { status, json } = await world.call('POST', `${VAULT}/keys/k/release`, { target })
  const record = world.ctx.journal.records().findLast(({ operation }) => operation === 'release')
  const unmet = (record?.conditions ?? []).filter(({ met }) => !met).map(({ name }) => name)
  return { status, json, unmet }
}

describe('a key whose policy means one guest', () => {
  it('is released to it', async () => {
    const made = createWorld()
    const { token } = await made.attest()
    const { status, json, unmet } = await release(made, token!)
    expect([status, unmet]).toEqual([200, []])
    const opened = await openRelease((json as { value: string }).value)
    const key = createPrivateKey({ key: unwrapByNode(opened, wrapping.privateKey), format: 'der', type: 'pkcs8' })
    expect(createPublicKey(key).export({ format: 'jwk' }).n).toBe(opened.payload.response.key.key.n)
  })

  it.each<readonly [what: string, unmet: readonly string[], evidence: Evidence]>([
    ['under another CCE policy', ['x-ms-sevsnpvm-hostdata'], { hostData: digest('another CCE policy') }],
    ['that may be debugged', ['x-ms-sevsnpvm-is-debuggable'], { debug: true }],
    ['that asked at VMPL 1', ['x-ms-sevsnpvm-vmpl'], { vmpl: 1 }],
    ['whose utility VM nobody vouches for', ['x-ms-compliance-status'], { endorsed: false }],
    ['on a host with older microcode', ['x-ms-sevsnpvm-microcode-svn'], { host: { tcb: { microcode: 0xda } } }],
  ])('is not released to a guest %s', async (_, unmet, evidence) => {
    const made = createWorld()
    const { status, token } = await made.attest(evidence)
    expect(status).toBe(200)
    const released = await release(made, token!)
    expect([released.status, released.unmet]).toEqual([403, unmet])
  })

  it('is not released by the word of another provider', async () => {
    const made = createWorld()
    const { token } = await made.attest({ provider: 'sharedneu.neu.attest.azure.net' })
    expect(await release(made, token!)).toMatchObject({ status: 403 })
  })

  it.each<readonly [what: string, evidence: Evidence]>([
    ['that sent no wrapping key', { runtime: {} }],
    ['that sent its wrapping key as bytes, which no token repeats', { dataType: 'Binary' }],
  ])('is not released to a guest %s', async (_, evidence) => {
    const made = createWorld()
    const { status, token } = await made.attest(evidence)
    expect(status).toBe(200)
    const { status: released } = await release(made, token!)
    expect(released).toBeGreaterThanOrEqual(400)
    expect(released).toBeLessThan(500)
  })

  it('is not released for the unsecured token of a draft policy', async () => {
    const made = createWorld()
    const draftPolicy = 'version= 1.0;authorizationrules{=> permit();};'
    const { status, token } = await made.attest({ draftPolicy })
    expect([status, decodeProtectedHeader(token!).alg]).toEqual([200, 'none'])
    expect((await release(made, token!)).status).toBe(403)
  })

  it('is not released for a token that has expired', async () => {
    const made = createWorld()
    const { token } = await made.attest()
    await made.clock.advance(8 * HOUR + 10 * 60_000)
    expect((await release(made, token!)).status).toBe(403)
  })

  it.each<readonly [what: string, forge: (token: string) => string | Promise<string>]>([
    ['one claim of which was altered', (token) => altered(token, { 'x-ms-sevsnpvm-microcode-svn': 0xff })],
    ['whose signature was taken away', (token) => `${token.split('.').slice(0, 2).join('.')}.`],
    ['that somebody else signed', (token) => signedAgain(token)],
  ])('is not released for a token %s', async (_, forge) => {
    const made = createWorld()
    const { token } = await made.attest()
    expect((await release(made, await forge(token!))).status).toBe(403)
  })
})

describe('a guest that is no guest of this host gets no token', () => {
  it.each<readonly [what: string, evidence: Evidence]>([
    ['whose image is another than the endorsed one', { measurement: new Uint8Array(48).fill(7) }],
    ['with a draft policy that denies it', { draftPolicy: 'version= 1.0;authorizationrules{=> deny();};' }],
  ])('%s', async (_, evidence) => {
    const { status, token } = await createWorld().attest(evidence)
    expect([status, token]).toEqual([400, undefined])
  })
})

function altered(token: string, change: Record<string, unknown>): string {
  const [header, , signature] = token.split('.')
  const payload = Buffer.from(JSON.stringify({ ...decodeJwt(token), ...change })).toString('base64url')
  return `${header}.${payload}.${signature}`
}

/** The same header and claims under a key that the provider does not publish. */
async function signedAgain(token: string): Promise<string> {
  const header = decodeProtectedHeader(token) as { alg: string }
  return await new SignJWT(decodeJwt(token)).setProtectedHeader(header).sign(wrapping.privateKey)
}
