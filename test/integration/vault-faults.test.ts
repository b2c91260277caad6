import { KeyClient } from '@azure/keyvault-keys'
import { expect, it } from 'vitest'
import type { KeyVaultFaults } from '../../emulator/src/core/faults.ts'
import { createVaultWorld, VAULT } from '../../emulator/src/keyvault/test-vaults.ts'
import { sdkHttpClient } from '../support/sdk-http-client.ts'

/* What a client makes of a vault that takes its time, is busy, or revoked its token: Microsoft's own, in this process. */

const START = Date.parse('2026-01-01T00:00:00Z')

function clientUnder(keyVault: KeyVaultFaults) {
  const world = createVaultWorld({ faults: { tamper: 'none', keyVault } })
  const statuses: string[] = []
  const claims: (string | undefined)[] = []
  // Every request takes two seconds of the world's time, which is what the client would wait between two.
  const httpClient = sdkHttpClient(async (request) => {
    const answer = await world.fetch(request)
    statuses.push(`${request.method} ${answer.status}`)
    await world.clock.advance(2000)
    return answer
  })
  const client = new KeyClient(
    VAULT,
    {
      getToken: async (_scopes, options) => {
        claims.push(options?.claims)
        return { token: await world.token('https://vault.azure.net'), expiresOnTimestamp: Number.MAX_SAFE_INTEGER }
      },
    },
    { httpClient, retryOptions: { retryDelayInMs: 1, maxRetryDelayInMs: 1 } },
  )
  return { world, client, statuses, claims }
}

it('polls until a deletion is over, and until a recovery is', async () => {
  const { client, statuses } = clientUnder({ deletionDelayMs: 7000, recoveryDelayMs: 7000 })
  await client.createEcKey('k')
  const deletion = await client.beginDeleteKey('k', { intervalInMs: 1 })
  expect((await deletion.pollUntilDone()).properties.recoveryId).toBe(`${VAULT}/deletedkeys/k`)
  expect(statuses.filter((status) => status === 'GET 404').length).toBeGreaterThan(1)
  statuses.length = 0
  const recovery = await client.beginRecoverDeletedKey('k', { intervalInMs: 1 })
  expect((await recovery.pollUntilDone()).name).toBe('k')
  expect(statuses.filter((status) => status === 'GET 404').length).toBeGreaterThan(1)
  expect((await client.getKey('k')).name).toBe('k')
})

it('sends again what was throttled', async () => {
  const { client, statuses } = clientUnder({ throttle: { every: 2, retryAfterSeconds: 0 } })
  await client.createEcKey('a')
  await client.createEcKey('b')
  expect(statuses).toEqual(['POST 401', 'POST 200', 'POST 429', 'POST 200'])
})

it('answers a claims challenge with a token that was asked for with the claims, and goes on', async () => {
  const { client, statuses, claims } = clientUnder({ tokensRevokedBefore: START + 3000 })
  await client.createEcKey('k')
  expect(statuses.slice(0, 3)).toEqual(['POST 401', 'POST 401', 'POST 200'])
  expect(JSON.parse(claims.at(-1) ?? '')).toEqual({
    access_token: { nbf: { essential: true, value: String(START / 1000 + 3) } },
  })
})
