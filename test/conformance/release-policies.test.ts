import { generateKeyPairSync } from 'node:crypto'
import type { TokenCredential } from '@azure/core-auth'
import { KeyClient } from '@azure/keyvault-keys'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  type Answer,
  AUTHORITY,
  createVaultWorld,
  MANAGED_HSM,
  STANDARD_VAULT,
  VAULT,
  type VaultWorld,
} from '../../emulator/src/keyvault/test-vaults.ts'
import { openRelease } from '../support/released-key.ts'
import { sdkHttpClient } from '../support/sdk-http-client.ts'

/*
 * Which keys may leave at all, what a vault and a managed HSM say about the others, and what becomes of a release policy
 * when it is stored: word for word, member for member.
 */

let world: VaultWorld
beforeEach(() => {
  world = createVaultWorld()
})

const encode = (policy: unknown) => Buffer.from(JSON.stringify(policy)).toString('base64url')
const text = (data: string) => Buffer.from(data, 'base64url').toString()
const policyOf = (conditions: unknown[] = [{ claim: 'sdk-test', equals: 'true' }], authority = AUTHORITY) => ({
  anyOf: [{ anyOf: conditions, authority }],
  version: '1.0.0',
})
const POLICY = { data: encode(policyOf()) }
const OTHER = { data: encode(policyOf([{ claim: 'sdk-test', equals: 'false' }])) }
const EXPORTABLE = { attributes: { exportable: true }, release_policy: POLICY }
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })

const create = (url: string, body: object = {}, query = '') =>
  world.call('POST', `${url}/keys/k/create${query}`, { kty: 'EC-HSM', ...body })
const bring = (url: string, body: object = {}) => world.call('PUT', `${url}/keys/k`, { key: RSA, hsm: true, ...body })
const patch = (url: string, body: object, version = '') => world.call('PATCH', `${url}/keys/k/${version}`, body)
const get = async (url: string, version = '') => (await world.call('GET', `${url}/keys/k/${version}`)).json

/** What a vault says, and a managed HSM, to the same request. */
function expectRefused(answer: Answer, url: string, vault: string, managedHsm = vault): void {
  const activity = ` (Activity ID: ${answer.headers.get('x-ms-request-id')})`
  const message = url === MANAGED_HSM ? `${managedHsm}${activity}` : vault
  expect([answer.status, answer.json]).toEqual([400, { error: { code: 'BadParameter', message } }])
}

const S1001 =
  "AKV.SKR.1001: The exportable attribute is only supported with premium vaults and API version >= '7.3-preview'."
const S1004 = [
  'AKV.SKR.1004: Exportable keys must have release policy.',
  'Exportable keys must have release policy',
] as const
const S1005 = [
  'AKV.SKR.1005: Non-exportable keys must not have release policy.',
  'Non-exportable keys must not have release policy',
] as const
const S1014 = [
  'AKV.SKR.1014: Cannot modify the exportable state of a key.',
  'Cannot modify the exportable state of a key',
] as const
const S1020 = [
  'AKV.SKR.1020: Immutable Key Release Policy cannot be modified.',
  'Immutable Key Release Policy cannot be modified',
] as const

const BOTH = [
  ['a vault', VAULT],
  ['a managed HSM', MANAGED_HSM],
] as const

describe('an exportable key', () => {
  it('is not made in a standard vault', async () => {
    expectRefused(await create(STANDARD_VAULT, { kty: 'EC', ...EXPORTABLE }), STANDARD_VAULT, S1001)
    const software = { key: RSA, hsm: false, ...EXPORTABLE }
    expectRefused(await world.call('PUT', `${STANDARD_VAULT}/keys/k`, software), STANDARD_VAULT, S1001)
  })

  it('is not made of software in a premium vault (AKV.SKR.1006)', async () => {
    for (const answer of [
      await create(VAULT, { kty: 'RSA', ...EXPORTABLE }),
      await bring(VAULT, { hsm: false, ...EXPORTABLE }),
    ]) {
      expect(answer.json.error).toEqual({ code: 'BadParameter', message: expect.stringMatching(/^AKV\.SKR\.1006: /) })
    }
  })

  it.each(BOTH)('of %s needs a policy, and its data', async (_, url) => {
    const attributes = { exportable: true }
    for (const release_policy of [undefined, null, {}, { data: '' }, { data: null }, { immutable: true }]) {
      expectRefused(await create(url, { attributes, release_policy }), url, ...S1004)
      expectRefused(await bring(url, { attributes, release_policy }), url, ...S1004)
    }
    expect((await world.call('GET', `${url}/keys/k`)).status).toBe(404)
  })

  it.each(BOTH)('of %s is told from one that is not: only it has a policy', async (_, url) => {
    for (const attributes of [undefined, {}, { exportable: false }]) {
      expectRefused(await create(url, { attributes, release_policy: POLICY }), url, ...S1005)
      expectRefused(await bring(url, { attributes, release_policy: POLICY }), url, ...S1005)
    }
    await create(url)
    expectRefused(await patch(url, { release_policy: POLICY }), url, ...S1005)
  })

  it('needs none of this on a managed HSM when it is for secure unwrap: it has a policy and never leaves', async () => {
    const body = { kty: 'RSA-HSM', key_ops: ['secureWrapKey', 'secureUnwrapKey'], release_policy: POLICY }
    const made = await create(MANAGED_HSM, body, '?api-version=2026-04-01')
    expect(made.status, made.text).toBe(200)
    expect(made.json.attributes.exportable).toBe(false)
    const answer = await world.call('POST', `${MANAGED_HSM}/keys/k/release`, { target: await world.issuer.sign() })
    expect(answer.status).toBe(403)
  })
})

describe.each(BOTH)('in %s the first version decides', (_, url) => {
  it('for every later one, made or brought or rotated: exportability and policy stay', async () => {
    await create(url, { kty: 'RSA-HSM', ...EXPORTABLE })
    await create(url, { kty: 'RSA-HSM' })
    await bring(url)
    await world.call('PUT', `${url}/keys/k/rotationpolicy`, {
      lifetimeActions: [{ trigger: { timeAfterCreate: 'P90D' }, action: { type: 'Rotate' } }],
      attributes: { expiryTime: 'P2Y' },
    })
    const rotated = await world.call('POST', `${url}/keys/k/rotate`)
    expect(rotated.status, rotated.text).toBe(200)
    const versions = (await world.call('GET', `${url}/keys/k/versions`)).json.value as { kid: string }[]
    expect(versions).toHaveLength(4)
    for (const { kid } of versions) {
      const { attributes, release_policy } = (await world.call('GET', kid)).json
      expect(attributes.exportable).toBe(true)
      expect(release_policy.data).toBe(rotated.json.release_policy.data)
      const target = await world.issuer.sign({ 'sdk-test': true })
      expect((await world.call('POST', `${kid}/release`, { target })).status).toBe(200)
    }
  })

  it('and no later one may say otherwise (AKV.SKR.1003)', async () => {
    const code = url === VAULT ? /^AKV\.SKR\.1003: / : /^Cannot modify the exportable state/
    const refused = { code: 'BadParameter', message: expect.stringMatching(code) }
    await create(url)
    expect((await create(url, EXPORTABLE)).json.error).toEqual(refused)
    expect((await bring(url, EXPORTABLE)).json.error).toEqual(refused)
    const otherKey = `${url}/keys/other/create`
    expect((await world.call('POST', otherKey, { kty: 'EC-HSM', ...EXPORTABLE })).status).toBe(200)
    const body = { kty: 'EC-HSM', attributes: { exportable: false } }
    expect((await world.call('POST', otherKey, body)).json.error).toEqual(refused)
  })

  it('though a new version may bring a new policy, for all of them', async () => {
    const first = await create(url, EXPORTABLE)
    const second = await create(url, { release_policy: OTHER })
    expect(second.json.release_policy.data).not.toBe(first.json.release_policy.data)
    expect((await get(url, first.json.key.kid.split('/').at(-1))).release_policy).toEqual(second.json.release_policy)
  })
})

describe.each(BOTH)('an update of a key of %s', (_, url) => {
  it('cannot make it exportable, nor the opposite; to repeat what is so does no harm', async () => {
    const made = await create(url)
    const version = made.json.key.kid.split('/').at(-1)
    // The PATCH that the SDKs' tests send: with a version and a policy. This refusal comes first.
    expectRefused(await patch(url, EXPORTABLE, version), url, ...S1014)
    expectRefused(await patch(url, { attributes: { exportable: true } }), url, ...S1014)
    expect((await patch(url, { attributes: { exportable: false } })).status).toBe(200)
    const other = (path: string, body: object) =>
      world.call(path === '' ? 'PATCH' : 'POST', `${url}/keys/other${path}`, body)
    await other('/create', { kty: 'EC-HSM', ...EXPORTABLE })
    expectRefused(await other('', { attributes: { exportable: false } }), url, ...S1014)
    expect((await other('', { attributes: { exportable: true } })).status).toBe(200)
  })

  it('changes the policy of the key, not of a version (AKV.SKR.1016)', async () => {
    const made = await create(url, EXPORTABLE)
    const version = made.json.key.kid.split('/').at(-1)
    expectRefused(
      await patch(url, { release_policy: OTHER }, version),
      url,
      'AKV.SKR.1016: Key Release Policy can only be set on versionless key',
      'Key Release Policy can only be set on versionless key',
    )
    expect((await get(url)).release_policy).toEqual(made.json.release_policy)
    const changed = await patch(url, { release_policy: OTHER })
    expect([changed.status, text(changed.json.release_policy.data)]).toEqual([200, expect.stringContaining('false')])
    expect((await get(url, version)).release_policy).toEqual(changed.json.release_policy)
  })

  it.each([
    ['when it is made', async () => create(url, { ...EXPORTABLE, release_policy: { ...POLICY, immutable: true } })],
    [
      'later',
      async () => {
        await create(url, EXPORTABLE)
        return await patch(url, { release_policy: { ...POLICY, immutable: true } })
      },
    ],
  ])('makes a policy immutable %s, and then nothing changes it any more', async (_, fix) => {
    const fixed = await fix()
    expect(fixed.json.release_policy.immutable, fixed.text).toBe(true)
    const version = (await get(url)).key.kid.split('/').at(-1)
    for (const release_policy of [OTHER, POLICY, { ...POLICY, immutable: true }, { ...POLICY, immutable: false }]) {
      expectRefused(await patch(url, { release_policy }), url, ...S1020)
      expectRefused(await patch(url, { release_policy }, version), url, ...S1020)
      expectRefused(await create(url, { release_policy }), url, ...S1020)
      expectRefused(await bring(url, { attributes: { exportable: true }, release_policy }), url, ...S1020)
    }
    expect((await get(url)).release_policy).toEqual(fixed.json.release_policy)
    // What is not the policy still changes, and versions are still made.
    expect((await patch(url, { tags: { a: 'b' } })).status).toBe(200)
    expect((await create(url)).json.release_policy).toEqual(fixed.json.release_policy)
  })
})

describe('a policy that is stored', () => {
  const stored = async (url: string, policy: unknown, more: object = {}) => {
    const answer = await create(url, {
      attributes: { exportable: true },
      release_policy: { data: encode(policy), ...more },
    })
    expect(answer.status, answer.text).toBe(200)
    return answer.json.release_policy as { contentType: string; data: string; immutable: boolean }
  }
  const bare = AUTHORITY
  const conditions = [
    { equals: true, claim: 'a' },
    { equals: 'true', claim: 'b' },
    { equals: 0, claim: 'c' },
  ]
  const rebuilt = '[{"claim":"a","equals":true},{"claim":"b","equals":"true"},{"claim":"c","equals":0}]'
  const sorted = '[{"claim":"a","equals":true},{"claim":"b","equals":"true"},{"claim":"c","equals":0}]'

  it.each([bare, `${bare}/`, `${bare}/x`])(
    'by a vault is rebuilt in its order; types and %s stay',
    async (authority) => {
      const { data } = await stored(VAULT, policyOf(conditions, authority))
      expect(text(data)).toBe(`{"version":"1.0.0","anyOf":[{"authority":"${authority}","anyOf":${rebuilt}}]}`)
    },
  )

  it.each([
    [bare, `${bare}/`],
    [`${bare}/`, `${bare}/`],
    [`${bare}/x`, `${bare}/x`],
  ])('by a managed HSM is sorted; types stay, and %s becomes %s', async (authority, kept) => {
    const policy = { version: '1.0.0', anyOf: [{ authority, anyOf: conditions }] }
    expect(text((await stored(MANAGED_HSM, policy)).data)).toBe(
      `{"anyOf":[{"anyOf":${sorted},"authority":"${kept}"}],"version":"1.0.0"}`,
    )
  })

  it('in the grammar of 7.3-preview is today’s afterwards, in a vault', async () => {
    const old = policyOf([{ claim: 'sdk-test', condition: 'equals', value: 'true' }])
    const { data } = await stored(VAULT, { ...old, version: '1.0' })
    expect(text(data)).toBe(
      `{"version":"1.0.0","anyOf":[{"authority":"${AUTHORITY}","anyOf":[{"claim":"sdk-test","equals":"true"}]}]}`,
    )
  })

  it('in that grammar still lets a key go, in either', async () => {
    const old = { ...policyOf([{ claim: 'sdk-test', condition: 'equals', value: 'true' }]), version: '1.0' }
    for (const url of [VAULT, MANAGED_HSM]) {
      await stored(url, old)
      const target = await world.issuer.sign({ 'sdk-test': true })
      expect((await world.call('POST', `${url}/keys/k/release`, { target })).status).toBe(200)
    }
  })

  it('with blanks, or in padded or standard base64, is the same policy', async () => {
    const json = JSON.stringify(policyOf([{ claim: 'ü??>', equals: 'true' }]), null, 2)
    const plain = await stored(VAULT, JSON.parse(json))
    const standard = Buffer.from(json).toString('base64')
    expect(standard).toMatch(/[+/].*=$/)
    for (const data of [standard, standard.replaceAll('+', '-').replaceAll('/', '_')]) {
      const answer = await create(VAULT, { release_policy: { data } })
      expect(answer.json.release_policy, answer.text).toEqual(plain)
    }
  })

  it.each(BOTH)('by %s has its content type, asked for or not, and says whether it is immutable', async (_, url) => {
    const members = async (more: object) => {
      world = createVaultWorld()
      const { data: _data, ...rest } = await stored(url, policyOf(), more)
      return rest
    }
    const contentType = 'application/json; charset=utf-8'
    expect(await members({})).toEqual({ contentType, immutable: false })
    expect(await members({ contentType, immutable: false })).toEqual({ contentType, immutable: false })
    expect(await members({ contentType, immutable: true })).toEqual({ contentType, immutable: true })
  })

  it('goes out with the key: from a managed HSM with its content type, from a vault without', async () => {
    for (const [url, members] of [
      [VAULT, ['data', 'immutable']],
      [MANAGED_HSM, ['contentType', 'data', 'immutable']],
    ] as const) {
      const kept = await stored(url, policyOf())
      const target = await world.issuer.sign({ 'sdk-test': true })
      const answer = await world.call('POST', `${url}/keys/k/release`, { target })
      const { release_policy } = (await openRelease(answer.json.value)).payload.response.key
      expect(Object.keys(release_policy)).toEqual(members)
      expect(release_policy.data).toBe(kept.data)
    }
  })

  it('without a version is missed by name on a managed HSM', async () => {
    const { anyOf } = policyOf()
    const answer = await create(MANAGED_HSM, {
      attributes: { exportable: true },
      release_policy: { data: encode({ anyOf }) },
    })
    expectRefused(answer, MANAGED_HSM, '', "Key Release Policy: missing 'version' property")
  })
})

describe('a claim', () => {
  it.each([
    ['true', true],
    [true, true],
    [true, 'true'],
    ['false', false],
    ['0', 0],
    [0, 0],
  ])('wanted as %j is met by %j, on either', async (wanted, found) => {
    for (const url of [VAULT, MANAGED_HSM]) {
      await create(url, { ...EXPORTABLE, release_policy: { data: encode(policyOf([{ claim: 'c', equals: wanted }])) } })
      const target = await world.issuer.sign({ c: found })
      expect((await world.call('POST', `${url}/keys/k/release`, { target })).status).toBe(200)
    }
  })

  it.each<[object, object]>([
    [{ operators: 'equals-only' }, { claim: 'x-ms-sevsnpvm-vmpl', lessOrEquals: 0 }],
    [{ nesting: 'refused' }, { allOf: [{ claim: 'x-ms-sevsnpvm-vmpl', equals: 0 }] }],
    [{ coercion: 'typed' }, { claim: 'x-ms-sevsnpvm-vmpl', equals: '0' }],
  ])('counts unless the instance was told otherwise: %j', async (strict, condition) => {
    const release_policy = { data: encode(policyOf([condition])) }
    const defaults = world.ctx.settings.releasePolicy
    for (const [settings, status] of [
      [defaults, 200],
      [{ ...defaults, ...strict }, 403],
    ] as const) {
      world = createVaultWorld({ settings: { releasePolicy: settings } })
      await create(VAULT, { ...EXPORTABLE, release_policy })
      const target = await world.issuer.sign()
      expect((await world.call('POST', `${VAULT}/keys/k/release`, { target })).status).toBe(status)
    }
    const refused = world.ctx.journal.records().findLast(({ operation }) => operation === 'release')
    expect(refused?.action).toContain(`setting releasePolicy.${Object.keys(strict)[0]}`)
  })

  it('of an authority with another slash counts unless the instance was told otherwise', async () => {
    const release_policy = { data: encode(policyOf([{ claim: 'x-ms-sevsnpvm-vmpl', equals: 0 }], `${AUTHORITY}/`)) }
    for (const [trailingSlash, status] of [
      ['ignored', 200],
      ['significant', 403],
    ] as const) {
      world = createVaultWorld({ settings: { releasePolicy: { ...world.ctx.settings.releasePolicy, trailingSlash } } })
      await create(VAULT, { ...EXPORTABLE, release_policy })
      const answer = await world.call('POST', `${VAULT}/keys/k/release`, { target: await world.issuer.sign() })
      expect(answer.status).toBe(status)
    }
  })
})

describe('an authority that cannot be reached', () => {
  const body = { ...EXPORTABLE, release_policy: { data: encode(policyOf(undefined, 'https://attest.example')) } }
  const checked = () => createVaultWorld({ settings: { authorityCheck: 'atCreation' } })

  it('may stand in a policy: it is asked when a key is to be released', async () => {
    expect((await create(VAULT, body)).status).toBe(200)
  })

  it('is refused with the policy by a vault that was told to ask: when it is made, brought, changed (AKV.SKR.1012)', async () => {
    world = checked()
    const message = 'AKV.SKR.1012: The specified attestation service https://attest.example cannot be reached.'
    expectRefused(await create(VAULT, body), VAULT, message)
    expectRefused(await bring(VAULT, body), VAULT, message)
    expect((await create(VAULT, EXPORTABLE)).status).toBe(200)
    expectRefused(await patch(VAULT, { release_policy: body.release_policy }), VAULT, message)
    expect(text((await get(VAULT)).release_policy.data)).toContain(AUTHORITY)
    const denied = world.ctx.journal.records().find(({ outcome }) => outcome === 'denied')
    expect(denied?.conditions).toMatchObject([
      { name: 'authority', met: false, hint: expect.stringContaining('--authority') },
    ])
  })

  it('is nothing to a managed HSM', async () => {
    world = checked()
    expect((await create(MANAGED_HSM, body)).status).toBe(200)
  })
})

describe.each(BOTH)('the official client and %s', (_, url) => {
  const credential: TokenCredential = {
    async getToken(scope) {
      const audience = String(scope).replace('/.default', '')
      return { token: await world.token(audience), expiresOnTimestamp: Number.MAX_SAFE_INTEGER }
    },
  }
  const client = () => new KeyClient(url, credential, { httpClient: sdkHttpClient((request) => world.fetch(request)) })
  const encodedPolicy = Buffer.from(JSON.stringify(policyOf()))

  it('agree on what is refused', async () => {
    await expect(client().createRsaKey('a', { exportable: true, hsm: true })).rejects.toThrow(/exportable/i)
    const policy = { hsm: true, releasePolicy: { encodedPolicy } }
    await expect(client().createRsaKey('b', policy)).rejects.toThrow(/exportable/i)
    const made = await client().createRsaKey('c', {
      hsm: true,
      exportable: true,
      releasePolicy: { encodedPolicy, immutable: true },
    })
    const change = { releasePolicy: { encodedPolicy: Buffer.from(text(OTHER.data)), immutable: true } }
    await expect(client().updateKeyProperties(made.name, change)).rejects.toThrow(/Immutable Key Release/)
  })

  it('agree on the policy that comes back, which is to be parsed and not compared', async () => {
    const made = await client().createEcKey('k', { hsm: true, exportable: true, releasePolicy: { encodedPolicy } })
    const { encodedPolicy: kept, immutable, contentType } = made.properties.releasePolicy!
    expect(JSON.parse(Buffer.from(kept!).toString())).toMatchObject({
      version: '1.0.0',
      anyOf: [{ anyOf: [{ claim: 'sdk-test', equals: 'true' }] }],
    })
    expect([immutable, contentType, made.properties.exportable]).toEqual([
      false,
      'application/json; charset=utf-8',
      true,
    ])
  })
})
