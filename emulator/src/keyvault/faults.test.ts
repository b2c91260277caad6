import { beforeEach, describe, expect, it } from 'vitest'
import type { KeyVaultFaults } from '../core/faults.ts'
import { createVaultWorld, MANAGED_HSM, VAULT, type VaultWorld } from './test-vaults.ts'

let world: VaultWorld
const under = (keyVault: KeyVaultFaults) => {
  world = createVaultWorld({ faults: { tamper: 'none', keyVault } })
}
const status = async (method: string, path: string, body?: unknown) =>
  (await world.call(method, `${VAULT}${path}`, body)).status
const names = async (path: string) => (await world.call('GET', `${VAULT}${path}`)).json.value.length

describe('a deletion that takes its time', () => {
  beforeEach(async () => {
    under({ deletionDelayMs: 5000 })
    await world.call('POST', `${VAULT}/keys/k/create`, { kty: 'EC' })
    expect(await status('DELETE', '/keys/k')).toBe(200)
  })

  it('leaves the key nowhere to be found', async () => {
    expect(await status('GET', '/keys/k')).toBe(404)
    const deleted = await world.call('GET', `${VAULT}/deletedkeys/k`)
    expect([deleted.status, deleted.json.error.code]).toEqual([404, 'KeyNotFound'])
    expect(await status('POST', '/deletedkeys/k/recover')).toBe(404)
    expect(await status('DELETE', '/deletedkeys/k')).toBe(404)
    expect([await names('/keys'), await names('/deletedkeys')]).toEqual([0, 0])
  })

  it.each([
    ['POST', '/keys/k/create', { kty: 'EC' }],
    ['PUT', '/keys/k', { key: {} }],
  ])('keeps the name: %s %s', async (method, path, body) => {
    const taken = await world.call(method, `${VAULT}${path}`, body)
    expect(taken.status).toBe(409)
    expect(taken.json.error).toEqual({
      code: 'Conflict',
      message: 'Key is currently being deleted.',
      innererror: { code: 'ObjectIsBeingDeleted' },
    })
  })

  it('is over in the end', async () => {
    await world.clock.advance(4999)
    expect(await status('GET', '/deletedkeys/k')).toBe(404)
    await world.clock.advance(1)
    expect(await status('GET', '/deletedkeys/k')).toBe(200)
    expect(await names('/deletedkeys')).toBe(1)
    const taken = await world.call('POST', `${VAULT}/keys/k/create`, { kty: 'EC' })
    expect(taken.json.error.innererror.code).toBe('ObjectIsDeletedButRecoverable')
    expect(await status('DELETE', '/deletedkeys/k')).toBe(204)
  })

  it('is over at once on a managed HSM', async () => {
    await world.call('POST', `${MANAGED_HSM}/keys/k/create`, { kty: 'EC' })
    await world.call('DELETE', `${MANAGED_HSM}/keys/k`)
    expect((await world.call('GET', `${MANAGED_HSM}/deletedkeys/k`)).status).toBe(200)
  })
})

it('a recovery that takes its time keeps the name, and the key comes back in the end as it was', async () => {
  under({ recoveryDelayMs: 5000 })
  const made = await world.call('POST', `${VAULT}/keys/k/create`, { kty: 'EC', tags: { a: 'b' } })
  await world.call('DELETE', `${VAULT}/keys/k`)
  expect((await world.call('POST', `${VAULT}/deletedkeys/k/recover`)).json).toEqual(made.json)
  expect(await status('GET', '/keys/k')).toBe(404)
  expect(await status('GET', '/deletedkeys/k')).toBe(404)
  const taken = await world.call('POST', `${VAULT}/keys/k/create`, { kty: 'EC' })
  expect([taken.status, taken.json.error.innererror.code]).toEqual([409, 'ObjectIsBeingRecovered'])
  await world.clock.advance(5000)
  expect((await world.call('GET', `${VAULT}/keys/k`)).json).toEqual(made.json)
  expect([await names('/keys'), await names('/deletedkeys')]).toEqual([1, 0])
  await world.clock.advance(8 * 86_400_000)
  expect(await status('GET', '/keys/k')).toBe(200)
})

it('a purge that takes its time keeps the name, too, and a backup waits for its end', async () => {
  under({ purgeDelayMs: 5000 })
  const made = await world.call('POST', `${VAULT}/keys/k/create`, { kty: 'EC' })
  const backup = (await world.call('POST', `${VAULT}/keys/k/backup`)).json
  await world.call('DELETE', `${VAULT}/keys/k`)
  expect(await status('DELETE', '/deletedkeys/k')).toBe(204)
  expect([await status('GET', '/keys/k'), await status('GET', '/deletedkeys/k')]).toEqual([404, 404])
  expect(await status('POST', '/keys/k/create', { kty: 'EC' })).toBe(409)
  const refused = await world.call('POST', `${VAULT}/keys/restore`, backup)
  expect([refused.status, refused.json.error.code, refused.json.error.innererror]).toEqual([409, 'Conflict', undefined])
  await world.clock.advance(5000)
  expect((await world.call('POST', `${VAULT}/keys/restore`, backup)).json).toEqual(made.json)
})

describe('throttling', () => {
  it('answers every n-th request to a vault with 429, and says when to come back', async () => {
    under({ throttle: { every: 3, retryAfterSeconds: 7 } })
    const answers = []
    for (let request = 0; request < 6; request++) answers.push(await world.call('GET', `${VAULT}/keys`))
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 429, 200, 200, 429])
    expect(answers[2]!.headers.get('retry-after')).toBe('7')
    expect(answers[2]!.json.error).toEqual({
      code: 'Throttled',
      message:
        'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
    })
  })

  it('says nothing of when unless it is to', async () => {
    under({ throttle: { every: 1 } })
    const answer = await world.call('GET', `${VAULT}/keys`)
    expect([answer.status, answer.headers.has('retry-after')]).toEqual([429, false])
  })

  it('leaves managed HSMs, and requests without a token, alone', async () => {
    under({ throttle: { every: 1 } })
    expect((await world.call('GET', `${MANAGED_HSM}/keys`)).status).toBe(200)
    expect((await world.fetch(`${VAULT}/keys?api-version=7.4`)).status).toBe(401)
  })
})

it('a token from before the revocation gets a claims challenge, one from after it is taken', async () => {
  const start = Date.parse('2026-01-01T00:00:00Z')
  under({ tokensRevokedBefore: start + 10_000 })
  const get = (token: string) =>
    world.fetch(new Request(`${VAULT}/keys?api-version=7.4`, { headers: { authorization: `Bearer ${token}` } }))
  const old = await world.token('https://vault.azure.net')
  await world.clock.advance(10_000)
  const refused = await get(old)
  expect(refused.status).toBe(401)
  const challenge = refused.headers.get('www-authenticate') ?? ''
  expect(challenge).toMatch(
    /^Bearer realm="", authorization_uri="https:\/\/[^"]+\/common\/oauth2\/authorize", error="insufficient_claims", claims="[^"]+"$/,
  )
  const claims = JSON.parse(Buffer.from(/claims="([^"]+)"/.exec(challenge)![1]!, 'base64').toString())
  expect(claims).toEqual({ access_token: { nbf: { essential: true, value: String(start / 1000 + 10) } } })
  expect((await refused.json()).error.code).toBe('Unauthorized')
  expect((await get(await world.token('https://vault.azure.net'))).status).toBe(200)
})
