import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type MovableClock, manualClock } from '../../core/index.ts'
import { findRoleByRoleName } from '../../rbac/index.ts'
import { seedResources } from '../seed.ts'
import { errorOf } from '../test-world.ts'
import { type ArmVault, createArmVault, V, VAULT } from './test-vault.ts'

const DAY_MS = 86_400_000

let clock: MovableClock
let arm: ArmVault
let subscription: string
let vault: string

beforeEach(() => {
  const manual = manualClock('2026-01-01T00:00:00Z')
  clock = manual
  arm = createArmVault(manual)
  subscription = arm.subscriptionPath
  vault = arm.vault
})
afterEach(async () => {
  await arm[Symbol.asyncDispose]()
})

const put: ArmVault['put'] = (...args) => arm.put(...args)
const read: ArmVault['read'] = (...args) => arm.read(...args)
const remove = () => arm.send('DELETE', `${vault}?${V}`)
const deletedPath = (location = 'westeurope', name = 'mine') =>
  `${subscription}/providers/Microsoft.KeyVault/locations/${location}/deletedVaults/${name}`
const makeKey = async (name?: string) => expect((await arm.makeKey(name)).status).toBe(200)
const keyStatus = async (name = 'k') => (await arm.data('GET', `${VAULT}/keys/${name}`)).status

describe('a vault', () => {
  it.each([
    ['2023-07-01', false],
    ['2026-02-01', true],
  ])('made by version %s without a word on it has role-based access: %s', async (version, expected) => {
    const { enableRbacAuthorization: _, ...properties } = arm.body().properties
    await arm.send('PUT', `${vault}?api-version=${version}`, { ...arm.body(), properties })
    expect((await read()).properties.enableRbacAuthorization).toBe(expected)
  })
  it('tells what it was made with', async () => {
    const networkAcls = {
      bypass: 'None',
      defaultAction: 'Deny',
      ipRules: [{ value: '10.0.0.0/8' }],
      virtualNetworkRules: [],
    }
    const properties = {
      softDeleteRetentionInDays: 7,
      enablePurgeProtection: true,
      enabledForDeployment: true,
      publicNetworkAccess: 'Disabled',
      networkAcls,
    }
    await put(properties, { tags: { a: 'b' } })
    expect(await read()).toMatchObject({
      tags: { a: 'b' },
      properties: { ...properties, enabledForDiskEncryption: false },
    })
  })
  it('keeps by a PATCH what that does not name, and changes what it does', async () => {
    await put({ enabledForDeployment: true }, { tags: { a: 'b' } })
    const answer = await arm.send('PATCH', `${vault}?${V}`, { properties: { publicNetworkAccess: 'disabled' } })
    expect(await answer.json()).toMatchObject({
      tags: { a: 'b' },
      properties: { enabledForDeployment: true, publicNetworkAccess: 'Disabled' },
    })
    await arm.send('PATCH', `${vault}?${V}`, { tags: {} })
    expect(await read()).toMatchObject({ tags: {} })
  })
  it('loses by a PUT what that does not name, its role-based access apart', async () => {
    await put({ enabledForDeployment: true }, { tags: { a: 'b' } })
    await put({ enableRbacAuthorization: null })
    const { tags, properties } = await read()
    expect([tags, properties.enabledForDeployment, properties.enableRbacAuthorization]).toEqual([{}, false, true])
  })
  it.each<[string, object, object, string]>([
    ['another retention', { softDeleteRetentionInDays: 30 }, {}, 'has been set already'],
    ['no soft delete', { enableSoftDelete: false }, {}, '"enableSoftDelete"'],
    ['another location', {}, { location: 'eastus' }, "already exists in location 'westeurope'"],
    ['another tenant', { tenantId: '00000000-0000-0000-0000-000000000001' }, {}, 'tenant'],
    [
      'a firewall rule that is no address',
      { networkAcls: { ipRules: [{ value: '300.1.1.1' }] } },
      {},
      'ipRules[0].value',
    ],
    ['a sku that is none', { sku: { name: 'gold' } }, {}, '"sku.name"'],
  ])('refuses %s', async (_, properties, more, message) => {
    await put()
    const error = await errorOf(put(properties, more))
    expect([400, 409]).toContain(error.status)
    expect(error.message).toContain(message)
  })
  it('that is not there cannot be patched', async () => {
    expect(await errorOf(arm.send('PATCH', `${vault}?${V}`, {}))).toMatchObject({
      status: 404,
      code: 'ResourceNotFound',
    })
  })
})

describe('a deleted vault', () => {
  it('answers no more, and is told with the time at which it goes', async () => {
    await put({ softDeleteRetentionInDays: 7 }, { tags: { a: 'b' } })
    await makeKey()
    expect((await remove()).status).toBe(200)
    expect((await remove()).status).toBe(204)
    expect((await arm.send('GET', `${vault}?${V}`)).status).toBe(404)
    expect(await keyStatus()).toBe(404)
    const view = {
      id: deletedPath(),
      name: 'mine',
      type: 'Microsoft.KeyVault/deletedVaults',
      properties: {
        vaultId: vault,
        location: 'westeurope',
        tags: { a: 'b' },
        deletionDate: '2026-01-01T00:00:00Z',
        scheduledPurgeDate: '2026-01-08T00:00:00Z',
      },
    }
    expect(await read(deletedPath())).toEqual(view)
    expect(await read(`${subscription}/providers/Microsoft.KeyVault/deletedVaults`)).toEqual({ value: [view] })
    expect(await errorOf(arm.send('GET', `${deletedPath('eastus')}?${V}`))).toMatchObject({ status: 404 })
  })
  it('keeps its name from others', async () => {
    await put()
    await remove()
    expect(await errorOf(put())).toMatchObject({ status: 409, code: 'ConflictError' })
    const check = await arm.send('POST', `${subscription}/providers/Microsoft.KeyVault/checkNameAvailability?${V}`, {
      name: 'MINE',
      type: 'Microsoft.KeyVault/vaults',
    })
    expect(await check.json()).toMatchObject({ nameAvailable: false, reason: 'AlreadyExists' })
  })
  it('comes back with its keys and as it was, without its role assignments', async () => {
    await put({}, { tags: { a: 'b' } })
    await makeKey()
    const { objectId } = arm.principal('p')
    const assignment = `${vault}/providers/Microsoft.Authorization/roleAssignments/11111111-2222-4333-8444-555555555555`
    await arm.send('PUT', `${assignment}?${V}`, {
      properties: { roleDefinitionId: findRoleByRoleName('Key Vault Reader')?.name, principalId: objectId },
    })
    await remove()
    expect((await put({ createMode: 'recover' })).status).toBe(200)
    expect(await read()).toMatchObject({ tags: { a: 'b' } })
    expect(await keyStatus()).toBe(200)
    expect((await arm.send('GET', `${assignment}?${V}`)).status).toBe(404)
  })
  it('comes back to where it was and nowhere else', async () => {
    await put()
    await remove()
    seedResources(arm.world.ctx, { resourceGroups: [{ name: 'other' }] })
    const elsewhere = vault.replace('/rg/', '/other/')
    expect(await errorOf(put({ createMode: 'recover' }, {}, elsewhere))).toMatchObject({ code: 'ConflictError' })
  })
  it('that is not there does not come back', async () => {
    expect(await errorOf(put({ createMode: 'recover' }))).toMatchObject({ status: 404, code: 'DeletedVaultNotFound' })
  })
  it('is purged by an operation that is followed; then its keys are gone and its name is free', async () => {
    await put()
    await makeKey()
    await remove()
    const purge = await arm.send('POST', `${deletedPath()}/purge?${V}`)
    expect(purge.status).toBe(202)
    const { pathname, search } = new URL(purge.headers.get('location') ?? '')
    const follow = () => arm.send('GET', pathname + search)
    const before = await follow()
    expect([before.status, await before.json()]).toEqual([
      202,
      { createdDateTime: '2026-01-01 00:00:00Z', status: 'NotStarted' },
    ])
    expect(await errorOf(put({ createMode: 'recover' }))).toMatchObject({ code: 'ConflictError' })
    await clock.advance(1_000)
    const after = await follow()
    expect([after.status, await after.json()]).toEqual([
      200,
      {
        createdDateTime: '2026-01-01 00:00:00Z',
        lastActionDateTime: '2026-01-01 00:00:01Z',
        status: 'Succeeded',
      },
    ])
    expect((await arm.send('GET', `${deletedPath()}?${V}`)).status).toBe(404)
    expect((await put()).status).toBe(200)
    expect(await keyStatus()).toBe(404)
  })
  it('goes by itself when its days are over', async () => {
    await put({ softDeleteRetentionInDays: 7 })
    await makeKey()
    await remove()
    await clock.advance(7 * DAY_MS - 1)
    expect((await arm.send('GET', `${deletedPath()}?${V}`)).status).toBe(200)
    await clock.advance(1)
    expect((await arm.send('GET', `${deletedPath()}?${V}`)).status).toBe(404)
    expect((await put()).status).toBe(200)
    expect(await keyStatus()).toBe(404)
  })
  it('under purge protection is not purged by anybody', async () => {
    await put({ enablePurgeProtection: true, softDeleteRetentionInDays: 7 })
    await remove()
    expect((await read(deletedPath())).properties.purgeProtectionEnabled).toBe(true)
    expect(await errorOf(arm.send('POST', `${deletedPath()}/purge?${V}`))).toMatchObject({
      status: 405,
      code: 'MethodNotAllowed',
      message: "Operation 'DeletedVaultPurge' is not allowed.",
    })
    await clock.advance(7 * DAY_MS)
    expect((await put()).status).toBe(200)
  })
  it('goes with its resource group, and still can come back', async () => {
    await put()
    await arm.send('DELETE', `${subscription}/resourceGroups/rg?${V}`)
    await expect.poll(async () => (await arm.send('GET', `${deletedPath()}?${V}`)).status).toBe(200)
  })
})

describe('the name of a vault', () => {
  const check = async (name: string, kind = 'checkNameAvailability') => {
    const url = `${subscription}/providers/Microsoft.KeyVault/${kind}?${V}`
    return (await (await arm.send('POST', url, { name, type: 'Microsoft.KeyVault/vaults' })).json()) as object
  }
  it('is free, taken or none at all', async () => {
    expect(await check('mine')).toEqual({ nameAvailable: true })
    await put()
    expect(await check('mine')).toMatchObject({ nameAvailable: false, reason: 'AlreadyExists' })
    expect(await check('1')).toMatchObject({ nameAvailable: false, reason: 'AccountNameInvalid' })
  })
  it('is free for a managed HSM all the same', async () => {
    await put()
    expect(await check('mine', 'checkMhsmNameAvailability')).toEqual({ nameAvailable: true })
  })
})

describe('access policies of a vault', () => {
  const policies = (change: string, keys: string[]) =>
    arm.send('PUT', `${vault}/accessPolicies/${change}?${V}`, {
      properties: {
        accessPolicies: [
          { tenantId: arm.world.ctx.seed.tenantId, objectId: arm.world.ctx.seed.admin.objectId, permissions: { keys } },
        ],
      },
    })
  it('decide what may be done with its keys', async () => {
    await put({ enableRbacAuthorization: false })
    expect(await keyStatus()).toBe(403)
    expect((await policies('add', ['create'])).status).toBe(200)
    await makeKey()
    expect(await keyStatus()).toBe(403)
    await policies('add', ['Get'])
    expect(await keyStatus()).toBe(200)
    await policies('remove', ['get'])
    expect(await keyStatus()).toBe(403)
    await policies('replace', ['all'])
    expect(await keyStatus()).toBe(200)
  })
  it('are changed by add, replace and remove, and in no other way', async () => {
    await put({ enableRbacAuthorization: false })
    expect(await errorOf(policies('forget', ['get']))).toMatchObject({ status: 400, code: 'InvalidOperationKind' })
  })
})
