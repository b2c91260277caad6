import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findRoleByRoleName } from '../../rbac/index.ts'
import { errorOf } from '../test-world.ts'
import { type ArmVault, createArmVault, V, VAULT } from './test-vault.ts'

let arm: ArmVault
let subscription: string
let vault: string

beforeEach(() => {
  arm = createArmVault()
  subscription = arm.subscriptionPath
  vault = arm.vault
})
afterEach(async () => {
  await arm[Symbol.asyncDispose]()
})

const put: ArmVault['put'] = (...args) => arm.put(...args)
const read: ArmVault['read'] = (...args) => arm.read(...args)
const makeKey = async (name?: string) => expect((await arm.makeKey(name)).status).toBe(200)

describe('a key through Resource Manager', () => {
  const key = (name = 'k') => `${vault}/keys/${name}`
  const make = (properties: object, name = 'k') =>
    arm.send('PUT', `${key(name)}?${V}`, { tags: { a: 'b' }, properties })

  it('is made once, and never changed', async () => {
    await put()
    const made = await make({ kty: 'EC', curveName: 'P-384', attributes: { exp: 2_000_000_000 } })
    const view = (await made.json()) as { properties: { keyUriWithVersion: string } }
    expect(view).toMatchObject({
      id: key(),
      name: 'k',
      type: 'Microsoft.KeyVault/vaults/keys',
      location: 'westeurope',
      tags: { a: 'b' },
      properties: {
        attributes: { enabled: true, exp: 2_000_000_000, recoveryLevel: 'Recoverable+Purgeable', exportable: false },
        kty: 'EC',
        keyOps: ['sign', 'verify'],
        curveName: 'P-384',
        keyUri: `${VAULT}/keys/k`,
      },
    })
    expect(await (await make({ kty: 'RSA' })).json()).toEqual(view)
    expect(((await (await arm.data('GET', `${VAULT}/keys/k`)).json()) as { key: { kid: string } }).key.kid).toBe(
      view.properties.keyUriWithVersion,
    )
  })
  it('is listed, with its versions', async () => {
    await put()
    await makeKey()
    await makeKey()
    const list = await read(`${vault}/keys`)
    expect(list.value.map(({ name }: { name: string }) => name)).toEqual(['k'])
    const versions = await read(`${key()}/versions`)
    expect(versions.value).toHaveLength(2)
    expect(await read(versions.value[0].id)).toEqual(versions.value[0])
    expect(versions.value[0].type).toBe('Microsoft.KeyVault/vaults/keys/versions')
  })
  it('has the rotation policy that it was made with', async () => {
    await put()
    const rotationPolicy = {
      attributes: { expiryTime: 'P90D' },
      lifetimeActions: [{ trigger: { timeAfterCreate: 'P60D' }, action: { type: 'rotate' } }],
    }
    await make({ kty: 'EC', rotationPolicy })
    expect((await read(key())).properties.rotationPolicy).toMatchObject({
      attributes: { expiryTime: 'P90D' },
      lifetimeActions: expect.arrayContaining([{ trigger: { timeAfterCreate: 'P60D' }, action: { type: 'rotate' } }]),
    })
  })
  it('that the vault would refuse is refused in its words', async () => {
    await put()
    expect(await errorOf(make({ kty: 'oct' }))).toMatchObject({ status: 400 })
    expect(await errorOf(make({}))).toMatchObject({ status: 400, message: 'The property "kty" is missing.' })
    expect(await errorOf(arm.send('GET', `${key()}?${V}`))).toMatchObject({ status: 404, code: 'KeyNotFound' })
  })
  it('in a vault that is not there is refused', async () => {
    expect(await errorOf(make({ kty: 'EC' }))).toMatchObject({ status: 404, code: 'ResourceNotFound' })
  })
})

describe('a template', () => {
  it('makes a vault with policies, a key in it, and a role on the key', async () => {
    const { objectId } = arm.principal('p')
    const accessPolicies = [
      { tenantId: '[subscription().tenantId]', objectId, permissions: { keys: ['get', 'release'] } },
    ]
    const apiVersion = '2023-07-01'
    const template = {
      contentVersion: '1.0.0.0',
      resources: [
        {
          type: 'Microsoft.KeyVault/vaults',
          apiVersion,
          name: 'mine',
          location: 'westeurope',
          properties: {
            tenantId: '[subscription().tenantId]',
            sku: { family: 'A', name: 'premium' },
            accessPolicies,
          },
          resources: [
            { type: 'keys', apiVersion, name: 'k', dependsOn: ['mine'], properties: { kty: 'EC', curveName: 'P-256' } },
            {
              type: 'accessPolicies',
              apiVersion,
              name: 'add',
              dependsOn: ['mine'],
              properties: {
                accessPolicies: [{ tenantId: '[subscription().tenantId]', objectId, permissions: { keys: ['sign'] } }],
              },
            },
          ],
        },
        {
          type: 'Microsoft.Authorization/roleAssignments',
          apiVersion: '2022-04-01',
          name: '11111111-2222-4333-8444-555555555555',
          scope: 'Microsoft.KeyVault/vaults/mine/keys/k',
          dependsOn: ["[resourceId('Microsoft.KeyVault/vaults/keys', 'mine', 'k')]"],
          properties: { roleDefinitionId: findRoleByRoleName('Key Vault Reader')?.name, principalId: objectId },
        },
      ],
      outputs: {
        key: { type: 'string', value: "[reference(resourceId('Microsoft.KeyVault/vaults/keys', 'mine', 'k')).keyUri]" },
      },
    }
    const url = `${subscription}/resourceGroups/rg/providers/Microsoft.Resources/deployments/d`
    const made = await arm.send('PUT', `${url}?${V}`, { properties: { mode: 'Incremental', template } })
    expect(made.status).toBe(201)
    await expect
      .poll(async () => (await read(url)).properties)
      .toMatchObject({
        provisioningState: 'Succeeded',
        outputs: { key: { value: `${VAULT}/keys/k` } },
      })
    expect((await read()).properties.accessPolicies).toEqual([
      { tenantId: arm.world.ctx.seed.tenantId, objectId, permissions: { keys: ['get', 'release', 'sign'] } },
    ])
    const scope = `${vault}/keys/k`
    expect(arm.authorizer.check(objectId, { dataAction: 'Microsoft.KeyVault/vaults/keys/read' }, scope).allowed).toBe(
      true,
    )
  })
})
