import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type MovableClock, manualClock } from '../../core/index.ts'
import { seedResources } from '../seed.ts'
import { type ArmWorld, createArmWorld, errorOf } from '../test-world.ts'

const V = 'api-version=2023-07-01'

let clock: MovableClock
let arm: ArmWorld
let subscription: string
let hsmId: string

beforeEach(() => {
  clock = manualClock('2026-01-01T00:00:00Z')
  arm = createArmWorld(clock)
  subscription = `/subscriptions/${arm.subscription}`
  hsmId = `${subscription}/resourceGroups/rg/providers/Microsoft.KeyVault/managedHSMs/hsm-mine`
  seedResources(arm.world.ctx, { resourceGroups: [{ name: 'rg' }] })
})
afterEach(async () => {
  await arm[Symbol.asyncDispose]()
})

const read = async (at: string) => {
  const answer = await arm.send('GET', `${at}?${V}`)
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was answered
  return (await answer.json()) as any
}

describe('a managed HSM', () => {
  const HSM = 'https://hsm-mine.managedhsm.azure.net'
  const make = (admins: string[], properties: object = {}) =>
    arm.send('PUT', `${hsmId}?${V}`, {
      location: 'westeurope',
      sku: { family: 'B', name: 'Standard_B1' },
      properties: { tenantId: arm.world.ctx.seed.tenantId, initialAdminObjectIds: admins, ...properties },
    })

  it('is made by an operation that ends with it', async () => {
    const made = await make([arm.world.ctx.seed.admin.objectId])
    expect([made.status, await made.json()]).toMatchObject([202, { properties: { provisioningState: 'Provisioning' } }])
    const { pathname, search } = new URL(made.headers.get('location') ?? '')
    expect(pathname).toContain('/locations/westeurope/managedHsmOperationResults/')
    expect((await arm.send('GET', pathname + search)).status).toBe(202)
    await clock.advance(1_000)
    const done = await arm.send('GET', pathname + search)
    expect([done.status, await done.json()]).toMatchObject([
      200,
      { id: hsmId, properties: { provisioningState: 'Succeeded', hsmUri: `${HSM}/` } },
    ])
  })
  it('is administered by those who were named, who use no key before they say so', async () => {
    const keeper = arm.principal('keeper')
    await make([keeper.objectId])
    expect((await arm.data('POST', `${HSM}/keys/k/create`, { kty: 'EC-HSM' }, keeper)).status).toBe(403)
    const url = `${HSM}/keys/providers/Microsoft.Authorization/roleAssignments/11111111-2222-4333-8444-555555555555`
    const role = {
      properties: { roleDefinitionId: '21dbd100-6940-42c2-9190-5d6cb909625b', principalId: keeper.objectId },
    }
    expect((await arm.data('PUT', url, role)).status).toBe(403)
    expect((await arm.data('PUT', url, role, keeper)).status).toBe(201)
    expect((await arm.data('POST', `${HSM}/keys/k/create`, { kty: 'EC-HSM' }, keeper)).status).toBe(200)
  })
  it('needs an administrator', async () => {
    expect(await errorOf(make([]))).toMatchObject({
      status: 400,
      message: expect.stringContaining('initialAdminObjectIds'),
    })
  })
  it('is protected from purges unless it was made otherwise, and for good', async () => {
    await make([arm.world.ctx.seed.admin.objectId])
    expect((await read(hsmId)).properties.enablePurgeProtection).toBe(true)
    const answer = arm.send('PATCH', `${hsmId}?${V}`, { properties: { enablePurgeProtection: false } })
    expect(await errorOf(answer)).toMatchObject({
      status: 400,
      message: expect.stringContaining('enablePurgeProtection'),
    })
    await arm.send('DELETE', `${hsmId}?${V}`)
    const purge = arm.send(
      'POST',
      `${subscription}/providers/Microsoft.KeyVault/locations/westeurope/deletedManagedHSMs/hsm-mine/purge?${V}`,
    )
    expect(await errorOf(purge)).toMatchObject({ status: 405, code: 'MethodNotAllowed' })
  })
  it('is deleted, told, recovered with its roles, purged', async () => {
    const keeper = arm.principal('keeper')
    await make([keeper.objectId], { enablePurgeProtection: false })
    const roles = `${HSM}//providers/Microsoft.Authorization/roleAssignments`
    expect((await arm.data('GET', roles, undefined, keeper)).status).toBe(200)
    expect((await arm.send('DELETE', `${hsmId}?${V}`)).status).toBe(202)
    const place = `${subscription}/providers/Microsoft.KeyVault/locations/westeurope/deletedManagedHSMs/hsm-mine`
    expect(await read(place)).toMatchObject({
      type: 'Microsoft.KeyVault/deletedManagedHSMs',
      properties: { mhsmId: hsmId, scheduledPurgeDate: '2026-04-01T00:00:00Z' },
    })
    await make([], { createMode: 'recover' })
    expect((await arm.data('GET', roles, undefined, keeper)).status).toBe(200)
    await arm.send('DELETE', `${hsmId}?${V}`)
    expect((await arm.send('POST', `${place}/purge?${V}`)).status).toBe(202)
    await clock.advance(1_000)
    await make([arm.world.ctx.seed.admin.objectId])
    expect((await arm.data('GET', roles, undefined, keeper)).status).toBe(403)
  })
  it('is changed by a PATCH', async () => {
    await make([arm.world.ctx.seed.admin.objectId])
    const answer = await arm.send('PATCH', `${hsmId}?${V}`, {
      tags: { a: 'b' },
      properties: { publicNetworkAccess: 'Disabled' },
    })
    expect(await answer.json()).toMatchObject({ tags: { a: 'b' }, properties: { publicNetworkAccess: 'Disabled' } })
    expect((await arm.data('GET', `${HSM}/keys`)).status).toBe(403)
  })
  it('shows its keys to Resource Manager once its setting lets it', async () => {
    const { admin } = arm.world.ctx.seed
    await make([admin.objectId])
    const key = `${hsmId}/keys/k`
    const wanted = { properties: { kty: 'RSA-HSM', keySize: 2048 } }
    expect(await errorOf(arm.send('PUT', `${key}?${V}`, wanted))).toMatchObject({
      status: 403,
      message: expect.stringContaining('AllowKeyManagementOperationsThroughARM'),
    })
    const setting = `${HSM}/settings/AllowKeyManagementOperationsThroughARM`
    expect(await (await arm.data('PATCH', setting, { value: 'true' })).json()).toEqual({
      name: 'AllowKeyManagementOperationsThroughARM',
      value: 'true',
      type: 'boolean',
    })
    expect((await arm.send('PUT', `${key}?${V}`, wanted)).status).toBe(200)
    expect(await read(key)).toMatchObject({
      type: 'Microsoft.KeyVault/managedHSMs/keys',
      properties: { kty: 'RSA-HSM' },
    })
  })
})
