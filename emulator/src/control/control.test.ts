import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  decodeReport,
  decodeReportResponse,
  decodeUvmEndorsement,
  encodeReportRequest,
  SECURITY_CONTEXT_FILES,
  tcbFromHex,
} from '@skerry/guest/wire'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TEST_CACHE_DIRECTORY } from '../core/test-context.ts'
import { createEmulator, type Emulator } from '../emulator.ts'
import { ensureUser } from '../entra/index.ts'
import { ControlError, connectInstance, type InstanceClient } from './client.ts'
import {
  announce,
  findInstance,
  type InstanceInfo,
  InstanceNotFoundError,
  makeRuntimeFolder,
  NoInstanceError,
  runningInstances,
} from './instance.ts'

describe('the control routes, as another process uses them', () => {
  let emulator: Emulator
  let client: InstanceClient
  let url: string
  beforeAll(async () => {
    emulator = await createEmulator({ cacheDir: TEST_CACHE_DIRECTORY })
    url = (await emulator.listen()).url
    client = connectInstance({ url, controlToken: emulator.credential.controlToken })
  })
  afterAll(async () => {
    client[Symbol.dispose]()
    await emulator.close()
  })

  it('launch a guest whose reports carry the digest of the policy', async () => {
    const launched = await client.launchGuest({ ccePolicy: Buffer.from('package policy\n').toString('base64') })
    const request = encodeReportRequest({ reportData: new Uint8Array(64).fill(7), vmpl: 0 })
    const { status, report } = decodeReportResponse(await launched.guest.reportRequest(request))
    expect(status).toBe(0)
    const { hostData, reportData } = decodeReport(report!)
    expect(Buffer.from(hostData).toString('hex')).toBe(launched.hostData)
    expect(Buffer.from(reportData)).toEqual(Buffer.alloc(64, 7))
    const policy = launched.securityContext[SECURITY_CONTEXT_FILES.securityPolicy]!
    expect(Buffer.from(policy, 'base64').toString()).toBe('package policy\n')
    expect(Object.keys(launched.securityContext).toSorted()).toEqual([
      'host-amd-cert-base64',
      'reference-info-base64',
      'security-policy-base64',
      'transparent-reference-info-base64',
    ])
    const endorsements = [SECURITY_CONTEXT_FILES.referenceInfo, SECURITY_CONTEXT_FILES.transparentReferenceInfo]
      .map((name) => decodeUvmEndorsement(Buffer.from(launched.securityContext[name]!, 'base64')))
      .map(({ form, launchMeasurement }) => [form, launchMeasurement])
    const { measurement } = decodeReport(report!)
    expect(endorsements).toEqual([
      ['json', measurement],
      ['hashEnvelope', measurement],
    ])
    expect((await launched.guest.certificateTable()).length).toBeGreaterThan(3000)
    await launched.release()
    await expect(launched.guest.reportRequest(request)).rejects.toThrow(ControlError)
  })

  it.each([
    [{ ccePolicy: '%%%' }, /ccePolicy is not base64/],
    [{ ccePolicy: '' }, /ccePolicy is empty/],
    [{ hostData: 'aa' }, /hostData/],
  ])('say which field of %j is wrong', async (launch, message) => {
    await expect(client.launchGuest(launch as object)).rejects.toThrow(message)
  })

  it('launch a guest as it is asked for, on a host of another product too', async () => {
    const launched = await client.launchGuest({
      product: 'Genoa',
      guestPolicy: '0x3001f',
      guestSvn: 7,
      measurement: 'ab'.repeat(48),
      vmpl: 1,
    })
    const request = encodeReportRequest({ reportData: new Uint8Array(64), vmpl: 2 })
    const report = decodeReport(decodeReportResponse(await launched.guest.reportRequest(request)).report)
    expect(report).toMatchObject({ guestSvn: 7, vmpl: 2, cpuidFamily: 0x19, cpuidModel: 0x11 })
    expect(Buffer.from(report.measurement).toString('hex')).toBe('ab'.repeat(48))
    const { tcbm } = JSON.parse(Buffer.from(launched.securityContext['host-amd-cert-base64']!, 'base64').toString())
    expect(tcbFromHex(tcbm)).toEqual(report.reportedTcb)
    await launched.release()
  })

  it.each([
    [{ guestPolicy: '3001f' }, /guestPolicy is not a u64/],
    [{ guestPolicy: '0x1f' }, /cannot keep this guest policy: the firmware answered status 22/],
    [{ guestPolicy: '0x3ffff' }, /cannot keep this guest policy: the firmware answered status 7/],
    [{ measurement: 'ab' }, /measurement is not 48 bytes in hex/],
    [{ product: 'Rome' }, /product/],
  ])('say what is wrong with a guest like %j', async (launch, message) => {
    await expect(client.launchGuest(launch as object)).rejects.toThrow(message)
  })

  it('have the attestation service sign with a new key, and publish the old one as well', async () => {
    const kids = async () => {
      const request = new Request('https://sharedweu.weu.attest.azure.net/certs')
      const response = await emulator.dispatcher.dispatch(request, { door: 'process' })
      return ((await response.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)
    }
    const [before] = await kids()
    expect(await client.rollSigningKey()).toEqual({ generation: 1 })
    expect(await kids()).toEqual([expect.not.stringMatching(before!), before])
  })

  it('tell what the processor is, and move it to another TCB under a guest', async () => {
    const { guest, release } = await client.launchGuest({})
    const request = encodeReportRequest({ reportData: new Uint8Array(64), vmpl: 0 })
    const reported = async () =>
      decodeReport(decodeReportResponse(await guest.reportRequest(request)).report).reportedTcb
    const before = await client.processor()
    expect(before).toMatchObject({ name: 'Milan', product: 'Milan', reportVersion: 3, signing: 'vcek' })
    expect((await reported())[7]).toBe(before.tcb.reported.microcode)
    expect((await client.rollTcb({ certificates: 'stale' })).reported.microcode).toBe(0xdc)
    expect((await reported())[7]).toBe(0xdc)
    await client.rollTcb({ tcb: { microcode: 0xdb } })
    expect((await reported())[7]).toBe(0xdb)
    await expect(client.rollTcb({ tcb: { fmc: 1 } })).rejects.toThrow('Milan has no FMC component')
    await expect(client.rollTcb({ tcb: { snp: 256 } })).rejects.toThrow(/400/)
    await release()
  })

  it('begin a fault plan; a failure of the firmware comes over as it was thrown', async () => {
    const { guest, release } = await client.launchGuest({})
    const request = encodeReportRequest({ reportData: new Uint8Array(64), vmpl: 0 })
    await client.setProcessorFaults({
      requests: [
        { at: 1, failure: 'firmware', status: 3 },
        { at: 2, failure: 'busy' },
      ],
    })
    await expect(guest.reportRequest(request)).rejects.toMatchObject({ failure: 'firmware', status: 3 })
    await expect(guest.reportRequest(request)).rejects.toMatchObject({ failure: 'busy' })
    expect(decodeReportResponse(await guest.reportRequest(request)).status).toBe(0)
    await expect(client.setProcessorFaults({ requests: [{ at: 0, failure: 'firmware' }] })).rejects.toThrow(/at/)
    await client.setProcessorFaults({})
    await release()
  })

  it('give out the journal, without a secret in it', async () => {
    const { tenantId, admin } = emulator.context.seed
    await emulator.dispatcher.dispatch(
      new Request(`https://login.microsoftonline.com/${tenantId}/oauth2/v2.0/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: admin.clientId,
          client_secret: admin.clientSecret,
          scope: 'https://vault.azure.net/.default',
        }),
      }),
      { door: 'process' },
    )
    const records = await client.journal()
    expect(records.at(-1)).toMatchObject({ service: 'entra', outcome: 'allowed' })
    expect(JSON.stringify(records)).not.toContain(admin.clientSecret)
  })

  it('show the clock and move it, all that hangs on it with it', async () => {
    const before = await client.clock()
    expect(before.offsetMs).toBe(0)
    const after = await client.advanceClock('P1D')
    expect(after.offsetMs).toBe(86_400_000)
    expect(Date.parse(after.time) - Date.parse(before.time)).toBeGreaterThanOrEqual(86_400_000)
    await expect(client.advanceClock('-1d')).rejects.toThrow(/advance is not a duration such as/)
    await expect(client.advanceClock('')).rejects.toThrow(/advance is not a duration such as/)
  })

  it('do not move it under a guest, unless they are told to', async () => {
    const { release } = await client.launchGuest({})
    await expect(client.advanceClock('1d')).rejects.toMatchObject({
      answer: { status: 409, message: expect.stringMatching(/^these run on the present time.*guest [0-9a-f]{8}/) },
    })
    await client.advanceClock('1d', { force: true })
    await release()
    await client.advanceClock('1d')
  })

  it('say what is wrong with a state that is to be imported, and change nothing', async () => {
    const state = await client.exportState()
    const folder = mkdtempSync(join(tmpdir(), 'skerry-import-'))
    const file = join(folder, 'state.json')
    writeFileSync(file, JSON.stringify({ ...state, version: 2 }))
    await expect(client.importState(file)).rejects.toMatchObject({
      answer: { status: 400, message: expect.stringMatching(/^\/version: wanted 1/) },
    })
    await expect(client.importState(join(folder, 'none'))).rejects.toMatchObject({ answer: { status: 400 } })
    const { collections } = await client.exportState()
    expect(collections).toEqual(state.collections)
    rmSync(folder, { recursive: true })
  })

  it('sign a person in at a device that shows a code', async () => {
    const { tenantId } = emulator.context.seed
    const ask = async (path: string, form: Record<string, string>) => {
      const url = `https://login.microsoftonline.com/${tenantId}/oauth2/v2.0/${path}`
      const request = new Request(url, { method: 'POST', body: new URLSearchParams(form) })
      return (await (await emulator.dispatcher.dispatch(request, { door: 'process' })).json()) as Record<string, string>
    }
    // The Azure CLI's own client id.
    const client_id = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'
    const device = await ask('devicecode', { client_id, scope: 'https://vault.azure.net/.default' })
    const poll = {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      client_id,
      device_code: device.device_code!,
    }
    await expect(client.answerDevice({ code: device.user_code! })).rejects.toThrow(/there is no user who could sign in/)
    ensureUser(emulator.context, { userPrincipalName: 'ada@skerry.example' })
    await expect(client.answerDevice({ code: 'WRONG' })).rejects.toThrow(/no device waits under this code/)
    expect(await ask('token', poll)).toMatchObject({ error: 'authorization_pending' })
    expect(await client.answerDevice({ code: device.user_code! })).toMatchObject({ user: 'ada@skerry.example' })
    expect(await ask('token', poll)).toMatchObject({ token_type: 'Bearer' })
    ensureUser(emulator.context, { userPrincipalName: 'bob@skerry.example' })
    const other = await ask('devicecode', { client_id, scope: 'https://vault.azure.net/.default' })
    await expect(client.answerDevice({ code: other.user_code! })).rejects.toThrow(
      /say who signs in \(--user\): ada@.*bob@/,
    )
    await client.answerDevice({ code: other.user_code!, decline: true })
    expect(await ask('token', { ...poll, device_code: other.device_code! })).toMatchObject({
      error: 'authorization_declined',
    })
  })

  it('say plainly when nobody is there', async () => {
    using nobody = connectInstance({ url: 'http://127.0.0.1:9', controlToken: 'x' })
    await expect(nobody.journal()).rejects.toThrow(/does not answer/)
  })

  it('let a guest be released that is gone with its instance', async () => {
    const brief = await createEmulator({ cacheDir: TEST_CACHE_DIRECTORY })
    const { url: address } = await brief.listen()
    using other = connectInstance({ url: address, controlToken: brief.credential.controlToken })
    const { guest, release } = await other.launchGuest({})
    await brief.close()
    await expect(guest.certificateTable()).rejects.toThrow(/does not answer/)
    await release()
  })

  it('name the hosts that the instance stands for', async () => {
    expect(await client.hostNames()).toContain('login.microsoftonline.com')
  })

  it('refuse another instance’s token', async () => {
    using stranger = connectInstance({ url, controlToken: 'x' })
    await expect(stranger.journal()).rejects.toThrow(/401/)
  })
})

describe('finding a running instance', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-instance-'))
  const runtime = join(folder, 'run')
  afterAll(() => rmSync(folder, { recursive: true }))
  const info = (name: string, pid = process.pid) => ({ pid, data: join(folder, name) }) as InstanceInfo

  it('is possible by its data directory, or when it is the only one, until it ends', async () => {
    expect(() => findInstance(undefined, runtime)).toThrow(/skerry up/)
    const word = await announce(info('a'), runtime)
    expect(statSync(join(folder, 'a', 'instance.json')).mode & 0o777).toBe(0o600)
    expect(findInstance(undefined, runtime)).toMatchObject(info('a'))
    expect(findInstance(join(folder, 'a'), runtime)).toMatchObject(info('a'))
    word[Symbol.dispose]()
    expect(() => findInstance(join(folder, 'a'), runtime)).toThrow(/--data/)
  })

  it('asks which one when several run', async () => {
    using _a = await announce(info('a'), runtime)
    using _b = await announce(info('b', process.ppid), runtime)
    expect(runningInstances(runtime)).toHaveLength(2)
    expect(() => findInstance(undefined, runtime)).toThrow(InstanceNotFoundError)
    expect(() => findInstance(undefined, runtime)).toThrow(/say which one/)
  })

  it('passes over what a killed one left', async () => {
    // No process has this id: it is beyond what Linux gives out (proc(5), pid_max).
    using _dead = await announce(info('dead', 4_194_305), runtime)
    expect(runningInstances(runtime)).toEqual([])
    using _next = await announce(info('next'), runtime)
    expect(readdirSync(runtime).filter((name) => name.includes('4194305'))).toEqual([])
  })

  it('passes over one whose process id another process has now', async () => {
    using _word = await announce(info('a'), runtime)
    const file = join(folder, 'a', 'instance.json')
    const word = JSON.parse(readFileSync(file, 'utf8')) as InstanceInfo
    writeFileSync(file, JSON.stringify({ ...word, processStart: '1' }))
    expect(() => findInstance(join(folder, 'a'), runtime)).toThrow(NoInstanceError)
  })
})

describe('the folder of an instance whose state is in memory', () => {
  it('is private, and gone with the instance', () => {
    const runtime = join(mkdtempSync(join(tmpdir(), 'skerry-runtime-')), 'run')
    const folder = makeRuntimeFolder(runtime)
    expect(statSync(folder.path).mode & 0o777).toBe(0o700)
    expect(statSync(runtime).mode & 0o777).toBe(0o700)
    writeFileSync(join(folder.path, 'journal.jsonl'), '')
    folder[Symbol.dispose]()
    expect(readdirSync(runtime)).toEqual([])
    rmSync(join(runtime, '..'), { recursive: true })
  })
})
