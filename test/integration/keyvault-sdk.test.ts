import {
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  privateDecrypt,
  randomBytes,
  verify,
} from 'node:crypto'
import type { TokenCredential } from '@azure/core-auth'
import { CryptographyClient, KeyClient, type KeyVaultKey, KnownKeyOperations } from '@azure/keyvault-keys'
import {
  aciReleasePolicy,
  certificateChainPem,
  decodeReportResponse,
  encodeReportRequest,
  encodeSnpAttestRequest,
} from '@skerry/guest/wire'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  AUTHORITY,
  createVaultWorld,
  GOOD_CLAIMS,
  MANAGED_HSM,
  VAULT,
  type VaultWorld,
} from '../../emulator/src/keyvault/test-vaults.ts'
import { createMaaService } from '../../emulator/src/maa/index.ts'
import { createProcessor } from '../../emulator/src/psp/index.ts'
import { sdkHttpClient } from '../support/sdk-http-client.ts'

/** The official client against the emulator: real host names, its challenge and resource check left on. */

let world: VaultWorld
let seen: { method: string; url: string; authorized: boolean; body: string }[]
let options: { httpClient: ReturnType<typeof sdkHttpClient> }
let scopes: string[]

const credential: TokenCredential = {
  async getToken(scope) {
    const wanted = String(Array.isArray(scope) ? scope[0] : scope)
    scopes.push(wanted)
    return { token: await world.token(wanted.replace('/.default', '')), expiresOnTimestamp: Number.MAX_SAFE_INTEGER }
  },
}

beforeEach(() => {
  world = createVaultWorld()
  seen = []
  scopes = []
  options = {
    httpClient: sdkHttpClient(async (request) => {
      const body = await request.clone().text()
      seen.push({ method: request.method, url: request.url, authorized: request.headers.has('authorization'), body })
      return await world.fetch(request)
    }),
  }
})

const clientOf = (url: string) => new KeyClient(url, credential, options)
const cryptographyOf = (key: KeyVaultKey) => new CryptographyClient(key, credential, options)

/** The SDK's pollers wait two seconds between questions unless they are told not to. */
const AT_ONCE = { intervalInMs: 0 }

const RELEASE_POLICY = {
  encodedPolicy: Buffer.from(
    JSON.stringify(aciReleasePolicy({ authority: AUTHORITY, hostData: GOOD_CLAIMS['x-ms-sevsnpvm-hostdata'] })),
  ),
}

describe.each([
  ['a vault', VAULT, 'https://vault.azure.net/.default'],
  ['a managed HSM', MANAGED_HSM, 'https://managedhsm.azure.net/.default'],
])('KeyClient on %s', (_, url, scope) => {
  it('learns from the first 401, which comes before any look at the body, whom to ask for a token', async () => {
    const key = await clientOf(url).createEcKey('k')
    expect(key.id).toMatch(new RegExp(`^${url}/keys/k/[0-9a-f]{32}$`))
    expect(scopes).toEqual([scope])
    expect(seen.map(({ authorized, body }) => [authorized, body === ''])).toEqual([
      [false, true],
      [true, false],
    ])
    expect(seen[0]?.url).toContain('api%2Dversion=')
  })

  it('creates, reads, lists in pages of 25, updates', async () => {
    const client = clientOf(url)
    const made = await client.createRsaKey('k0', { keySize: 2048, tags: { a: 'b' } })
    for (let index = 1; index < 26; index++) await client.createEcKey(`k${index}`)
    const read = await client.getKey('k0')
    expect(read.key?.n).toEqual(made.key?.n)
    expect(read.properties.tags).toEqual({ a: 'b' })

    const pages: number[] = []
    for await (const page of client.listPropertiesOfKeys().byPage()) pages.push(page.length)
    expect(pages).toEqual([25, 1])

    const updated = await client.updateKeyProperties('k0', { enabled: false, tags: {} })
    expect(updated.properties).toMatchObject({ enabled: false })
    expect((await client.getKey('k0', { version: made.properties.version! })).properties.enabled).toBe(false)
  })

  it('deletes, recovers, purges', async () => {
    const client = clientOf(url)
    await client.createEcKey('k')
    const deleting = await client.beginDeleteKey('k', AT_ONCE)
    const deleted = await deleting.pollUntilDone()
    expect(deleted.properties.recoveryId).toBe(`${url}/deletedkeys/k`)
    await expect(client.createEcKey('k')).rejects.toMatchObject({ statusCode: 409, code: 'Conflict' })
    await expect(client.getKey('k')).rejects.toMatchObject({ statusCode: 404, code: 'KeyNotFound' })

    const recovering = await client.beginRecoverDeletedKey('k', AT_ONCE)
    expect((await recovering.pollUntilDone()).name).toBe('k')

    await (await client.beginDeleteKey('k', AT_ONCE)).pollUntilDone()
    await client.purgeDeletedKey('k')
    await expect(client.getDeletedKey('k')).rejects.toMatchObject({ statusCode: 404, code: 'KeyNotFound' })
    await client.createEcKey('k')
  })

  it('rotates: a new version that expires when the policy says', async () => {
    const client = clientOf(url)
    const first = await client.createEcKey('k')
    await client.updateKeyRotationPolicy('k', {
      expiresIn: 'P90D',
      lifetimeActions: [{ action: 'Rotate', timeAfterCreate: 'P30D' }],
    })
    expect(await client.getKeyRotationPolicy('k')).toMatchObject({ expiresIn: 'P90D' })
    const second = await client.rotateKey('k')
    expect(second.properties.version).not.toBe(first.properties.version)
    const { createdOn, expiresOn } = second.properties
    expect(expiresOn!.getTime() - createdOn!.getTime()).toBe(7_776_000_000)
    const versions: string[] = []
    for await (const { version } of client.listPropertiesOfKeyVersions('k')) versions.push(version!)
    expect(versions.toSorted()).toEqual([first.properties.version, second.properties.version].toSorted())
  })

  it('releases an exportable key to an attested wrapping key, with and without a version', async () => {
    const client = clientOf(url)
    const key = await client.createEcKey('k', {
      hsm: true,
      exportable: true,
      curve: 'P-384',
      keyOps: [KnownKeyOperations.Sign],
      releasePolicy: RELEASE_POLICY,
    })
    expect(key.properties).toMatchObject({ exportable: true })
    const token = await world.issuer.sign()
    for (const more of [{}, { version: key.properties.version! }]) {
      const { value } = await client.releaseKey('k', token, { algorithm: 'RSA_AES_KEY_WRAP_256', nonce: 'n', ...more })
      const { x, y } = createPublicKey(unwrap(value)).export({ format: 'jwk' })
      expect(Buffer.from(x!, 'base64url')).toEqual(Buffer.from(key.key!.x!))
      expect(Buffer.from(y!, 'base64url')).toEqual(Buffer.from(key.key!.y!))
    }
    const paths = seen.map((request) => new URL(request.url).pathname).filter((path) => path.endsWith('/release'))
    expect(paths).toEqual(['/keys/k/release', `/keys/k/${key.properties.version}/release`])
  })

  it('is told no more than Azure tells when the attestation does not meet the policy', async () => {
    const client = clientOf(url)
    await client.createRsaKey('k', { hsm: true, exportable: true, releasePolicy: RELEASE_POLICY })
    const token = await world.issuer.sign({ 'x-ms-sevsnpvm-is-debuggable': true })
    await expect(client.releaseKey('k', token)).rejects.toMatchObject({
      statusCode: 403,
      message: expect.stringContaining('does not meet key release policy requirements'),
    })
  })

  it('signs, wraps and decrypts in the vault', async () => {
    const client = clientOf(url)
    const rsa = cryptographyOf(await client.createRsaKey('rsa'))
    const data = randomBytes(40)
    for (const alg of ['RSA1_5', 'RSA-OAEP', 'RSA-OAEP-256'] as const) {
      const { result } = await rsa.encrypt({ algorithm: alg, plaintext: data })
      expect(Buffer.from((await rsa.decrypt({ algorithm: alg, ciphertext: result })).result)).toEqual(data)
      const wrapped = await rsa.wrapKey(alg, data)
      expect(Buffer.from((await rsa.unwrapKey(alg, wrapped.result)).result)).toEqual(data)
    }
    const digest = createHash('sha256').update(data).digest()
    for (const alg of ['RS256', 'PS256'] as const) {
      const { result } = await rsa.sign(alg, digest)
      expect((await rsa.verify(alg, digest, result)).result).toBe(true)
    }
    const key = await client.createEcKey('ec', { curve: 'P-256' })
    const { result } = await cryptographyOf(key).sign('ES256', digest)
    const publicKey = createPublicKey({
      key: { kty: 'EC', crv: 'P-256', x: base64Url(key.key!.x!), y: base64Url(key.key!.y!) },
      format: 'jwk',
    })
    expect(verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, result)).toBe(true)
  })
})

describe('KeyClient on a managed HSM alone', () => {
  it('encrypts with a symmetric key, whose nonce the HSM picks', async () => {
    const aes = cryptographyOf(await clientOf(MANAGED_HSM).createOctKey('aes', { hsm: true, keySize: 256 }))
    const plaintext = Buffer.from('sixteen bytes!!!')
    const additionalAuthenticatedData = Buffer.from('about it')
    const sealed = await aes.encrypt({ algorithm: 'A256GCM', plaintext, additionalAuthenticatedData })
    expect(sealed.iv).toHaveLength(12)
    const opened = await aes.decrypt({
      algorithm: 'A256GCM',
      ciphertext: sealed.result,
      iv: sealed.iv!,
      authenticationTag: sealed.authenticationTag!,
      additionalAuthenticatedData,
    })
    expect(Buffer.from(opened.result)).toEqual(plaintext)
    const wrapped = await aes.wrapKey('A256KW', plaintext)
    expect(Buffer.from((await aes.unwrapKey('A256KW', wrapped.result)).result)).toEqual(plaintext)
  })

  it('gives random bytes', async () => {
    expect(await clientOf(MANAGED_HSM).getRandomBytes(128)).toHaveLength(128)
  })
})

describe('a release with evidence of the virtual processor, verified by the emulated MAA', () => {
  const PROVIDER = 'https://sharedweu.weu.attest.azure.net'
  const hostData = new Uint8Array(createHash('sha256').update('a CCE policy').digest())

  /** The token of a guest whose runtime data holds the wrapping key. */
  async function attest(more: { debug: boolean }): Promise<string> {
    const psp = createProcessor(world.ctx)
    world.use(createMaaService(world.ctx, { psp }))
    const jwk = createPublicKey(world.issuer.wrapping.privateKey).export({ format: 'jwk' })
    const data = Buffer.from(JSON.stringify({ keys: [{ ...jwk, kid: 'guest', key_ops: ['encrypt'] }] }))
    const reportData = new Uint8Array(64)
    reportData.set(createHash('sha256').update(data).digest())
    const response = await psp.launch({ hostData, ...more }).reportRequest(encodeReportRequest({ reportData, vmpl: 0 }))
    const body = encodeSnpAttestRequest({
      report: decodeReportResponse(response).report,
      certificateChainPem: certificateChainPem(await psp.thim()),
      uvmEndorsements: [await psp.uvm.endorsement()],
      runtimeData: { data: new Uint8Array(data), dataType: 'JSON' },
    })
    const url = `${PROVIDER}/attest/SevSnpVm?api-version=2022-08-01`
    const answer = await world.fetch(new Request(url, { method: 'POST', body }))
    return (await answer.json()).token
  }
  const make = (client: KeyClient) =>
    client.createRsaKey('k', {
      hsm: true,
      exportable: true,
      releasePolicy: {
        encodedPolicy: Buffer.from(JSON.stringify(aciReleasePolicy({ authority: PROVIDER, hostData }))),
      },
    })

  it('gives the key to the guest that the policy means', async () => {
    const client = clientOf(VAULT)
    const key = await make(client)
    const { value } = await client.releaseKey('k', await attest({ debug: false }), {
      algorithm: 'RSA_AES_KEY_WRAP_256',
    })
    expect(createPublicKey(unwrap(value)).export({ format: 'jwk' }).n).toBe(base64Url(key.key!.n!))
  })

  it('and not to the same guest launched with debugging allowed', async () => {
    const client = clientOf(VAULT)
    await make(client)
    await expect(client.releaseKey('k', await attest({ debug: true }))).rejects.toMatchObject({ statusCode: 403 })
    const refusal = world.ctx.journal.records().findLast(({ operation }) => operation === 'release')
    expect(refusal?.conditions?.filter(({ met }) => !met).map(({ name }) => name)).toContain(
      'x-ms-sevsnpvm-is-debuggable',
    )
  })
})

const base64Url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')

/** Opens what was released without any code of ours. */
function unwrap(jws: string) {
  const payload = JSON.parse(Buffer.from(jws.split('.')[1]!, 'base64url').toString())
  const keyHsm = JSON.parse(Buffer.from(payload.response.key.key.key_hsm, 'base64url').toString())
  const ciphertext = Buffer.from(keyHsm.ciphertext, 'base64url')
  const key = { key: world.issuer.wrapping.privateKey, oaepHash: 'sha256' }
  const kek = privateDecrypt(key, ciphertext.subarray(0, 256))
  const decipher = createDecipheriv('id-aes256-wrap-pad', kek, Buffer.from('a65959a6', 'hex'))
  const der = Buffer.concat([decipher.update(ciphertext.subarray(256)), decipher.final()])
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}
