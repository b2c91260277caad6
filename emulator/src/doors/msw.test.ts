import { ClientSecretCredential } from '@azure/identity'
import { KeyClient } from '@azure/keyvault-keys'
import { setupServer } from 'msw/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seedResources } from '../arm/index.ts'
import { TEST_CACHE_DIRECTORY } from '../core/test-context.ts'
import { skerryHandlers } from './msw.ts'

describe('the door in process', () => {
  const skerry = skerryHandlers({ cacheDir: TEST_CACHE_DIRECTORY })
  const server = setupServer(...skerry.handlers)
  beforeAll(async () => {
    const { context } = await skerry.emulator()
    seedResources(context, { vaults: [{ name: 'v', resourceGroup: 'r' }] })
    server.listen({ onUnhandledFrame: 'bypass' })
  })
  afterAll(async () => {
    server.close()
    await skerry.close()
  })

  it('answers the official SDKs, with their challenge check left on', async () => {
    const { tenantId, admin } = skerry.seed
    const credential = new ClientSecretCredential(tenantId, admin.clientId, admin.clientSecret)
    const client = new KeyClient('https://v.vault.azure.net', credential)
    const created = await client.createRsaKey('k')
    expect((await client.getKey('k')).id).toBe(created.id)
    expect(created.id).toMatch(/^https:\/\/v\.vault\.azure\.net\/keys\/k\/[0-9a-f]{32}$/)
  })

  it('answers fetch', async () => {
    const response = await fetch('https://sharedweu.weu.attest.azure.net/.well-known/openid-configuration')
    expect(await response.json()).toMatchObject({ issuer: 'https://sharedweu.weu.attest.azure.net' })
  })

  it('refuses a secret that is not the seed’s', async () => {
    const { tenantId, admin } = skerry.seed
    const client = new KeyClient(
      'https://v.vault.azure.net',
      new ClientSecretCredential(tenantId, admin.clientId, 'wrong'),
    )
    await expect(client.getKey('k')).rejects.toThrow(/AADSTS7000215/)
  })

  it('leaves other hosts alone', async () => {
    // Nothing listens there: what fails is the connection, not an answer of the emulator.
    await expect(fetch('http://127.0.0.1:9/')).rejects.toThrow('fetch failed')
  })
})
