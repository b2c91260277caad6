import {
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  privateDecrypt,
  X509Certificate,
} from 'node:crypto'
import { aciReleasePolicy, encodeReleasePolicy, RELEASE_ENC_HASH, type ReleaseEnc } from '@skerry/guest/wire'
import { compactVerify, UnsecuredJWT } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import type { KeyRecord } from '../state.ts'
import {
  type Answer,
  AUTHORITY,
  createVaultWorld,
  GOOD_CLAIMS,
  MANAGED_HSM,
  RELEASE_USER,
  STANDARD_VAULT,
  VAULT,
  type VaultWorld,
} from '../test-vaults.ts'
import { createTestIssuer } from './test-issuer.ts'

const HOST_DATA = GOOD_CLAIMS['x-ms-sevsnpvm-hostdata']
const POLICY = { data: encodeReleasePolicy(aciReleasePolicy({ authority: AUTHORITY, hostData: HOST_DATA })) }
const EXPORTABLE = { attributes: { exportable: true }, release_policy: POLICY }

let world: VaultWorld
beforeEach(() => {
  world = createVaultWorld()
})

const createKey = async (url: string, body: object = { kty: 'EC-HSM', crv: 'P-384', ...EXPORTABLE }) => {
  const created = await world.call('POST', `${url}/create`, body)
  expect(created.status, created.text).toBe(200)
  return created.json
}

const lastRelease = () => world.ctx.journal.records().findLast(({ operation }) => operation === 'release')

/** Opens an answer as a guest would, with its own code: none of the service's. */
async function openRelease(answer: Answer) {
  expect(answer.status, answer.text).toBe(200)
  const jws = answer.json.value as string
  const [head] = jws.split('.')
  const header = JSON.parse(Buffer.from(head!, 'base64url').toString())
  const chain = (header.x5c as string[]).map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  const { payload } = await compactVerify(jws, chain[0]!.publicKey)
  const released = JSON.parse(Buffer.from(payload).toString())
  const keyHsm = JSON.parse(Buffer.from(released.response.key.key.key_hsm, 'base64url').toString())
  const ciphertext = Buffer.from(keyHsm.ciphertext, 'base64url')
  const kek = privateDecrypt(
    { key: world.issuer.wrapping.privateKey, oaepHash: RELEASE_ENC_HASH[keyHsm.header.enc as ReleaseEnc] },
    ciphertext.subarray(0, 256),
  )
  const unwrap = createDecipheriv('id-aes256-wrap-pad', kek, Buffer.from('a65959a6', 'hex'))
  const plaintext = Buffer.concat([unwrap.update(ciphertext.subarray(256)), unwrap.final()])
  return { header, chain, released, keyHsm, ciphertext, plaintext }
}

describe('a key is released', () => {
  it('wrapped for the key in the token, and it is the key that was made', async () => {
    const { key } = await createKey(`${VAULT}/keys/k`)
    const answer = await world.call('POST', `${VAULT}/keys/k/release`, { target: await world.issuer.sign() })
    const { plaintext, keyHsm } = await openRelease(answer)
    const { x, y } = createPublicKey(createPrivateKey({ key: plaintext, format: 'der', type: 'pkcs8' })).export({
      format: 'jwk',
    })
    expect({ x, y }).toEqual({ x: key.x, y: key.y })
    expect(keyHsm).toMatchObject({ schema_version: '1.0', header: { kid: world.issuer.wrapping.kid, alg: 'dir' } })
  })

  it.each(['CKM_RSA_AES_KEY_WRAP', 'RSA_AES_KEY_WRAP_256', 'RSA_AES_KEY_WRAP_384'] as const)(
    'under %s, each with its own hash',
    async (enc) => {
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const jwk = privateKey.export({ format: 'jwk' })
      const imported = await world.call('PUT', `${VAULT}/keys/k`, { key: jwk, hsm: true, ...EXPORTABLE })
      expect(imported.json.key).toMatchObject({ kty: 'RSA-HSM', n: jwk.n })
      const target = await world.issuer.sign()
      const { plaintext, released } = await openRelease(
        await world.call('POST', `${VAULT}/keys/k//release`, { target, enc }),
      )
      expect(released.request.enc).toBe(enc)
      expect(plaintext).toEqual(privateKey.export({ format: 'der', type: 'pkcs8' }))
    },
  )

  it('as raw bytes when it is a symmetric key of a managed HSM', async () => {
    const k = Buffer.from('00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', 'hex')
    const jwk = { kty: 'oct-HSM', k: k.toString('base64url'), key_size: 256, key_ops: null }
    const imported = await world.call('PUT', `${MANAGED_HSM}/keys/k`, { key: jwk, hsm: true, ...EXPORTABLE })
    expect(imported.status, imported.text).toBe(200)
    expect(imported.text).not.toContain(jwk.k)
    const target = await world.issuer.sign()
    const { plaintext, ciphertext, released } = await openRelease(
      await world.call('POST', `${MANAGED_HSM}/keys/k/release`, { target, nonce: 'freshness' }),
    )
    expect(plaintext).toEqual(k)
    expect(ciphertext).toHaveLength(296)
    expect(released.response.key.key.kty).toBe('oct')
    expect(Object.keys(released.request)).toEqual(['api-version', 'enc', 'kid', 'nonce'])
    expect(released.request.nonce).toBe('freshness')
  })

  it("in the vault's members and order, signed by a chain that ends in the root", async () => {
    await createKey(`${VAULT}/keys/k`)
    const target = await world.issuer.sign()
    const { header, chain, released } = await openRelease(
      await world.call('POST', `${VAULT}/keys/k/release?api-version=7.6`, { target }),
    )
    expect(Object.keys(header)).toEqual(['alg', 'kid', 'x5t', 'typ', 'x5t#S256', 'x5c'])
    expect(header.kid).toBe(chain[0]!.fingerprint.replaceAll(':', ''))
    expect(chain[0]!.checkHost('skerry.vault.azure.net')).toBeDefined()
    expect(chain[0]!.verify(chain[1]!.publicKey)).toBe(true)
    expect(chain.at(-1)!.verify(chain.at(-1)!.publicKey)).toBe(true)
    expect(released.request).toEqual({ 'api-version': '7.6', enc: 'CKM_RSA_AES_KEY_WRAP', kid: `${VAULT}/keys/k` })
    expect(Object.keys(released.response.key)).toEqual(['key', 'attributes', 'release_policy'])
    expect(Object.keys(released.response.key.key)).toEqual(['kid', 'kty', 'key_ops', 'crv', 'x', 'y', 'key_hsm'])
    expect(released.response.key.key.kty).toBe('EC')
    expect(released.response.key.attributes.hsmPlatform).toBe('2')
    expect(Object.keys(released.response.key.release_policy)).toEqual(['data', 'immutable'])
  })

  it('in alphabetical order from a managed HSM, whose own name is on the signature', async () => {
    await createKey(`${MANAGED_HSM}/keys/k`)
    const target = await world.issuer.sign()
    const { header, chain, released, keyHsm } = await openRelease(
      await world.call('POST', `${MANAGED_HSM}/keys/k/release`, { target }),
    )
    expect(Object.keys(header)).toEqual(['alg', 'kid', 'x5c', 'x5t#S256'])
    expect(chain[0]!.checkHost('skerry.managedhsm.azure.net')).toBeDefined()
    expect(Object.keys(released.response.key)).toEqual(['attributes', 'key', 'release_policy'])
    expect(Object.keys(released.response.key.release_policy)).toEqual(['contentType', 'data', 'immutable'])
    expect(Object.keys(keyHsm)).toEqual(['ciphertext', 'header', 'schema_version'])
  })

  it('in the version that was asked for', async () => {
    const first = await createKey(`${VAULT}/keys/k`)
    await world.call('POST', `${VAULT}/keys/k/rotate`)
    const target = await world.issuer.sign()
    const { released } = await openRelease(
      await world.call('POST', first.key.kid.replace(/^/, '').concat('/release'), { target }),
    )
    expect(released.request.kid).toBe(first.key.kid)
    expect(released.response.key.key.kid).toBe(first.key.kid)
  })

  it('although it is expired and allows no operation', async () => {
    await createKey(`${VAULT}/keys/k`, { kty: 'EC-HSM', key_ops: ['sign'], ...EXPORTABLE })
    await world.call('PATCH', `${VAULT}/keys/k/`, { attributes: { exp: 1 } })
    const target = await world.issuer.sign()
    expect((await world.call('POST', `${VAULT}/keys/k/release`, { target })).status).toBe(200)
  })

  it('to a caller who may do nothing but release', async () => {
    await createKey(`${VAULT}/keys/k`)
    world.assign(world.strangerId, RELEASE_USER, `/subscriptions/${world.ctx.seed.subscriptionId}/resourceGroups/rg`)
    const target = await world.issuer.sign()
    expect((await world.call('POST', `${VAULT}/keys/k/release`, { target }, 'stranger')).status).toBe(200)
    expect((await world.call('GET', `${VAULT}/keys/k`, undefined, 'stranger')).status).toBe(403)
  })

  it('and the journal says to which key, by which authority, with every condition', async () => {
    await createKey(`${VAULT}/keys/k`)
    await world.call('POST', `${VAULT}/keys/k/release`, { target: await world.issuer.sign() })
    const record = lastRelease()
    expect(record).toMatchObject({ service: 'keyvault', outcome: 'allowed', details: { authority: AUTHORITY } })
    expect(record?.details?.wrappingKeyKid).toBe(world.issuer.wrapping.kid)
    expect(record?.conditions?.every(({ met }) => met)).toBe(true)
    expect(record?.conditions?.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['token.signature', 'token.exp', 'iss', ...Object.keys(GOOD_CLAIMS), 'x-ms-runtime.keys']),
    )
  })
})

describe('a key stays when the claims do not meet the policy', () => {
  const NEAR_MISSES: [claim: string, claims: Record<string, unknown>][] = [
    ['x-ms-sevsnpvm-hostdata', { 'x-ms-sevsnpvm-hostdata': HOST_DATA.replace('4f', '4e') }],
    ['x-ms-sevsnpvm-is-debuggable', { 'x-ms-sevsnpvm-is-debuggable': true }],
    ['x-ms-compliance-status', { 'x-ms-compliance-status': undefined }],
    ['x-ms-sevsnpvm-vmpl', { 'x-ms-sevsnpvm-vmpl': 1 }],
    ['x-ms-attestation-type', { 'x-ms-attestation-type': 'azurevm' }],
  ]
  it.each(NEAR_MISSES)('%s: a terse answer, and the reason in the journal', async (claim, claims) => {
    await createKey(`${VAULT}/keys/k`)
    const answer = await world.call('POST', `${VAULT}/keys/k/release`, { target: await world.issuer.sign(claims) })
    expect(answer.status).toBe(403)
    expect(answer.json).toEqual({
      error: {
        code: 'Forbidden',
        message: 'Target environment attestation does not meet key release policy requirements',
        innererror: { code: 'AccessDenied' },
      },
    })
    const record = lastRelease()
    expect(record).toMatchObject({ outcome: 'denied', answer: { status: 403 } })
    const unmet = record?.conditions?.filter(({ met }) => !met)
    expect(unmet).toMatchObject([{ name: claim, found: claims[claim] ?? null }])
    expect(unmet?.[0]?.hint).toBeTruthy()
    expect(record?.action).toBe(unmet?.[0]?.hint)
  })

  it('names every authority of the policy when the token is of none of them', async () => {
    const other = encodeReleasePolicy(
      aciReleasePolicy({ authority: 'https://other.attest.azure.net', hostData: HOST_DATA }),
    )
    await createKey(`${VAULT}/keys/k`, {
      kty: 'RSA-HSM',
      attributes: { exportable: true },
      release_policy: { data: other },
    })
    const answer = await world.call('POST', `${VAULT}/keys/k/release`, { target: await world.issuer.sign() })
    expect(answer.status).toBe(403)
    expect(lastRelease()?.conditions?.filter(({ met }) => !met)).toMatchObject([
      { name: 'iss', wanted: 'https://other.attest.azure.net', found: AUTHORITY },
    ])
  })

  it('says it with an Activity ID on a managed HSM', async () => {
    await createKey(`${MANAGED_HSM}/keys/k`)
    const target = await world.issuer.sign({ 'x-ms-sevsnpvm-is-debuggable': true })
    const answer = await world.call('POST', `${MANAGED_HSM}/keys/k/release`, { target })
    expect(answer.status).toBe(403)
    expect(answer.json.error.message).toBe(
      `Target environment attestation does not meet key release policy requirements (Activity ID: ${answer.headers.get('x-ms-request-id')})`,
    )
  })
})

describe('a key stays when the token cannot be verified', () => {
  const expectRefused = async (target: string, condition: string) => {
    await createKey(`${VAULT}/keys/k`)
    const answer = await world.call('POST', `${VAULT}/keys/k/release`, { target })
    expect(answer.status).toBe(403)
    expect(answer.json.error).toEqual({
      code: 'Forbidden',
      message: 'Target environment attestation statement cannot be verified.',
      innererror: { code: 'AccessDenied' },
    })
    expect(lastRelease()?.conditions?.filter(({ met }) => !met)).toMatchObject([{ name: condition }])
  }

  it('because it is not a token', () => expectRefused('junk', 'token'))

  it('because it is unsigned', async () => {
    const target = new UnsecuredJWT({ ...GOOD_CLAIMS, iss: AUTHORITY }).setExpirationTime('10 years').encode()
    await expectRefused(target, 'token.alg')
  })

  it('because a claim was changed after it was signed', async () => {
    const [head, body, signature] = (await world.issuer.sign({ 'x-ms-sevsnpvm-is-debuggable': true })).split('.')
    const changed = Buffer.from(body!, 'base64url').toString().replace('debuggable":true', 'debuggable":false')
    await expectRefused(`${head}.${Buffer.from(changed).toString('base64url')}.${signature}`, 'token.signature')
  })

  it('because its key is not one of the issuer', async () =>
    expectRefused(await world.issuer.sign({}, { kid: 'another' }), 'token.kid'))

  it('because it is expired', async () => {
    const target = await world.issuer.sign()
    await world.clock.advance(8 * 3600 * 1000)
    await expectRefused(target, 'token.exp')
  })

  it('because it is not valid yet', async () => {
    const target = await world.issuer.sign({ nbf: Math.floor(world.clock.now() / 1000) + 60 })
    await createKey(`${VAULT}/keys/k`)
    expect((await world.call('POST', `${VAULT}/keys/k/release`, { target })).status).toBe(403)
    expect(lastRelease()?.conditions?.filter(({ met }) => !met)).toMatchObject([{ name: 'token.nbf' }])
  })

  it('because its issuer is not reached over https', async () =>
    expectRefused(await world.issuer.sign({ iss: 'http://skerry.weu.attest.azure.net' }), 'token.iss'))

  it('because its issuer is nowhere here, whatever key its header points to', async () => {
    const jku = `${AUTHORITY}/certs`
    await expectRefused(await world.issuer.sign({ iss: 'https://attest.example.com' }, { jku }), 'token.iss keys')
  })

  it('because it vouches for no wrapping key', async () =>
    expectRefused(await world.issuer.sign({ 'x-ms-runtime': {} }), 'x-ms-runtime.keys'))

  it('because its wrapping key is too small', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const keys = [{ ...publicKey.export({ format: 'jwk' }), kid: 'small', use: 'enc' }]
    await expectRefused(await world.issuer.sign({ 'x-ms-runtime': { keys } }), 'x-ms-runtime.keys')
  })
})

describe('a key stays before its token is even looked at', () => {
  it('without the right to release: the action that is missing', async () => {
    await createKey(`${VAULT}/keys/k`)
    const target = await world.issuer.sign()
    const answer = await world.call('POST', `${VAULT}/keys/k/release`, { target }, 'stranger')
    expect(answer.status).toBe(403)
    expect(answer.json.error.innererror).toEqual({ code: 'ForbiddenByRbac' })
    expect(answer.json.error.message).toContain("Action: 'Microsoft.KeyVault/vaults/keys/release/action'\r\n")
    expect(JSON.stringify(lastRelease())).toContain('Microsoft.KeyVault/vaults/keys/release/action')
  })

  it('when it is disabled', async () => {
    await createKey(`${VAULT}/keys/k`)
    await world.call('PATCH', `${VAULT}/keys/k`, { attributes: { enabled: false } })
    const answer = await world.call('POST', `${VAULT}/keys/k/release`, { target: await world.issuer.sign() })
    expect(answer.json.error.innererror).toEqual({ code: 'KeyDisabled' })
  })

  it('when it was not made exportable', async () => {
    await createKey(`${STANDARD_VAULT}/keys/k`, { kty: 'EC' })
    const answer = await world.call('POST', `${STANDARD_VAULT}/keys/k/release`, { target: await world.issuer.sign() })
    expect(answer.status).toBe(403)
    expect(lastRelease()?.conditions?.filter(({ met }) => !met)).toMatchObject([{ name: 'key.exportable' }])
  })

  it('when it is deleted or was never there', async () => {
    await createKey(`${VAULT}/keys/k`)
    await world.call('DELETE', `${VAULT}/keys/k`)
    for (const name of ['k', 'nobody']) {
      const answer = await world.call('POST', `${VAULT}/keys/${name}/release`, { target: await world.issuer.sign() })
      expect(answer.json.error.code).toBe('KeyNotFound')
    }
  })

  it('when an unknown way of wrapping is asked for', async () => {
    await createKey(`${VAULT}/keys/k`)
    const target = await world.issuer.sign()
    const answer = await world.call('POST', `${VAULT}/keys/k/release`, { target, enc: 'none' })
    expect(answer.json.error).toEqual({ code: 'BadParameter', message: 'Property enc has invalid value: none' })
  })
})

describe('a key stays when, by the time its issuer has answered,', () => {
  const changes: [what: string, change: () => Promise<unknown>, status: number, reason: string | undefined][] = [
    ['it is disabled', () => patch({ attributes: { enabled: false } }), 403, 'key.enabled'],
    ['it is deleted', () => world.call('DELETE', `${VAULT}/keys/k`), 404, undefined],
    ['its policy is another', () => patch({ release_policy: POLICY }), 403, 'iss'],
  ]
  const patch = (body: object) => world.call('PATCH', `${VAULT}/keys/k`, body)

  it.each(changes)('%s', async (_, change, status, reason) => {
    const origin = 'https://slow.attest.example'
    const issuer = createTestIssuer(world.ctx)
    // Between the question and the answer, somebody else is at work.
    const outside = async (request: Request) => {
      if (request.url.endsWith('/keys')) await change()
      return Response.json(request.url.endsWith('/keys') ? issuer.keySet : { jwks_uri: `${origin}/keys` })
    }
    world = createVaultWorld({ outside })
    const anyOf = [{ authority: origin, anyOf: [{ claim: 'sdk-test', equals: true }] }]
    const data = Buffer.from(JSON.stringify({ version: '1.0.0', anyOf })).toString('base64url')
    await createKey(`${VAULT}/keys/k`, { kty: 'EC-HSM', ...EXPORTABLE, release_policy: { data } })
    const target = issuer.token({ iss: origin })
    const answer = await world.call('POST', `${VAULT}/keys/k/release`, { target })
    expect(answer.status, answer.text).toBe(status)
    expect(lastRelease()?.conditions?.find(({ met }) => !met)?.name).toBe(reason)
  })
})

it('a key with a policy that nobody can read stays', async () => {
  await createKey(`${VAULT}/keys/k`)
  const keys = world.ctx.store.collection<KeyRecord>('keyvault.keys')
  const { host } = new URL(VAULT)
  const key = keys.get(`${host}/k`)!
  keys.put(`${host}/k`, { ...key, releasePolicy: { ...key.releasePolicy!, data: 'e30' } })
  const answer = await world.call('POST', `${VAULT}/keys/k/release`, { target: await world.issuer.sign() })
  expect(answer.status).toBe(403)
  expect(lastRelease()?.conditions).toMatchObject([{ name: 'release_policy', met: false }])
})

it('neither the journal nor an error ever holds a token or key material', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = privateKey.export({ format: 'jwk' })
  await world.call('PUT', `${VAULT}/keys/k`, { key: jwk, hsm: true, ...EXPORTABLE })
  await world.call('PUT', `${VAULT}/keys/bad`, { key: { ...jwk, n: 42 }, hsm: true, ...EXPORTABLE })
  const target = await world.issuer.sign()
  await world.call('POST', `${VAULT}/keys/k/release`, { target })
  await world.call('POST', `${VAULT}/keys/k/release`, { target: `${target}x` })
  const journal = JSON.stringify(world.ctx.journal.records())
  for (const secret of [jwk.d!, jwk.p!, target, target.split('.')[2]!]) expect(journal).not.toContain(secret)
})
