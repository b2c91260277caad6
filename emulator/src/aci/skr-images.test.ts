import { type ChildProcess, spawn } from 'node:child_process'
import { createCipheriv, createHash, generateKeyPairSync, publicEncrypt, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, it } from 'vitest'
import { defaultImages } from './index.ts'

/** What a test's sidecar answers: by path, from the request's body. */
type Answers = Record<string, (body: Record<string, string>) => { status: number; body: unknown }>

const children: ChildProcess[] = []
const servers: Server[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const server of servers.splice(0)) server.close()
})

async function sidecar(answers: Answers): Promise<{ port: number; requests: string[] }> {
  const requests: string[] = []
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const text = Buffer.concat(parts).toString()
    if (request.url !== '/status') requests.push(text)
    const answer = answers[request.url ?? '']?.(JSON.parse(text || '{}') as Record<string, string>) ?? {
      status: 200,
      body: {},
    }
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body))
  })
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  servers.push(server)
  return { port: (server.address() as AddressInfo).port, requests }
}

/** Runs the program of the image and gives its first lines. */
async function lines(command: string, env: Record<string, string>, count: number): Promise<string[]> {
  const [program, ...args] = defaultImages()('mcr.microsoft.com/aci/skr:2.8', [command])?.command ?? []
  const child = spawn(program ?? '', args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const seen: string[] = []
  for await (const line of createInterface({ input: child.stdout! })) {
    seen.push(line)
    if (seen.length >= count) break
  }
  return seen
}

const CLIENT = {
  SkrClientKID: 'app-key',
  SkrClientAKVEndpoint: 'v.vault.azure.net',
  SkrClientMAAEndpoint: 'm.attest.azure.net',
  SkrClientInterval: '0.05',
}
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwk = privateKey.export({ format: 'jwk' })
const secret = Buffer.from('a plaintext that nobody prints')
const digest = createHash('sha256').update(secret).digest('hex')
const proofOf = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const rsaProof = proofOf({
  alg: 'RSA-OAEP-256',
  ciphertext: publicEncrypt({ key: publicKey, oaepHash: 'sha256' }, secret).toString('base64url'),
  version: 'v1',
})

describe('the catalogue of images', () => {
  it.each(['/skr.sh', '/tests/skr/skr_client.sh', '/tests/skr/attest_client.sh'])(
    'has %s of the SKR image, whatever the tag',
    (command) => {
      const program = defaultImages()('mcr.microsoft.com/aci/skr:2.12', [command])
      expect(program?.command[0]).toBe(process.execPath)
      expect(existsSync(program?.command[1] ?? '')).toBe(true)
    },
  )
  it('starts the sidecar when the template gives no command', () => {
    expect(defaultImages()('mcr.microsoft.com/aci/skr')?.command.at(-1)).toBe('sidecar')
  })
  it.each([
    ['mcr.microsoft.com/aci/other:1', '/skr.sh'],
    ['mcr.microsoft.com/aci/skr:1', '/bin/sh'],
    ['mcr.microsoft.com/aci/skr:1', 'constructor'],
  ])('does not know %s with %s', (image, command) => {
    expect(defaultImages()(image, [command])).toBeUndefined()
  })
})

describe('the key-release client', () => {
  it('proves that it has the key by the digest of what the key opens', async () => {
    const { port, requests } = await sidecar({
      '/key/release': () => ({ status: 200, body: { key: JSON.stringify(jwk) } }),
    })
    const seen = await lines('/tests/skr/skr_client.sh', { ...CLIENT, Port: String(port), SkrClientProof: rsaProof }, 2)
    expect(seen).toEqual(Array(2).fill(`proof kid=app-key/v1 sha256=${digest}`))
    expect(JSON.parse(requests[0] ?? '')).toEqual({
      maa_endpoint: 'm.attest.azure.net',
      akv_endpoint: 'v.vault.azure.net',
      kid: 'app-key',
    })
  })
  it('opens an AES-GCM proof too', async () => {
    const key = randomBytes(32)
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', key, iv)
    const ciphertext = Buffer.concat([cipher.update(secret), cipher.final()]).toString('base64url')
    const proof = proofOf({
      alg: 'A256GCM',
      ciphertext,
      iv: iv.toString('base64url'),
      tag: cipher.getAuthTag().toString('base64url'),
    })
    const body = { key: JSON.stringify({ kty: 'oct', k: key.toString('base64url') }) }
    const { port } = await sidecar({ '/key/release': () => ({ status: 200, body }) })
    const seen = await lines('/tests/skr/skr_client.sh', { ...CLIENT, Port: String(port), SkrClientProof: proof }, 1)
    expect(seen).toEqual([`proof kid=app-key sha256=${digest}`])
  })
  it('asks for the version of the proof when the newest key does not open it', async () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })
    const { port } = await sidecar({
      '/key/release': ({ kid }) => ({ status: 200, body: { key: JSON.stringify(kid === 'app-key/v1' ? jwk : other) } }),
    })
    const seen = await lines('/tests/skr/skr_client.sh', { ...CLIENT, Port: String(port), SkrClientProof: rsaProof }, 1)
    expect(seen).toEqual([`proof kid=app-key/v1 sha256=${digest}`])
  })
  it('says that the release was refused, in one line, and asks again', async () => {
    const { port } = await sidecar({ '/key/release': () => ({ status: 403, body: { error: 'not\nallowed' } }) })
    const seen = await lines('/tests/skr/skr_client.sh', { ...CLIENT, Port: String(port), SkrClientProof: rsaProof }, 2)
    expect(seen).toEqual(Array(2).fill('release refused status=403 error=not allowed'))
  })
  it('never prints the key', async () => {
    const { port } = await sidecar({ '/key/release': () => ({ status: 200, body: { key: JSON.stringify(jwk) } }) })
    const seen = (await lines('/tests/skr/skr_client.sh', { ...CLIENT, Port: String(port) }, 2)).join('\n')
    expect(seen).toContain('released kid=app-key kty=RSA')
    for (const part of ['d', 'p', 'q', 'n'] as const) expect(seen).not.toContain(jwk[part])
  })
})

describe('the attestation client', () => {
  it('prints the sizes of raw and combined evidence', async () => {
    const text = (size: number) => Buffer.alloc(size).toString('base64')
    const { port, requests } = await sidecar({
      '/attest/raw': () => ({ status: 200, body: { report: '00'.repeat(1184) } }),
      '/attest/combined': () => ({
        status: 200,
        body: {
          evidence: text(1184),
          endorsements: text(5000),
          uvm_endorsements: text(9),
          endorsed_tcb: 'DB16000000000003',
        },
      }),
    })
    const seen = await lines(
      '/tests/skr/attest_client.sh',
      { Port: String(port), AttestClientRuntimeData: 'ZGF0YQ==' },
      2,
    )
    expect(seen).toEqual([
      'attest raw status=200 report=1184 bytes',
      'attest combined status=200 evidence=1184 bytes endorsements=5000 bytes uvm_endorsements=9 bytes endorsed_tcb=DB16000000000003',
    ])
    expect(JSON.parse(requests[0] ?? '')).toEqual({ runtime_data: 'ZGF0YQ==' })
  })
  it('prints what a token says and never the token', async () => {
    const claims = Buffer.from(JSON.stringify({ iss: 'https://m', 'x-ms-sevsnpvm-hostdata': 'ab' })).toString(
      'base64url',
    )
    const token = `e30.${claims}.c2ln`
    const { port } = await sidecar({ '/attest/maa': () => ({ status: 200, body: { token } }) })
    const env = { Port: String(port), AttestClientMAAEndpoint: 'm.attest.azure.net' }
    const [line = ''] = await lines('/tests/skr/attest_client.sh', env, 1)
    expect(line).toContain('attest maa status=200 iss=https://m')
    expect(line).toContain('x-ms-sevsnpvm-hostdata=ab')
    expect(line).not.toContain(claims)
  })
})
