import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Sidecar, startSidecar, trustStoreOf } from '@skerry/guest'
import { encodeBase64 } from '@skerry/guest/wire'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TEST_CACHE_DIRECTORY } from '../../emulator/src/core/test-context.ts'
import { createEmulator, type Emulator, manualClock, systemClock } from '../../emulator/src/index.ts'
import { deviceOf, POLICY } from '../bench/release.ts'

/*
 * An hour of a sidecar's life in virtual time. Each minute its clients ask for everything once; by plan the host's
 * certificates fall due, fail, and expire, the firmware is updated, the attestation service fails and renews its keys, the
 * guest's identity and the vault fail, the guest's clock leaves the validity of the vault's certificate, and somebody
 * answers with an old release and with that of another key. It is never started again.
 */

const MAA = 'sharedweu.weu.attest.azure.net'
const VAULT = 'hour.vault.azure.net'
const IMDS = '169.254.169.254'
const MINUTE = 60_000
const YEAR = 365 * 24 * 60 * MINUTE
/** For how long the host says that its certificates serve, in place of the day that Azure says. */
const CERTIFICATES_LAST = 10 * MINUTE

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

type Answers = Readonly<Record<'raw' | 'combined' | 'maa' | 'release' | 'closed', { status: number; body: Body }>>
type Body = Readonly<Record<string, string>>

let emulator: Emulator
let sidecar: Sidecar
const clock = manualClock(systemClock().now())
const lines: string[] = []
/** What is between the guest and Azure, by host name: answers in the place of the service. */
const between = new Map<string, (request: Request) => Promise<Response> | Response | undefined>()
const said: string[] = []
/** Minutes in which THIM was asked. */
const thimAsked: number[] = []
/** Of the sidecar's own, under way. */
let waits = 0
let requests = 0
let skew = 0
let minute = -1
let recorded = ''

const fetchThroughFaults = async (input: string, init?: RequestInit) => {
  requests += 1
  try {
    return await answerThroughFaults(input, init)
  } finally {
    requests -= 1
  }
}

async function answerThroughFaults(input: string, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init)
  if (input.includes('/THIM/')) thimAsked.push(minute)
  const instead = await between.get(new URL(input).hostname)?.(request.clone())
  if (instead !== undefined) return instead
  const answer = await emulator.dispatcher.dispatch(request, { door: 'process' })
  if (input.includes('/keys/open/release?') && answer.ok) recorded = await answer.clone().text()
  if (!input.includes('/THIM/') || !answer.ok) return answer
  return Response.json({ ...((await answer.json()) as object), cacheControl: String(CERTIFICATES_LAST / 1000) })
}

beforeAll(async () => {
  const hostData = createHash('sha256').update(POLICY).digest('hex')
  const policyFor = (equals: string) => ({
    version: '1.0.0',
    anyOf: [{ authority: `https://${MAA}`, allOf: [{ claim: 'x-ms-sevsnpvm-hostdata', equals }] }],
  })
  const key = (name: string, equals: string) =>
    ({
      name,
      vault: 'hour',
      kty: 'RSA-HSM',
      keySize: 2048,
      exportable: true,
      releasePolicy: policyFor(equals),
    }) as const
  emulator = await createEmulator({
    clock,
    cacheDir: TEST_CACHE_DIRECTORY,
    settings: { attestation: { signingKeyLifetime: 'PT20M' } },
    seedDocument: {
      managedIdentities: [{ name: 'hour', resourceGroup: 'hour' }],
      vaults: [{ name: 'hour', resourceGroup: 'hour' }],
      roleAssignments: [{ principal: 'hour', role: 'Key Vault Crypto Service Release User', scope: 'vaults/hour' }],
      keys: [key('open', hostData), key('other', hostData), key('closed', '00'.repeat(32))],
    },
  })
  sidecar = await startSidecar({
    port: 0,
    device: deviceOf(emulator),
    securityContext: {
      source: 'an hour',
      certification: { ...(await emulator.psp.thim()), cacheControl: String(CERTIFICATES_LAST / 1000) },
      referenceInfoBase64: encodeBase64(await emulator.psp.uvm.endorsement()),
    },
    credential: { getToken: async (scope) => ({ token: await identityToken(scope.replace('/.default', '')) }) },
    trust: trustStoreOf([emulator.context.authority.rootPem]),
    fetch: fetchThroughFaults,
    clock: {
      now: () => clock.now() + skew,
      sleep: async (ms, signal) => {
        signal?.throwIfAborted()
        waits += 1
        await clock.advance(ms)
        waits -= 1
      },
    },
    logLevel: 'trace',
    write: (line) => lines.push(line),
  })
})
afterAll(async () => {
  await sidecar?.stop()
  await emulator?.[Symbol.asyncDispose]()
})

async function identityToken(resource: string): Promise<string> {
  const url = `http://${IMDS}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${resource}`
  const answer = await fetchThroughFaults(url, { headers: { Metadata: 'true' } })
  if (!answer.ok) throw new Error(`IMDS answered ${answer.status}`)
  return ((await answer.json()) as { access_token: string }).access_token
}

async function ask(path: string, body: object): Promise<{ status: number; body: Body }> {
  const answer = await fetch(`http://localhost:${sidecar.port}${path}`, { method: 'POST', body: JSON.stringify(body) })
  const text = await answer.text()
  said.push(text)
  return { status: answer.status, body: JSON.parse(text) as Body }
}

async function askForEverything(): Promise<Answers> {
  const runtime_data = Buffer.from('{}').toString('base64')
  const release = (kid: string) => ask('/key/release', { maa_endpoint: MAA, akv_endpoint: VAULT, kid })
  const [raw, combined, maa, open, closed] = [
    await ask('/attest/raw', { runtime_data }),
    await ask('/attest/combined', { runtime_data }),
    await ask('/attest/maa', { maa_endpoint: MAA, runtime_data }),
    await release('open'),
    await release('closed'),
  ]
  return { raw, combined, maa, release: open, closed }
}

interface Event {
  readonly begin: () => void
  readonly end: () => void
  /** From this minute on, and until before that one. */
  readonly from: number
  readonly until: number
  readonly combined: 200 | 500
  readonly maa: 200 | 403
  /** Why the release that is meant to succeed does not; absent when it does. */
  readonly reason?: RegExp
}

const thimFails = { thim: { at: 1, count: 1_000_000, status: 503 } } as const
const PLAN: readonly Event[] = [
  {
    from: 5,
    until: 10,
    begin: () => {
      emulator.psp.rollTcb()
      emulator.psp.setFaults(thimFails)
    },
    end: () => emulator.psp.setFaults({}),
    combined: 500,
    maa: 403,
    reason: /503/,
  },
  {
    from: 15,
    until: 18,
    begin: () => void between.set(MAA, () => new Response('{"error":{"code":"Busy"}}', { status: 503 })),
    end: () => void between.delete(MAA),
    combined: 200,
    maa: 403,
    reason: /MAA .*503/,
  },
  {
    from: 18,
    until: 20,
    begin: () => void between.set(MAA, () => new Response('<html>', { headers: { 'content-type': 'text/html' } })),
    end: () => void between.delete(MAA),
    combined: 200,
    maa: 403,
    reason: /MAA .*not JSON/,
  },
  {
    // What is due is not renewed, and serves on.
    from: 20,
    until: 24,
    begin: () => emulator.psp.setFaults(thimFails),
    end: () => emulator.psp.setFaults({}),
    combined: 200,
    maa: 200,
  },
  {
    // Past the end of each certificate: the chip's, which the attestation service judges, and the vault's, which this does.
    from: 25,
    until: 30,
    begin: () => {
      skew = 8 * YEAR
    },
    end: () => {
      skew = 0
    },
    combined: 200,
    maa: 200,
    reason: /certificate/,
  },
  {
    from: 30,
    until: 33,
    begin: () =>
      void between.set(IMDS, ({ url }) =>
        url.includes('/identity/') ? new Response(null, { status: 500 }) : undefined,
      ),
    end: () => void between.delete(IMDS),
    combined: 200,
    maa: 200,
    reason: /IMDS|token/,
  },
  {
    from: 34,
    until: 37,
    begin: () => {
      const old = recorded
      between.set(VAULT, () => new Response(old, { headers: { 'content-type': 'application/json' } }))
    },
    end: () => void between.delete(VAULT),
    combined: 200,
    maa: 200,
    reason: /does not belong to this request/,
  },
  {
    // Released to this guest, for this request, and not the key that was asked for.
    from: 38,
    until: 40,
    begin: () =>
      void between.set(VAULT, async (request) => {
        const url = request.url.replace('/keys/open/', '/keys/other/')
        if (url === request.url) return await emulator.dispatcher.dispatch(request, { door: 'process' })
        const { method, headers } = request
        const instead = new Request(url, { method, headers, body: await request.text() })
        return await emulator.dispatcher.dispatch(instead, { door: 'process' })
      }),
    end: () => void between.delete(VAULT),
    combined: 200,
    maa: 200,
    reason: /does not belong to this request/,
  },
  {
    from: 42,
    until: 44,
    begin: () =>
      void between.set(
        VAULT,
        () => new Response('{"error":{"code":"Throttled","message":"slow down"}}', { status: 429 }),
      ),
    end: () => void between.delete(VAULT),
    combined: 200,
    maa: 200,
    reason: /429 Throttled/,
  },
  {
    from: 45,
    until: 50,
    begin: () => void emulator.psp.rollTcb(undefined, { certificates: 'missing' }),
    end: () => void emulator.psp.rollTcb(undefined, { certificates: 'fresh' }),
    combined: 500,
    maa: 403,
    reason: /TCB|certificate/i,
  },
]

describe('an hour of a sidecar', () => {
  it('releases what it may and nothing else, recovers from each failure by itself, and leaks nothing', async () => {
    const keys = new Set<string>()
    const before = await warm()
    for (minute = 0; minute < 60; minute += 1) {
      for (const event of PLAN) if (event.until === minute) event.end()
      for (const event of PLAN) if (event.from === minute) event.begin()
      const event = PLAN.find(({ from, until }) => from <= minute && minute < until)
      const { raw, combined, maa, release, closed } = await askForEverything()
      const seen = { minute, raw: raw.status, combined: combined.status, maa: maa.status, release: release.status }
      const expected = { minute, raw: 200, combined: event?.combined ?? 200, maa: event?.maa ?? 200 }
      expect(seen).toEqual({ ...expected, release: event?.reason === undefined ? 200 : 403 })
      if (event?.reason !== undefined) expect(release.body).toEqual({ error: expect.stringMatching(event.reason) })
      else keys.add(release.body.key!)
      expect([closed.status, Object.keys(closed.body)]).toEqual([403, ['error']])
      await quiet()
      await clock.advance(MINUTE)
    }

    // One key, the same each time.
    expect(keys.size).toBe(1)
    const { d, p } = JSON.parse([...keys][0]!) as Record<string, string>
    const after = await warm()
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 2)
    expect(after.timers).toBeLessThanOrEqual(before.timers)
    expect([waits, requests]).toEqual([0, 0])
    // Most of it is the emulator's: what it has recorded.
    expect(after.heap - before.heap).toBeLessThan(24 * 1024 * 1024)
    // When they are due, when the firmware is newer, once a minute while they are due and not to be had or have expired,
    // and when the clock is put right.
    const minutesOf = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)
    const asked = [minutesOf(5, 10), minutesOf(20, 30), [40], minutesOf(45, 50), [60]].flat()
    expect([...new Set(thimAsked)]).toEqual(asked)
    expect(minutesOf(20, 30).map((at) => thimAsked.filter((other) => other === at).length)).toEqual([
      ...[4, 4, 4, 4],
      ...[1, 1, 1, 1, 1, 1, 1],
    ])
    const errors = said.filter((text) => text.startsWith('{"error"')).join()
    for (const secret of [d!, p!, 'eyJ']) expect(lines.join('\n') + errors).not.toContain(secret)
  }, 180_000)
})

/** Once the sidecar has nothing under way: what is due is renewed behind its answers. */
async function quiet(): Promise<void> {
  for (let still = 0; still < 3; still = waits + requests > 0 ? 0 : still + 1) await new Promise(setImmediate)
}

/** What is held once everything of a request is let go. */
async function warm() {
  await askForEverything()
  await quiet()
  collectGarbage()
  const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  return { descriptors: readdirSync('/proc/self/fd').length, timers, heap: process.memoryUsage().heapUsed }
}
