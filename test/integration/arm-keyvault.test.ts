import { type KeyVaultManagementClient as Client, KeyVaultManagementClient } from '@azure/arm-keyvault'
import type { TokenCredential } from '@azure/core-auth'
import { KeyClient } from '@azure/keyvault-keys'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ArmWorld, createArmWorld } from '../../emulator/src/arm/test-world.ts'
import { type MovableClock, manualClock } from '../../emulator/src/core/index.ts'
import { sdkHttpClient } from '../support/sdk-http-client.ts'

/** Azure's own client of the management of vaults against the emulated Resource Manager, in the newest api-version. */

const FAST = { updateIntervalInMs: 1 }

let clock: MovableClock
let arm: ArmWorld
let client: Client
let httpClient: ReturnType<typeof sdkHttpClient>

beforeEach(async () => {
  clock = manualClock('2026-01-01T00:00:00Z')
  arm = createArmWorld(clock)
  // Every request takes half a second of the emulator's time: a poller gets where it is going, and nobody waits.
  httpClient = sdkHttpClient(async (request) => {
    await clock.advance(500)
    return await arm.world.fetch(request)
  })
  client = new KeyVaultManagementClient(credentialFor('https://management.azure.com'), arm.subscription, {
    httpClient,
    retryOptions: { maxRetries: 0 },
  })
  await arm.send('PUT', `/subscriptions/${arm.subscription}/resourceGroups/rg?api-version=2021-04-01`, {
    location: 'westeurope',
  })
})
afterEach(async () => {
  await arm[Symbol.asyncDispose]()
})

const credentialFor = (audience: string): TokenCredential => ({
  getToken: async () => ({ token: await arm.token(undefined, audience), expiresOnTimestamp: Number.MAX_SAFE_INTEGER }),
})
const tenantId = () => arm.world.ctx.seed.tenantId
const adminId = () => arm.world.ctx.seed.admin.objectId
const vaultBody = (properties: object = {}) => ({
  location: 'westeurope',
  properties: { tenantId: tenantId(), sku: { family: 'A' as const, name: 'premium' as const }, ...properties },
})
const keysOf = (host: string) =>
  new KeyClient(`https://${host}`, credentialFor(`https://${host.slice(host.indexOf('.') + 1)}`), {
    httpClient,
    retryOptions: { maxRetries: 0 },
  })

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of pages) items.push(item)
  return items
}

describe('@azure/arm-keyvault: vaults', () => {
  it('makes one, which goes by roles in this version unless it says otherwise', async () => {
    const made = await client.vaults.createOrUpdate('rg', 'Mine1', vaultBody(), FAST)
    expect(made).toMatchObject({
      name: 'Mine1',
      type: 'Microsoft.KeyVault/vaults',
      properties: {
        vaultUri: 'https://mine1.vault.azure.net/',
        provisioningState: 'Succeeded',
        enableRbacAuthorization: true,
        softDeleteRetentionInDays: 90,
        publicNetworkAccess: 'Enabled',
      },
    })
  })
  it('lists them by group, by subscription and as resources, page by page', async () => {
    for (const name of ['one', 'two', 'tri']) await client.vaults.createOrUpdate('rg', name, vaultBody(), FAST)
    const names = async (pages: AsyncIterable<{ name?: string }>) =>
      (await all(pages)).map(({ name }) => name).toSorted()
    const expected = ['one', 'tri', 'two']
    expect(await names(client.vaults.listByResourceGroup('rg', { top: 2 }))).toEqual(expected)
    expect(await names(client.vaults.listBySubscription({ top: 1 }))).toEqual(expected)
    expect(await names(client.vaults.list())).toEqual(expected)
  })
  it('updates one', async () => {
    await client.vaults.createOrUpdate('rg', 'mine', vaultBody(), FAST)
    const updated = await client.vaults.update('rg', 'mine', {
      tags: { a: 'b' },
      properties: { enablePurgeProtection: true, networkAcls: { defaultAction: 'Allow', bypass: 'None' } },
    })
    expect(updated).toMatchObject({
      tags: { a: 'b' },
      properties: { enablePurgeProtection: true, networkAcls: { defaultAction: 'Allow', bypass: 'None', ipRules: [] } },
    })
  })
  it('adds, replaces and removes access policies, and the client of keys feels it', async () => {
    await client.vaults.createOrUpdate(
      'rg',
      'mine',
      vaultBody({ enableRbacAuthorization: false, accessPolicies: [] }),
      FAST,
    )
    const keys = keysOf('mine.vault.azure.net')
    await expect(keys.createEcKey('k')).rejects.toMatchObject({ statusCode: 403, code: 'Forbidden' })
    const parameters = (words: ('create' | 'get')[]) => ({
      properties: { accessPolicies: [{ tenantId: tenantId(), objectId: adminId(), permissions: { keys: words } }] },
    })
    const added = await client.vaults.updateAccessPolicy('rg', 'mine', 'add', parameters(['create']))
    expect(added.properties?.accessPolicies?.[0]?.permissions.keys).toEqual(['create'])
    await keys.createEcKey('k')
    await expect(keys.getKey('k')).rejects.toMatchObject({ statusCode: 403 })
    await client.vaults.updateAccessPolicy('rg', 'mine', 'replace', parameters(['get']))
    expect((await keys.getKey('k')).name).toBe('k')
    await client.vaults.updateAccessPolicy('rg', 'mine', 'remove', parameters(['get']))
    await expect(keys.getKey('k')).rejects.toMatchObject({ statusCode: 403 })
  })
  it('checks a name', async () => {
    await client.vaults.createOrUpdate('rg', 'mine', vaultBody(), FAST)
    const check = (name: string) => client.vaults.checkNameAvailability({ name, type: 'Microsoft.KeyVault/vaults' })
    expect(await check('mine')).toMatchObject({ nameAvailable: false, reason: 'AlreadyExists' })
    expect(await check('other')).toMatchObject({ nameAvailable: true })
  })
  it('deletes one, finds it among the deleted, and recovers it with its keys', async () => {
    await client.vaults.createOrUpdate('rg', 'mine', vaultBody(), FAST)
    await keysOf('mine.vault.azure.net').createEcKey('k')
    await client.vaults.delete('rg', 'mine')
    await expect(client.vaults.get('rg', 'mine')).rejects.toMatchObject({ statusCode: 404, code: 'ResourceNotFound' })
    const deleted = await client.vaults.getDeleted('mine', 'westeurope')
    expect(deleted.properties?.scheduledPurgeDate?.toISOString()).toMatch(/^2026-04-01T00:00:/)
    expect((await all(client.vaults.listDeleted())).map(({ name }) => name)).toEqual(['mine'])
    await expect(client.vaults.createOrUpdate('rg', 'mine', vaultBody(), FAST)).rejects.toMatchObject({
      code: 'ConflictError',
    })
    await client.vaults.createOrUpdate('rg', 'mine', vaultBody({ createMode: 'recover' }), FAST)
    expect((await keysOf('mine.vault.azure.net').getKey('k')).name).toBe('k')
  })
  it('purges one, and waits until it is gone', async () => {
    await client.vaults.createOrUpdate('rg', 'mine', vaultBody(), FAST)
    await client.vaults.delete('rg', 'mine')
    await client.vaults.purgeDeleted('mine', 'westeurope', FAST)
    expect(await all(client.vaults.listDeleted())).toEqual([])
    await client.vaults.createOrUpdate('rg', 'mine', vaultBody(), FAST)
  })
})

describe('@azure/arm-keyvault: keys', () => {
  it('makes a key once, and lists it with its versions', async () => {
    await client.vaults.createOrUpdate('rg', 'mine', vaultBody(), FAST)
    const made = await client.keys.createIfNotExist('rg', 'mine', 'k', {
      properties: { kty: 'RSA', keySize: 2048, keyOps: ['sign', 'verify'], attributes: { enabled: true } },
    })
    expect(made).toMatchObject({ name: 'k', keySize: 2048, keyOps: ['sign', 'verify'] })
    const again = await client.keys.createIfNotExist('rg', 'mine', 'k', { properties: { kty: 'EC' } })
    expect(again.keyUriWithVersion).toBe(made.keyUriWithVersion)
    expect((await client.keys.get('rg', 'mine', 'k')).keyUriWithVersion).toBe(made.keyUriWithVersion)
    expect((await all(client.keys.list('rg', 'mine'))).map(({ name }) => name)).toEqual(['k'])
    const [version] = await all(client.keys.listVersions('rg', 'mine', 'k'))
    expect(await client.keys.getVersion('rg', 'mine', 'k', version?.name ?? '')).toEqual(version)
    expect((await keysOf('mine.vault.azure.net').getKey('k')).id).toBe(made.keyUriWithVersion)
  })
})

describe('@azure/arm-keyvault: managed HSMs', () => {
  const hsmBody = (properties: object = {}) => ({
    location: 'westeurope',
    sku: { family: 'B' as const, name: 'Standard_B1' as const },
    properties: { tenantId: tenantId(), initialAdminObjectIds: [adminId()], ...properties },
  })
  it('makes one, and waits until it is there', async () => {
    const made = await client.managedHsms.createOrUpdate('rg', 'hsm', hsmBody(), FAST)
    expect(made.properties).toMatchObject({
      hsmUri: 'https://hsm.managedhsm.azure.net/',
      provisioningState: 'Succeeded',
      initialAdminObjectIds: [adminId()],
      securityDomainProperties: { activationStatus: 'Active' },
    })
    expect((await all(client.managedHsms.listBySubscription())).map(({ name }) => name)).toEqual(['hsm'])
    expect((await all(client.mhsmRegions.listByResource('rg', 'hsm'))).map(({ isPrimary }) => isPrimary)).toEqual([
      true,
    ])
  })
  it('updates, deletes, finds and purges one', async () => {
    await client.managedHsms.createOrUpdate('rg', 'hsm', hsmBody({ enablePurgeProtection: false }), FAST)
    const updated = await client.managedHsms.update('rg', 'hsm', { tags: { a: 'b' } }, FAST)
    expect(updated.tags).toEqual({ a: 'b' })
    await client.managedHsms.delete('rg', 'hsm', FAST)
    expect((await client.managedHsms.getDeleted('hsm', 'westeurope')).properties?.mhsmId).toMatch(/managedHSMs\/hsm$/)
    expect((await client.managedHsms.checkMhsmNameAvailability({ name: 'hsm' })).nameAvailable).toBe(false)
    await client.managedHsms.purgeDeleted('hsm', 'westeurope', FAST)
    expect(await all(client.managedHsms.listDeleted())).toEqual([])
    expect((await client.managedHsms.checkMhsmNameAvailability({ name: 'hsm' })).nameAvailable).toBe(true)
  })
})

describe('@azure/arm-keyvault: operations', () => {
  it('are told', async () => {
    const names = (await all(client.operations.list())).map(({ name }) => name)
    expect(names).toContain('Microsoft.KeyVault/locations/deletedVaults/purge/action')
  })
})
