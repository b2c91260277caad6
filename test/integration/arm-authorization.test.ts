import { AuthorizationManagementClient } from '@azure/arm-authorization'
import type { TokenCredential } from '@azure/core-auth'
import { KeyClient } from '@azure/keyvault-keys'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seedResources } from '../../emulator/src/arm/seed.ts'
import { type ArmWorld, type Credential, createArmWorld } from '../../emulator/src/arm/test-world.ts'
import { sdkHttpClient } from '../support/sdk-http-client.ts'

/** Azure's own client of roles against the emulated Resource Manager, and what the vault then lets be done. */

const RELEASE_USER = 'Key Vault Crypto Service Release User'
const ASSIGNMENT = '11111111-2222-4333-8444-555555555555'

let arm: ArmWorld
let subscription: string
let vault: string
let options: { httpClient: ReturnType<typeof sdkHttpClient>; retryOptions: { maxRetries: number } }

beforeEach(() => {
  arm = createArmWorld()
  subscription = `/subscriptions/${arm.subscription}`
  vault = `${subscription}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/skerry-demo`
  options = { httpClient: sdkHttpClient((request) => arm.world.fetch(request)), retryOptions: { maxRetries: 0 } }
  seedResources(arm.world.ctx, { vaults: [{ name: 'skerry-demo', resourceGroup: 'rg' }] })
})
afterEach(async () => {
  await arm[Symbol.asyncDispose]()
})

const credentialOf = (of?: Credential, audience = 'https://management.azure.com'): TokenCredential => ({
  getToken: async () => ({ token: await arm.token(of, audience), expiresOnTimestamp: Number.MAX_SAFE_INTEGER }),
})
const client = (of?: Credential) => new AuthorizationManagementClient(credentialOf(of), arm.subscription, options)
const keys = (of?: Credential) =>
  new KeyClient('https://skerry-demo.vault.azure.net', credentialOf(of, 'https://vault.azure.net'), options)

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of pages) items.push(item)
  return items
}
const roleNamed = async (roleName: string) => {
  const [role] = await all(client().roleDefinitions.list(vault, { filter: `roleName eq '${roleName}'` }))
  return role?.id ?? ''
}

describe('@azure/arm-authorization: role definitions', () => {
  it('are read by name, by id and by GUID', async () => {
    const id = await roleNamed(RELEASE_USER)
    const byId = await client().roleDefinitions.getById(id)
    expect(byId).toMatchObject({
      roleName: RELEASE_USER,
      roleType: 'BuiltInRole',
      permissions: [{ actions: [], dataActions: ['Microsoft.KeyVault/vaults/keys/release/action'] }],
    })
    expect(await client().roleDefinitions.get(vault, id.split('/').at(-1) ?? '')).toEqual(byId)
  })
  it('are made, listed and deleted', async () => {
    const name = '99999999-2222-4333-8444-555555555555'
    const definition = {
      roleName: 'Signer',
      description: 'Signs',
      roleType: 'CustomRole',
      assignableScopes: [vault],
      permissions: [
        {
          actions: [],
          notActions: [],
          dataActions: ['Microsoft.KeyVault/vaults/keys/sign/action'],
          notDataActions: [],
        },
      ],
    }
    expect(await client().roleDefinitions.createOrUpdate(subscription, name, definition)).toMatchObject(definition)
    const custom = await all(client().roleDefinitions.list(vault, { filter: "type eq 'CustomRole'" }))
    expect(custom.map(({ roleName }) => roleName)).toEqual(['Signer'])
    expect(await client().roleDefinitions.delete(subscription, name)).toMatchObject({ roleName: 'Signer' })
    await expect(client().roleDefinitions.get(subscription, name)).rejects.toMatchObject({
      statusCode: 404,
      code: 'RoleDefinitionDoesNotExist',
    })
  })
})

describe('@azure/arm-authorization: role assignments', () => {
  const assign = async (scope: string, roleName: string, principalId: string, name = ASSIGNMENT) =>
    await client().roleAssignments.create(scope, name, { roleDefinitionId: await roleNamed(roleName), principalId })

  it('at a key let a program use that key', async () => {
    await keys().createEcKey('mine')
    await keys().createEcKey('other')
    const program = arm.principal('program')
    await expect(keys(program).getKey('mine')).rejects.toMatchObject({
      statusCode: 403,
      message: expect.stringContaining("Action: 'Microsoft.KeyVault/vaults/keys/read'"),
    })
    const made = await assign(`${vault}/keys/mine`, 'Key Vault Crypto User', program.objectId)
    expect(made).toMatchObject({ scope: `${vault}/keys/mine`, principalId: program.objectId })
    expect((await keys(program).getKey('mine')).name).toBe('mine')
    await expect(keys(program).getKey('other')).rejects.toMatchObject({ statusCode: 403 })
    await client().roleAssignments.deleteById(made.id ?? '')
    await expect(keys(program).getKey('mine')).rejects.toMatchObject({ statusCode: 403 })
  })
  it('are listed for a scope, a group, a subscription and a principal', async () => {
    const { objectId } = arm.principal('program')
    await assign(vault, RELEASE_USER, objectId)
    const { roleAssignments } = client()
    const names = async (pages: AsyncIterable<{ name?: string }>) => (await all(pages)).map(({ name }) => name)
    expect(await names(roleAssignments.listForScope(vault, { filter: 'atScope()' }))).toContain(ASSIGNMENT)
    expect(await names(roleAssignments.listForResourceGroup('rg'))).toContain(ASSIGNMENT)
    expect(await names(roleAssignments.listForSubscription({ filter: `assignedTo('${objectId}')` }))).toEqual([
      ASSIGNMENT,
    ])
    expect(await names(roleAssignments.listForResource('rg', 'Microsoft.KeyVault', 'vaults', 'skerry-demo'))).toContain(
      ASSIGNMENT,
    )
    expect(
      (await roleAssignments.getById(`${vault}/providers/Microsoft.Authorization/roleAssignments/${ASSIGNMENT}`)).name,
    ).toBe(ASSIGNMENT)
  })
  it('refuse what Azure refuses, by its codes', async () => {
    const { objectId } = arm.principal('program')
    await assign(vault, RELEASE_USER, objectId)
    await expect(assign(vault, 'Reader', objectId)).rejects.toMatchObject({ code: 'RoleAssignmentUpdateNotPermitted' })
    await expect(assign(vault, RELEASE_USER, objectId, '21111111-2222-4333-8444-555555555555')).rejects.toMatchObject({
      statusCode: 409,
      code: 'RoleAssignmentExists',
    })
    await expect(
      assign(vault, 'Reader', '31111111-2222-4333-8444-555555555555', '41111111-2222-4333-8444-555555555555'),
    ).rejects.toMatchObject({
      statusCode: 400,
      code: 'PrincipalNotFound',
    })
  })
})

describe('@azure/arm-authorization: permissions', () => {
  it('of the caller are told', async () => {
    const program = arm.principal('program')
    await client().roleAssignments.create(vault, ASSIGNMENT, {
      roleDefinitionId: await roleNamed('Key Vault Crypto Service Encryption User'),
      principalId: program.objectId,
    })
    const permissions = await all(
      client(program).permissions.listForResource('rg', 'Microsoft.KeyVault', '', 'vaults', 'skerry-demo'),
    )
    expect(permissions[0]?.dataActions).toContain('Microsoft.KeyVault/vaults/keys/wrap/action')
  })
})
