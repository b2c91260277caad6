import { beforeEach, describe, expect, it } from 'vitest'
import { createVaultWorld, MANAGED_HSM, VAULT, type VaultWorld } from './test-vaults.ts'

let world: VaultWorld
beforeEach(() => {
  world = createVaultWorld()
})

const POLICY = Buffer.from(
  '{"version":"1.0.0","anyOf":[{"authority":"https://a.net","allOf":[{"claim":"c","equals":"v"}]}]}',
).toString('base64url')

describe('the version of the API', () => {
  it.each(['latest', '7.7', '1999-01-01', '2099-01-01', '7.2-preview.9'])('%s is not recognized', async (version) => {
    for (const origin of [VAULT, MANAGED_HSM]) {
      const { status, json } = await world.call('GET', `${origin}/keys?api-version=${version}`)
      expect([status, json.error.code]).toEqual([400, 'BadParameter'])
      expect(json.error.message).toMatch(
        `The specified version (${version}) is not recognized. Consider using the latest supported version (2026-04-01).`,
      )
    }
  })

  it.each(['7.2', '7.3', '7.4', '7.5', '7.6', '2025-07-01', '2026-04-01', '2026-01-01-preview', '7.6-preview.2'])(
    '%s is known to both',
    async (version) => {
      for (const origin of [VAULT, MANAGED_HSM]) {
        expect((await world.call('GET', `${origin}/keys?api-version=${version}`)).status).toBe(200)
      }
    },
  )

  it.each([VAULT, MANAGED_HSM])('is asked for where it is missing or empty: %s', async (origin) => {
    const audience = origin === VAULT ? 'https://vault.azure.net' : 'https://managedhsm.azure.net'
    const authorization = `Bearer ${await world.token(audience)}`
    for (const query of ['', '?api-version=']) {
      const answer = await world.fetch(new Request(`${origin}/keys${query}`, { headers: { authorization } }))
      expect(answer.status).toBe(400)
      expect((await answer.json()).error).toMatchObject({
        code: 'BadParameter',
        message: expect.stringContaining('The api-version query parameter is required.'),
      })
    }
  })

  it('is found under a name that was percent-encoded, as the JavaScript client sends it', async () => {
    const authorization = `Bearer ${await world.token('https://vault.azure.net')}`
    const request = new Request(`${VAULT}/keys?api%2Dversion=2025-07-01`, { headers: { authorization } })
    expect((await world.fetch(request)).status).toBe(200)
  })
})

describe('an operation that came with a later version is, on a vault, a word that names nothing', () => {
  it.each([
    ['POST', '/keys/k/release', 'release', '7.2', '7.3'],
    ['POST', '/keys/k//release', 'release', '7.2', '7.3-preview'],
    ['POST', '/keys/k/rotate', 'rotate', '7.2', '7.3'],
    ['GET', '/keys/k/rotationpolicy', 'rotationpolicy', '7.2', '7.3'],
    ['PUT', '/keys/k/rotationpolicy', 'rotationpolicy', '7.2', '7.3'],
    ['GET', '/keys/k/attestation', 'attestation', '7.6-preview.1', '7.6-preview.2'],
    ['GET', '/keys/k/00000000000000000000000000000000/attestation', 'attestation', '7.5', '7.6'],
    ['POST', '/keys/k/securewrapkey', 'securewrapkey', '2025-07-01', '2026-01-01-preview'],
    ['POST', '/keys/k//secureunwrapkey', 'secureunwrapkey', '2025-07-01', '2026-04-01'],
  ])('%s %s', async (method, path, word, without, having) => {
    const body = method === 'GET' ? undefined : {}
    const refused = await world.call(method, `${VAULT}${path}?api-version=${without}`, body)
    expect(refused.status).toBe(400)
    expect(refused.json.error).toEqual({
      code: 'BadParameter',
      message: `Method ${method} does not allow operation '${word}'`,
    })
    const known = await world.call(method, `${VAULT}${path}?api-version=${having}`, body)
    expect(known.json.error?.message).not.toMatch('does not allow operation')
    expect((await world.call(method, `${MANAGED_HSM}${path}?api-version=${without}`, body)).json.error.code).toBe(
      'NotFound',
    )
  })

  it('random bytes of a managed HSM came with 7.3, and a vault never had them', async () => {
    expect((await world.call('POST', `${MANAGED_HSM}/rng?api-version=7.2`, { count: 8 })).status).toBe(404)
    expect((await world.call('POST', `${MANAGED_HSM}/rng?api-version=7.3`, { count: 8 })).status).toBe(200)
    expect((await world.call('POST', `${VAULT}/rng?api-version=7.3`, { count: 8 })).status).toBe(404)
  })
})

describe('a member that came with a later version', () => {
  const exportable = { kty: 'RSA-HSM', attributes: { exportable: true }, release_policy: { data: POLICY } }

  it('exportable is refused under 7.2, with the number that names the version it needs', async () => {
    const { status, json } = await world.call('POST', `${VAULT}/keys/k/create?api-version=7.2`, exportable)
    expect([status, json.error.message]).toEqual([
      400,
      "AKV.SKR.1001: The exportable attribute is only supported with premium vaults and API version >= '7.3-preview'.",
    ])
  })

  it.each([VAULT, MANAGED_HSM])('a release policy is, under 7.2, neither taken nor shown: %s', async (origin) => {
    const { release_policy } = exportable
    const made = await world.call('POST', `${origin}/keys/old/create?api-version=7.2`, { kty: 'EC', release_policy })
    expect(made.status).toBe(200)
    expect(made.json.attributes).not.toHaveProperty('exportable')
    expect((await world.call('GET', `${origin}/keys/old`)).json).not.toHaveProperty('release_policy')
    await world.call('POST', `${origin}/keys/k/create`, exportable)
    expect((await world.call('GET', `${origin}/keys/k?api-version=7.2`)).json).not.toHaveProperty('release_policy')
    expect((await world.call('GET', `${origin}/keys/k?api-version=7.3`)).json).toHaveProperty('release_policy')
  })

  it.each([
    ['7.4', undefined],
    ['7.5-preview.1', '2'],
    ['7.6', '2'],
    ['2026-04-01', '2'],
  ])('under %s the hsmPlatform of a vault is %s', async (version, platform) => {
    await world.call('POST', `${VAULT}/keys/k/create`, { kty: 'EC-HSM' })
    expect((await world.call('GET', `${VAULT}/keys/k?api-version=${version}`)).json.attributes.hsmPlatform).toBe(
      platform,
    )
  })

  it('key_size is shown under every version: of all keys of a vault, of symmetric ones of a managed HSM', async () => {
    for (const [kty, size, curve] of [
      ['RSA', 2048],
      ['EC', 521, 'P-521'],
    ] as const) {
      const crv = curve === undefined ? {} : { crv: curve }
      await world.call('POST', `${VAULT}/keys/${kty}/create`, { kty, ...crv })
      expect((await world.call('GET', `${VAULT}/keys/${kty}?api-version=7.2`)).json.attributes.key_size).toBe(size)
      const ofHsm = await world.call('POST', `${MANAGED_HSM}/keys/${kty}/create`, { kty, ...crv })
      expect(ofHsm.json.attributes).not.toHaveProperty('key_size')
    }
    const oct = await world.call('POST', `${MANAGED_HSM}/keys/oct/create`, { kty: 'oct-HSM', key_size: 192 })
    expect(oct.json.attributes.key_size).toBe(192)
    const deleted = await world.call('DELETE', `${MANAGED_HSM}/keys/oct`)
    expect(deleted.json.attributes).not.toHaveProperty('key_size')
  })
})
