import { beforeEach, describe, expect, it } from 'vitest'
import { createVaultWorld, MANAGED_HSM, type VaultWorld } from '../test-vaults.ts'
import { ADMINISTRATOR, CRYPTO_SERVICE_RELEASE_USER, CRYPTO_USER } from './roles.ts'

let world: VaultWorld
beforeEach(() => {
  world = createVaultWorld()
})

const ASSIGNMENT = '11111111-2222-4333-8444-555555555555'
const at = (scope: string, name = ASSIGNMENT) =>
  `${MANAGED_HSM}${scope}/providers/Microsoft.Authorization/roleAssignments${name && `/${name}`}`
const assign = (scope: string, role: string, who?: 'stranger') =>
  world.call('PUT', at(scope), { properties: { roleDefinitionId: role, principalId: world.strangerId } }, who)

describe('the local RBAC of a managed HSM', () => {
  it('starts with an administrator who may also use keys', async () => {
    const { json } = await world.call('GET', at('/', ''))
    expect(json.nextLink).toBeNull()
    expect(
      new Set(json.value.map((each: { properties: { principalId: string } }) => each.properties.principalId)),
    ).toEqual(new Set([world.ctx.seed.admin.objectId]))
    expect(json.value).toHaveLength(3)
  })

  it('gives a role by a PUT, takes it by a DELETE', async () => {
    const full = `Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/${CRYPTO_USER}`
    const made = await assign('/keys', full)
    expect(made.status).toBe(201)
    expect(made.json).toEqual({
      id: `/keys/providers/Microsoft.Authorization/roleAssignments/${ASSIGNMENT}`,
      name: ASSIGNMENT,
      type: 'Microsoft.Authorization/roleAssignments',
      properties: { scope: '/keys', roleDefinitionId: full, principalId: world.strangerId },
    })
    expect((await world.call('POST', `${MANAGED_HSM}/keys/k/create`, { kty: 'EC' }, 'stranger')).status).toBe(200)
    expect((await world.call('GET', at('/keys'))).json).toEqual(made.json)
    expect((await world.call('DELETE', at('/keys'))).status).toBe(200)
    expect((await world.call('GET', `${MANAGED_HSM}/keys/k`, undefined, 'stranger')).status).toBe(403)
    expect((await world.call('GET', at('/keys'))).status).toBe(404)
  })

  it('takes the doubled slash of the scope /', async () => {
    expect((await assign('/', CRYPTO_USER)).json.properties.scope).toBe('/')
  })

  it('lets a role at one key reach no other', async () => {
    await assign('/keys/mine', CRYPTO_USER)
    await world.call('POST', `${MANAGED_HSM}/keys/mine/create`, { kty: 'EC' })
    await world.call('POST', `${MANAGED_HSM}/keys/mine2/create`, { kty: 'EC' })
    expect((await world.call('GET', `${MANAGED_HSM}/keys/mine`, undefined, 'stranger')).status).toBe(200)
    expect((await world.call('GET', `${MANAGED_HSM}/keys/mine2`, undefined, 'stranger')).status).toBe(403)
    expect((await world.call('GET', `${MANAGED_HSM}/keys`, undefined, 'stranger')).status).toBe(403)
  })

  it('tells the release role, which differs in one digit from that of the user, apart', async () => {
    await assign('/keys', CRYPTO_SERVICE_RELEASE_USER)
    await world.call('POST', `${MANAGED_HSM}/keys/k/create`, { kty: 'EC' })
    expect((await world.call('GET', `${MANAGED_HSM}/keys/k`, undefined, 'stranger')).status).toBe(403)
    const release = await world.call('POST', `${MANAGED_HSM}/keys/k/release`, { target: 'x' }, 'stranger')
    expect(release.json.error.code).toBe('Forbidden')
  })

  it('lets nobody give himself a role', async () => {
    expect((await assign('/', ADMINISTRATOR, 'stranger')).json.error.code).toBe('AccessDenied')
  })

  it('takes the same assignment twice, and not another under its name', async () => {
    await assign('/keys', CRYPTO_USER)
    expect((await assign('/keys', CRYPTO_USER)).status).toBe(201)
    expect((await assign('/keys', ADMINISTRATOR)).status).toBe(409)
  })

  it.each([
    ['a role that is not there', '/keys', '00000000-0000-0000-0000-000000000000'],
    ['a scope that is none', '/secrets', CRYPTO_USER],
  ])('refuses %s', async (_, scope, role) => {
    expect((await assign(scope, role)).json.error.code).toBe('BadParameter')
  })

  it('describes its built-in roles', async () => {
    const { json } = await world.call(
      'GET',
      `${MANAGED_HSM}//providers/Microsoft.Authorization/roleDefinitions?$filter=roleName eq 'Managed HSM Crypto User'`,
    )
    expect(json.value).toHaveLength(1)
    expect(json.value[0]).toMatchObject({ name: CRYPTO_USER, properties: { type: 'AKVBuiltInRole' } })
  })

  it('names every data action of a role in full', async () => {
    const { json } = await world.call('GET', `${MANAGED_HSM}//providers/Microsoft.Authorization/roleDefinitions`)
    const actions = json.value.flatMap(
      (role: { properties: { permissions: { dataActions: string[] }[] } }) =>
        role.properties.permissions[0]!.dataActions,
    )
    expect(actions).toContain('Microsoft.KeyVault/managedHsm/securitydomain/download/action')
    expect(actions.filter((action: string) => action.includes('*'))).toEqual([])
  })
})
