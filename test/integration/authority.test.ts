import { type ChildProcess, spawn } from 'node:child_process'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { CompactSign } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  directoryKeyCache,
  type JournalRecord,
  memoryFiles,
  openAuthority,
  systemRandom,
} from '../../emulator/src/core/index.ts'
import { TEST_CACHE_HOME } from '../../emulator/src/core/test-context.ts'
import { openRelease, unwrapByNode } from '../support/released-key.ts'
import { temporaryFolder } from '../support/skerry.ts'

/*
 * An attestation service beside the emulator, as Microsoft's SDKs bring one along for their live tests of key release: on
 * loopback, under a certificate of its own, its metadata nothing but `jwks_uri`, its keys without certificates. Emulator
 * and client are processes of their own; the client is Microsoft's.
 */

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), 'authority')
const VAULT = 'https://skerry.vault.azure.net'
const MANAGED_HSM = 'https://skerry.managedhsm.azure.net'

const signing = generateKeyPairSync('rsa', { modulusLength: 2048 })
const wrapping = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwkOf = (key: typeof signing.publicKey, kid: string) => ({ ...key.export({ format: 'jwk' }), kid })

const folder = temporaryFolder()
const servers: Server[] = []
let emulator: ChildProcess
let environment: NodeJS.ProcessEnv
/** `https://localhost:…`, allowed. */
let secure: string
/** On plain http, all allowed but one; and one that is allowed, under a certificate that nobody trusts. */
const plain: Record<
  'allowed' | 'unlisted' | 'redirecting' | 'huge' | 'nonsense' | 'leadingAway' | 'untrusted',
  string
> = {
  allowed: '',
  unlisted: '',
  redirecting: '',
  huge: '',
  nonsense: '',
  leadingAway: '',
  untrusted: '',
}

async function listen(server: Server, answer: (origin: string) => RequestListener): Promise<string> {
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  const origin = 'setSecureContext' in server ? `https://localhost:${port}` : `http://127.0.0.1:${port}`
  server.on('request', answer(origin))
  return origin
}

const asMicrosofts =
  (origin: string, keysAt = origin): RequestListener =>
  (request, response) => {
    const metadata = request.url === '/.well-known/openid-configuration'
    const body = metadata ? { jwks_uri: `${keysAt}/keys` } : { keys: [jwkOf(signing.publicKey, 'sdk-key')] }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  }

beforeAll(async () => {
  const keys = directoryKeyCache(join(TEST_CACHE_HOME, 'keys'))
  const certify = (label: string) =>
    openAuthority({ files: memoryFiles(), keys, random: systemRandom(), now: Date.now, label })
  const authority = await certify('an attestation service')
  const stranger = await certify('somebody else')
  plain.untrusted = await listen(createHttpsServer(await stranger.tlsFor('localhost')), asMicrosofts)
  secure = await listen(createHttpsServer(await authority.tlsFor('localhost')), asMicrosofts)
  const http = (answer: (origin: string) => RequestListener) => listen(createHttpServer(), answer)
  plain.allowed = await http(asMicrosofts)
  plain.unlisted = await http(asMicrosofts)
  plain.leadingAway = await http((origin) => asMicrosofts(origin, plain.unlisted))
  plain.nonsense = await http(() => (_, response) => void response.end('<!doctype html>'))
  plain.huge = await http(() => (_, response) => void response.end(`{"jwks_uri":"${'x'.repeat(2_000_000)}"}`))
  plain.redirecting = await http(() => ({ url }, response) => {
    response.writeHead(307, { location: `${plain.allowed}${url}` }).end()
  })

  const { unlisted: _, ...listed } = plain
  const ca = join(folder.path, 'authority-ca.pem')
  writeFileSync(ca, authority.rootPem)
  const child = spawn(
    process.execPath,
    [join(FOLDER, 'emulator.mjs'), JSON.stringify([secure, ...Object.values(listed)]), join(folder.path, 'data')],
    { stdio: ['pipe', 'pipe', 'inherit'], env: { ...home, NODE_EXTRA_CA_CERTS: ca } },
  )
  emulator = child
  const line = await new Promise<string>((found, failed) => {
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
      if (output.includes('\n')) found(output)
    })
    child.once('exit', () => failed(new Error('the emulator ended')))
  })
  environment = JSON.parse(line)
})

afterAll(async () => {
  if (emulator !== undefined) {
    const ended = new Promise((done) => emulator.once('exit', done))
    emulator.stdin?.end()
    await ended
  }
  for (const server of servers) server.close().closeAllConnections()
  folder[Symbol.dispose]()
})

const home = { PATH: process.env.PATH, HOME: folder.path, XDG_CACHE_HOME: TEST_CACHE_HOME }

interface Case {
  readonly vault: string
  readonly name: string
  readonly authority: string
  readonly token: string
}

interface Outcome {
  readonly status: number
  readonly code?: string
  readonly message?: string
  readonly value?: string
}

async function runClient(cases: readonly Case[]): Promise<Outcome[]> {
  const child = spawn(process.execPath, [join(FOLDER, 'client.mjs')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...home, ...environment },
  })
  child.stdin.end(JSON.stringify(cases))
  return JSON.parse(await text(child.stdout))
}

const seconds = Math.floor(Date.now() / 1000)
const token = (iss: string, claims: object = {}, key = signing.privateKey) =>
  new CompactSign(
    Buffer.from(
      JSON.stringify({
        iss,
        'sdk-test': true,
        'x-ms-inittime': {},
        'x-ms-runtime': { keys: [{ ...jwkOf(wrapping.publicKey, 'guest'), use: 'enc' }] },
        iat: seconds,
        exp: seconds + 3600,
        ...claims,
      }),
    ),
  )
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: 'sdk-key', jku: 'https://elsewhere.example/keys' })
    .sign(key)

const refusalOf = (name: string) =>
  readFileSync(join(folder.path, 'data', 'journal.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as JournalRecord)
    .find(({ operation, subject }) => operation === 'release' && subject?.includes(`/keys/${name}/`))

describe('an attestation service that the emulator was told of', () => {
  it('is believed by vault and managed HSM, over TLS and on plain loopback, with a final slash or without', async () => {
    const cases: Case[] = []
    for (const vault of [VAULT, MANAGED_HSM]) {
      for (const origin of [secure, plain.allowed]) {
        for (const slash of ['', '/']) {
          const name = `believed-${cases.length}`
          cases.push({ vault, name, authority: `${origin}${slash}`, token: await token(`${origin}${slash}`) })
        }
      }
    }
    for (const { status, value, message } of await runClient(cases)) {
      expect(status, message).toBe(200)
      const release = await openRelease(value!)
      const der = unwrapByNode(release, wrapping.privateKey)
      const { n } = createPublicKey({ key: der, format: 'der', type: 'pkcs8' } as never).export({ format: 'jwk' })
      expect(release.payload.response.key.key.n).toBe(n)
    }
  })

  it('is not believed for what it did not sign, or not for now, or for a claim that is not wanted', async () => {
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const named = (name: string, made: string): Case => ({ vault: VAULT, name, authority: secure, token: made })
    const outcomes = await runClient([
      named('forged', await token(secure, {}, stranger)),
      named('expired', await token(secure, { exp: seconds - 1 })),
      named('unwanted', await token(secure, { 'sdk-test': false })),
      named('another-authority', await token(plain.allowed)),
    ])
    const unverified = 'Target environment attestation statement cannot be verified.'
    const unmet = 'Target environment attestation does not meet key release policy requirements'
    expect(outcomes.map(({ status, message }) => [status, message])).toEqual([
      [403, unverified],
      [403, unverified],
      [403, unmet],
      [403, unmet],
    ])
    for (const [name, reason] of Object.entries({
      forged: 'token.signature',
      expired: 'token.exp',
      unwanted: 'sdk-test',
      'another-authority': 'iss',
    })) {
      expect(
        refusalOf(name)
          ?.conditions?.filter(({ met }) => !met)
          .map((condition) => condition.name),
      ).toEqual([reason])
    }
  })
})

describe('an attestation service is not believed', () => {
  it.each<[name: string, origin: keyof typeof plain, found: string]>([
    ['that nobody allowed', 'unlisted', 'is not emulated here, and was not allowed'],
    ['that sends the vault elsewhere', 'redirecting', 'could not be asked: .*redirect'],
    ['whose keys are where nobody allowed', 'leadingAway', 'is not emulated here, and was not allowed'],
    ['that says too much', 'huge', 'could not be read: it is longer than 1048576 bytes'],
    ['under a certificate that nobody trusts', 'untrusted', 'could not be asked: .*CERT'],
    ['that speaks no JSON', 'nonsense', 'answered no JSON object'],
  ])('%s: the answer is terse, the journal is not', async (_, which, found) => {
    const origin = plain[which]
    const name = `refused-${which}`
    const [outcome] = await runClient([{ vault: VAULT, name, authority: origin, token: await token(origin) }])
    expect(outcome).toEqual({
      status: 403,
      code: 'Forbidden',
      message: 'Target environment attestation statement cannot be verified.',
    })
    const unmet = refusalOf(name)?.conditions?.filter(({ met }) => !met)
    expect(unmet).toMatchObject([{ name: 'token.iss keys', found: expect.stringMatching(found) }])
    expect(unmet?.[0]?.hint).toMatch(/--authority|NODE_EXTRA_CA_CERTS|openid-configuration/)
  })
})
