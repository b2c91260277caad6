import { createHash, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, credentials, Client as GrpcClient, loadPackageDefinition, type ServiceError } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { getResponse, type RequestHandler } from 'msw'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { SnpDeviceError } from '../../device/index.ts'
import { trustStoreOf } from '../../skr/trust-store.ts'
import { createWrappingKeys } from '../../skr/wrapping-key.ts'
import { azure, MAA_HOST } from '../../testing/azure.ts'
import { certificationOf, deviceWith, TCB } from '../../testing/chip.ts'
import { stillClock } from '../../testing/clock.ts'
import { root, VAULT_HOST } from '../../testing/vault.ts'
import { type Sidecar, type StartSidecarOptions, startSidecar } from '../start.ts'
import { PROTO_FILE } from './serve.ts'

/** Every call of the service by a client made from the `.proto`, over a real connection. */
interface Calls {
  [method: string]: (
    message: object,
    answer: (error: ServiceError | null, reply: Record<string, unknown>) => void,
  ) => void
}
type Constructor = new (address: string, security: ReturnType<typeof credentials.createInsecure>) => Client & Calls

/** Azure, asked without a socket: the connection under test is the only one. */
let azureHandlers: readonly RequestHandler[] = []
const fetch = async (input: string, init?: RequestInit) =>
  (await getResponse([...azureHandlers], new Request(input, init))) ?? Promise.reject(new TypeError('no such host'))

const folder = mkdtempSync(join(tmpdir(), 'skerry-grpc-'))
const keys = generateKeyPairSync('rsa', { modulusLength: 3072 })
const keyPath = join(folder, 'k')
const certification = certificationOf(TCB)
const lines: string[] = []
const closing: (() => Promise<void> | void)[] = []

beforeAll(() => {
  writeFileSync(join(folder, 'pub.pem'), keys.publicKey.export({ type: 'spki', format: 'pem' }))
  const info = { public_key_path: join(folder, 'pub.pem'), kms_endpoint: VAULT_HOST, attester_endpoint: MAA_HOST }
  writeFileSync(`${keyPath}-info.json`, JSON.stringify(info))
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  azureHandlers = []
})
afterAll(() => rmSync(folder, { recursive: true }))

/** One for all: most of a start is the making of these. */
const wrappingKeys = createWrappingKeys({ size: 1, parallel: 1 })

async function start(options: Partial<StartSidecarOptions> = {}): Promise<Sidecar> {
  lines.length = 0
  const sidecar = await startSidecar({
    serverType: 'grpc',
    logLevel: 'debug',
    port: 0,
    device: deviceWith(TCB),
    securityContext: { source: 'a test', certification, referenceInfoBase64: 'AQID' },
    wrappingKeys,
    credential: { getToken: async () => ({ token: 'identity-token' }) },
    trust: trustStoreOf([root.pem]),
    fetch,
    clock: stillClock(),
    write: (line) => lines.push(line),
    ...options,
  })
  closing.push(sidecar.stop)
  return sidecar
}

async function connect(options: Partial<StartSidecarOptions> = {}) {
  const { port } = await start(options)
  const definition = loadPackageDefinition(loadSync(PROTO_FILE, { keepCase: true, defaults: true }))
  const { KeyProviderService } = definition.key_provider as unknown as { KeyProviderService: Constructor }
  const client = new KeyProviderService(`localhost:${port}`, credentials.createInsecure())
  closing.push(() => client.close())
  const call = (method: string, message: object) =>
    new Promise<Record<string, unknown>>((done, fail) => {
      client[method]!(message, (error, reply) => (error ? fail(error) : done(reply)))
    })
  const exchange = async (method: string, input: unknown) => {
    const sent = { key_provider_key_wrap_protocol_input: Buffer.from(JSON.stringify(input)) }
    const { key_provider_key_wrap_protocol_output: output } = await call(method, sent)
    return JSON.parse(String(output)) as Record<string, Record<string, string | null>>
  }
  return { call, exchange, port }
}

const base64 = (text: string) => Buffer.from(text).toString('base64')
const parameters = (agent: string) => ({ Parameters: { 'attestation-agent': [base64(agent)] } })
const toWrap = (secret: string, path = keyPath) => ({
  op: 'keywrap',
  keywrapparams: { ec: parameters(`skr:${path}`), optsdata: base64(secret) },
})
const toUnwrap = (annotation: string) => ({ op: 'keyunwrap', keyunwrapparams: { dc: parameters('skr'), annotation } })
const pkcs8 = keys.privateKey.export({ type: 'pkcs8', format: 'der' })

function vaultWithKey(plaintext: Buffer = pkcs8, key: object = { kty: 'RSA' }) {
  const { handlers, seen } = azure({ plaintext, key })
  azureHandlers = handlers
  return seen
}

describe('the key provider', () => {
  it('says hello', async () => {
    const { call } = await connect()
    expect(await call('SayHello', { name: 'this is a test!' })).toEqual({ message: 'Hello this is a test!' })
  })

  it('gives a report over the SHA-256 of the text it was sent, which it does not decode', async () => {
    const { call } = await connect()
    const { report_hex_string: hex } = await call('GetReport', { report_data_hex_string: '00ff' })
    const report = Buffer.from(String(hex), 'hex')
    expect(report).toHaveLength(1184)
    expect(report.subarray(0x50, 0x90)).toEqual(
      Buffer.concat([createHash('sha256').update('00ff').digest(), Buffer.alloc(32)]),
    )
  })

  it('gives report, certificates, TCB and endorsement at once', async () => {
    const { call } = await connect()
    const data = await call('GetAttestationData', { b64_runtime_data_string: base64('data') })
    expect(data).toMatchObject({ endorsed_tcb: certification.tcbm, uvm_reference_info: 'AQID' })
    expect(Buffer.from(String(data.certs), 'base64').toString()).toBe(
      certification.vcekCert + certification.certificateChain,
    )
    expect(Buffer.from(String(data.attestation_report), 'base64').subarray(0x50, 0x70)).toEqual(
      createHash('sha256').update('data').digest(),
    )
  })

  it('wraps for a key whose public half is a file, and unwraps with the one that the vault releases', async () => {
    const seen = vaultWithKey()
    const { exchange } = await connect()
    const wrapped = await exchange('WrapKey', toWrap('a layer key'))
    expect(wrapped.keyunwrapresults).toEqual({ optsdata: null })
    const annotation = wrapped.keywrapresults!.annotation!
    expect(JSON.parse(Buffer.from(annotation, 'base64').toString())).toEqual({
      kid: 'k',
      wrapped_data: expect.any(String),
      wrap_type: 'rsa_3072',
      kms_endpoint: VAULT_HOST,
      attester_endpoint: MAA_HOST,
    })
    expect(await exchange('UnWrapKey', toUnwrap(annotation))).toEqual({
      keywrapresults: { annotation: null },
      keyunwrapresults: { optsdata: base64('a layer key') },
    })
    expect(seen.vault.at(-1)).toMatchObject({ authorization: 'Bearer identity-token', kid: '/keys/k/release' })
    expect(lines.join('\n')).toContain('Releasing key blob: {k}')
    expect(lines.join('\n')).not.toContain(base64('a layer key'))
  })

  it('answers ocicrypt, whose package has another name, to wrap and to unwrap', async () => {
    vaultWithKey()
    const { port } = await connect()
    const client = new GrpcClient(`localhost:${port}`, credentials.createInsecure())
    closing.push(() => client.close())
    const same = (bytes: Buffer) => bytes
    // Both messages have one field, number 1, of bytes: tag, length of two bytes, content.
    const call = (method: string, input: object) =>
      new Promise<Record<string, Record<string, string>>>((done, fail) => {
        const json = Buffer.from(JSON.stringify(input))
        const message = Buffer.concat([Buffer.from([0x0a, (json.length & 0x7f) | 0x80, json.length >> 7]), json])
        const path = `/keyprovider.KeyProviderService/${method}`
        client.makeUnaryRequest(path, same, same, message, (error, reply) =>
          error ? fail(error) : done(JSON.parse(reply!.subarray(reply!.indexOf('{')).toString())),
        )
      })
    const { keywrapresults } = await call('WrapKey', toWrap('a layer key'))
    const { keyunwrapresults } = await call('UnWrapKey', toUnwrap(keywrapresults!.annotation!))
    expect(keyunwrapresults!.optsdata).toBe(base64('a layer key'))
  })

  it('makes a new ciphertext each time', async () => {
    const { exchange } = await connect()
    const [one, two] = await Promise.all([exchange('WrapKey', toWrap('x')), exchange('WrapKey', toWrap('x'))])
    expect(one!.keywrapresults!.annotation).not.toBe(two!.keywrapresults!.annotation)
  })
})

describe('an error of the key provider', () => {
  it.each([
    ['GetReport', {}, 9, 'SEV guest driver is missing'],
    ['GetAttestationData', {}, 9, 'SEV guest driver is missing'],
    ['GetAttestationData', { b64_runtime_data_string: '!' }, 9, 'decoding base64-encoded runtime data'],
  ])('%s of %j without a device is %i', async (method, message, code, words) => {
    const { call } = await connect()
    const missing = new SnpDeviceError('ERR_SNP_DEVICE_MISSING', 'there is no /dev/sev-guest')
    const { call: without } = await connect({
      device: { getReport: () => Promise.reject(missing), close: () => undefined },
    })
    await expect(without(method, message)).rejects.toMatchObject({ code, details: expect.stringContaining(words) })
    if (words.startsWith('SEV')) await expect(call(method, message)).resolves.toBeDefined()
  })

  it('of the processor is internal', async () => {
    const failing = new SnpDeviceError('ERR_SNP_FIRMWARE', 'the firmware says 0x16')
    const { call } = await connect({ device: { getReport: () => Promise.reject(failing), close: () => undefined } })
    await expect(call('GetReport', {})).rejects.toMatchObject({
      code: 13,
      details: 'failed to retrieve attestation report: the firmware says 0x16',
    })
  })

  it.each([
    ['bad.json', '{', 'invalid RSA key info file'],
    ['nowhere', { public_key_path: '/nowhere.pem' }, 'failed to read public key file /nowhere.pem: ENOENT'],
    ['text', { public_key_path: import.meta.filename }, 'invalid public key in'],
    ['none', undefined, 'failed to read key info file'],
  ])('in the files of a key to wrap for (%s) is internal and names the file', async (name, info, words) => {
    const path = join(folder, name)
    if (info !== undefined) writeFileSync(`${path}-info.json`, typeof info === 'string' ? info : JSON.stringify(info))
    const { exchange } = await connect()
    await expect(exchange('WrapKey', toWrap('x', path))).rejects.toMatchObject({
      code: 13,
      details: expect.stringContaining(words),
    })
  })

  it('says how much a key can wrap, and not what was to be wrapped', async () => {
    const { exchange } = await connect()
    await expect(exchange('WrapKey', toWrap('s'.repeat(400)))).rejects.toMatchObject({
      code: 13,
      details: 'failed to encrypt with the public key: it takes 318 bytes, not 400',
    })
  })

  it.each([
    ['WrapKey', {}],
    ['UnWrapKey', {}],
  ])('in what %s was sent is an invalid argument', async (method, input) => {
    const { exchange } = await connect()
    await expect(exchange(method, input)).rejects.toMatchObject({ code: 3 })
  })

  it.each([
    ['of another kind', Buffer.alloc(32, 1), { kty: 'oct' }, 'Released key is not a RSA private key'],
    [
      'that it was not wrapped for',
      generateKeyPairSync('rsa', { modulusLength: 3072 }).privateKey.export({ type: 'pkcs8', format: 'der' }),
      { kty: 'RSA' },
      'Unwrapping failed',
    ],
  ])('over a released key %s is unknown', async (_, plaintext, key, words) => {
    vaultWithKey(plaintext, key)
    const { exchange } = await connect()
    const { keywrapresults } = await exchange('WrapKey', toWrap('x'))
    await expect(exchange('UnWrapKey', toUnwrap(keywrapresults!.annotation!))).rejects.toMatchObject({
      code: 2,
      details: expect.stringContaining(words),
    })
  })

  it('of a release is unknown and has its reason', async () => {
    const { exchange } = await connect({ device: deviceWith({ ...TCB, microcode: 1 }) })
    vaultWithKey()
    const { keywrapresults } = await exchange('WrapKey', toWrap('x'))
    await expect(exchange('UnWrapKey', toUnwrap(keywrapresults!.annotation!))).rejects.toMatchObject({
      code: 2,
      details: expect.stringMatching(/^SKR failed: report and certificates do not belong together/),
    })
  })
})

describe('a gRPC sidecar', () => {
  it('says that its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    closing.push(() => void other.close())
    const { port } = other.address() as import('node:net').AddressInfo
    await expect(start({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })
})
