import { createHash, randomBytes } from 'node:crypto'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createCertificateCache } from '../attest/certificates.ts'
import { SnpDeviceError } from '../device/index.ts'
import { trustStoreOf } from '../skr/trust-store.ts'
import { azure, MAA_HOST } from '../testing/azure.ts'
import { certificationOf, deviceWith, TCB } from '../testing/chip.ts'
import { stillClock } from '../testing/clock.ts'
import { root, VAULT_HOST } from '../testing/vault.ts'
import { createSidecar } from './app.ts'
import { createLog } from './log.ts'

const server = setupServer()
beforeAll(() => server.listen({ onUnhandledFrame: 'error' }))
afterEach(() => server.resetHandlers())
afterAll(() => server.close())

const secret = randomBytes(32)
const certification = certificationOf(TCB)

function sidecar(options: { noDevice?: boolean } = {}) {
  const { handlers, seen } = azure({ plaintext: secret, key: { kty: 'oct', key_ops: ['encrypt'] } })
  server.use(...handlers)
  const lines: string[] = []
  const app = createSidecar({
    context: {
      device: options.noDevice
        ? () => Promise.reject(new SnpDeviceError('ERR_SNP_DEVICE_MISSING', 'there is no /dev/sev-guest'))
        : async () => deviceWith(TCB),
      certificates: createCertificateCache({ initial: certification }),
      uvmEndorsements: [],
    },
    referenceInfoBase64: 'AQID',
    credential: { getToken: async () => ({ token: 'identity-token' }) },
    trust: trustStoreOf([root.pem]),
    log: createLog({ level: 'debug', write: (line) => lines.push(line), clock: stillClock() }),
  })
  const ask = async (method: string, target: string, body: unknown = '', host = 'localhost:8080') => {
    const sent = typeof body === 'string' ? body : JSON.stringify(body)
    const { status, headers, body: text } = await app({ method, target, host, body: sent })
    return { status, headers, body: text.startsWith('{') ? JSON.parse(text) : text }
  }
  const post = async (path: string, body: unknown) => {
    const { headers: _, ...answer } = await ask('POST', path, body)
    return answer
  }
  return { ask, post, lines, seen }
}

const runtime_data = Buffer.from('{"a":1}').toString('base64')
const release = { maa_endpoint: MAA_HOST, akv_endpoint: VAULT_HOST, kid: 'doc-sample-key-release' }

describe('the sidecar', () => {
  it('says that it is there', async () => {
    expect(await sidecar().ask('GET', '/status?x=1')).toEqual({
      status: 200,
      headers: { 'Content-Type': 'application/json; charset=utf-8' },
      body: { message: 'Status OK' },
    })
  })

  it.each([
    ['with line breaks', { runtime_data: 'eyJh\nIjox\r\nfQ==\n' }],
    ['with bits beyond its last byte', { runtime_data: 'eyJhIjoxfR==' }],
    ['under a name in another case', { Runtime_Data: runtime_data }],
    ['given twice, the last time', `{"runtime_data":"AAAA","RUNTIME_DATA":"${runtime_data}"}`],
    ['given once and then as null', `{"Runtime_Data":"${runtime_data}","runtime_data":null}`],
  ])('takes runtime data %s, as the original does', async (_, body) => {
    const answer = await sidecar().post('/attest/raw', body)
    expect(Buffer.from(answer.body.report, 'hex').subarray(0x50, 0x70)).toEqual(
      createHash('sha256').update('{"a":1}').digest(),
    )
  })

  it('redirects a path with a slash too many, with what stands behind it', async () => {
    const { ask } = sidecar()
    expect(await ask('GET', '/status/?a=1&b="')).toEqual({
      status: 301,
      headers: { 'Content-Type': 'text/html; charset=utf-8', Location: '/status?a=1&b="' },
      body: '<a href="/status?a=1&#38;b=&#34;">Moved Permanently</a>.\n\n',
    })
    expect(await ask('POST', '/attest/raw/', { runtime_data })).toEqual({
      status: 307,
      headers: { Location: '/attest/raw' },
      body: '',
    })
    expect((await ask('GET', '/status%2F')).headers).toMatchObject({ Location: '/status' })
  })

  it('knows its paths decoded, and as they were sent otherwise', async () => {
    const { ask } = sidecar()
    expect((await ask('GET', '/st%61tus')).status).toBe(200)
    expect((await ask('POST', '/attest%2fraw', { runtime_data })).status).toBe(200)
    expect((await ask('GET', 'http://localhost/status')).status).toBe(200)
    const unknown = { status: 404, headers: { 'Content-Type': 'text/plain' }, body: '404 page not found' }
    for (const target of ['/', '*', '//status', '/./status', '/attest/../status', '/Status', '/status//', '/status#a'])
      expect([target, await ask('GET', target)]).toEqual([target, unknown])
    expect(await ask('POST', '/attest/other/', {})).toEqual(unknown)
    expect((await ask('GET', '/%zz')).status).toBe(400)
  })

  it.each(['HEAD', 'OPTIONS', 'PUT', 'TRACE'])('knows no %s of its paths', async (method) => {
    const { ask } = sidecar()
    for (const path of ['/status', '/attest/raw', '/key/release', '/status/'])
      expect((await ask(method, path)).status).toBe(404)
  })

  it('gives a report in hex over the SHA-256 of the decoded runtime data', async () => {
    const { status, body } = await sidecar().post('/attest/raw', { runtime_data })
    expect(status).toBe(200)
    const report = Buffer.from(body.report, 'hex')
    expect(report).toHaveLength(1184)
    expect(report.subarray(0x50, 0x70)).toEqual(createHash('sha256').update('{"a":1}').digest())
  })

  it('gives report, certificates, TCB and endorsements at once', async () => {
    const { body } = await sidecar().post('/attest/combined', { runtime_data })
    expect(Object.keys(body)).toEqual(['endorsed_tcb', 'endorsements', 'evidence', 'uvm_endorsements'])
    expect(body).toMatchObject({ endorsed_tcb: certification.tcbm, uvm_endorsements: 'AQID' })
    expect(Buffer.from(body.endorsements, 'base64').toString()).toBe(
      certification.vcekCert + certification.certificateChain,
    )
    expect(Buffer.from(body.evidence, 'base64')).toHaveLength(1184)
  })

  it('gives an attestation token', async () => {
    const { status, body } = await sidecar().post('/attest/maa', { maa_endpoint: MAA_HOST, runtime_data })
    expect(status).toBe(200)
    expect(body.token.split('.')).toHaveLength(3)
  })

  it('gives a released key as a JWK in a string', async () => {
    const { post, seen } = sidecar()
    const answer = await post('/key/release', { ...release, kid: 'k' })
    expect(answer.status).toBe(200)
    expect(answer.body.key).toBe(`{"k":"${secret.toString('base64url')}","key_ops":["encrypt"],"kty":"oct"}`)
    expect(seen.vault.at(-1)!.authorization).toBe('Bearer identity-token')
  })

  it('gives no key that the vault signed for another name', async () => {
    const { status, body } = await sidecar().post('/key/release', release)
    expect(status).toBe(403)
    expect(body.error).toContain('the key is not of doc-sample-key-release')
  })

  it('uses an access token that comes with the request', async () => {
    const { post, seen } = sidecar()
    await post('/key/release', { ...release, kid: 'k', access_token: 'mine' })
    expect(seen.vault[0]!.authorization).toBe('Bearer mine')
  })

  it('logs a release as its users look for it, and neither key nor token', async () => {
    const { post, lines } = sidecar()
    await post('/key/release', { ...release, kid: 'k', access_token: 'a-secret-token' })
    const log = lines.join('\n')
    expect(log).toContain('level=debug msg=Releasing key blob: {k}')
    for (const hidden of [secret.toString('base64url'), secret.toString('base64'), 'a-secret-token', 'eyJ'])
      expect(log).not.toContain(hidden)
  })
})

describe('an error of the sidecar', () => {
  it.each([
    ['/attest/raw', {}, 'runtime_data is required'],
    ['/attest/raw', { runtime_data: '' }, 'runtime_data is required'],
    ['/attest/raw', { runtime_data: 'not base64!' }, 'base64'],
    ['/attest/raw', { runtime_data: 'YQ' }, 'base64'],
    ['/attest/raw', { runtime_data: '-_-_' }, 'base64'],
    ['/attest/combined', { runtime_data: 7 }, 'runtime_data must be a string'],
    ['/attest/maa', { runtime_data }, 'maa_endpoint is required'],
    ['/key/release', { ...release, kid: undefined }, 'kid is required'],
    ['/key/release', '{', 'not JSON'],
    ['/key/release', '[]', 'must be an object'],
    ['/key/release', '', 'empty'],
  ])('in a body for %s is 400 and names the field', async (path, body, words) => {
    const answer = await sidecar().post(path, body)
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining(words) } })
  })

  it.each([
    ['/attest/maa', { runtime_data, maa_endpoint: 'a/b' }, 'maa_endpoint'],
    ['/key/release', { ...release, kid: '../secrets/x' }, 'kid'],
  ])('over a name in a body for %s that is none is 403 and names the field', async (path, body, words) => {
    const answer = await sidecar().post(path, body)
    expect(answer).toMatchObject({ status: 403, body: { error: expect.stringContaining(words) } })
  })

  it.each([
    ['/attest/raw', 403, 'failure to fetch attestation report hex'],
    ['/attest/combined', 500, 'failure to fetch attestation report bytes'],
    ['/attest/maa', 403, 'attestation failed'],
    ['/key/release', 403, 'secure key release failed'],
  ])('is one document when there is no device: %s gives %i', async (path, status, words) => {
    const answer = await sidecar({ noDevice: true }).post(path, { ...release, runtime_data })
    expect(answer).toEqual({ status, body: { error: `${words}: there is no /dev/sev-guest` } })
  })

  it("of the vault is 403 with the vault's status and words", async () => {
    const { post } = sidecar()
    const message = 'Target environment attestation statement cannot be verified.'
    server.use(
      http.post(`https://${VAULT_HOST}/keys/*`, () =>
        HttpResponse.json({ error: { code: 'Forbidden', message } }, { status: 403 }),
      ),
    )
    expect(await post('/key/release', release)).toEqual({
      status: 403,
      body: { error: `secure key release failed: vault ${VAULT_HOST}: 403 Forbidden: ${message}` },
    })
  })

  it('of a service that repeats a token does not repeat it', async () => {
    const { post, lines } = sidecar()
    server.use(
      http.post(`https://${VAULT_HOST}/keys/*`, () =>
        HttpResponse.json(
          { error: { code: 'Forbidden', message: 'bad eyJhbGciOiJub25lIn0.e30.abc' } },
          { status: 403 },
        ),
      ),
    )
    const { body } = await post('/key/release', release)
    expect(body.error).toContain('bad (token)')
    expect(lines.join()).not.toContain('eyJ')
  })

  it.each(['rebound.example:8080', '10.0.0.4', '128.0.0.1', '127.0.0.1.example', 'localhost.example', 'a@localhost'])(
    'for %s, which is not this machine, is 403: a page in a browser must not reach a key',
    async (host) => {
      const { ask } = sidecar()
      expect((await ask('GET', '/status', '', host)).status).toBe(403)
      expect((await ask('GET', `http://${host}/status`)).status).toBe(403)
    },
  )

  it.each(['localhost', 'LOCALHOST:80', 'localhost.', '127.0.0.1:8080', '127.1.2.3', '[::1]:8080', ''])(
    'is none for "%s", which is',
    async (host) => {
      expect((await sidecar().ask('GET', '/status', '', host)).status).toBe(200)
    },
  )
})
