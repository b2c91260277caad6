import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findRoleByRoleName } from '../../rbac/index.ts'
import { seedResources } from '../seed.ts'
import { type ArmWorld, createArmWorld, errorOf } from '../test-world.ts'

const V = 'api-version=2022-04-01'
const guid = (first: string) => `${first.padStart(8, '0')}-1111-4222-8333-444455556666`

let arm: ArmWorld
let subscription: string
let group: string
let vault: string

beforeEach(() => {
  arm = createArmWorld()
  subscription = `/subscriptions/${arm.subscription}`
  group = `${subscription}/resourceGroups/rg`
  vault = `${group}/providers/Microsoft.KeyVault/vaults/skerry-demo`
  seedResources(arm.world.ctx, { vaults: [{ name: 'skerry-demo', resourceGroup: 'rg' }] })
})
afterEach(async () => {
  await arm[Symbol.asyncDispose]()
})

const of = (type: string, scope: string, name = '', filter = '') =>
  `${scope}/providers/Microsoft.Authorization/${type}${name && `/${name}`}?${V}${filter && `&$filter=${encodeURIComponent(filter)}`}`
const roleId = (roleName: string) => findRoleByRoleName(roleName)?.name ?? ''

async function assign(roleDefinitionId: string, principalId: string, scope: string, name: string) {
  const body = { properties: { roleDefinitionId, principalId } }
  return await arm.send('PUT', of('roleAssignments', scope, name), body)
}

async function someone(name: string, roleName: string, scope: string) {
  const principal = arm.principal(name)
  expect((await assign(roleId(roleName), principal.objectId, scope, guid('aa'))).status).toBe(201)
  return { ...principal, headers: { authorization: `Bearer ${await arm.token(principal)}` } }
}

const KEY_READER = guid('c1')
const keyReader = (more: object = {}) => ({
  properties: {
    roleName: 'Key reader',
    description: 'Reads keys, and no policy of them',
    type: 'CustomRole',
    permissions: [
      {
        actions: ['Microsoft.KeyVault/vaults/*'],
        notActions: ['Microsoft.KeyVault/vaults/delete'],
        dataActions: ['Microsoft.KeyVault/vaults/keys/*'],
        notDataActions: ['Microsoft.KeyVault/vaults/keys/release/action'],
      },
    ],
    assignableScopes: [group],
    ...more,
  },
})
const define = (body: object = keyReader(), name = KEY_READER, headers?: Record<string, string>) =>
  arm.send('PUT', of('roleDefinitions', subscription, name), body, headers)

describe('a custom role definition', () => {
  it('is made with 201, and read back by its id at any scope', async () => {
    const made = await define()
    expect(made.status).toBe(201)
    const body = (await made.json()) as { id: string }
    expect(body).toMatchObject({
      id: `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${KEY_READER}`,
      name: KEY_READER,
      type: 'Microsoft.Authorization/roleDefinitions',
      properties: { ...keyReader().properties, createdBy: arm.world.ctx.seed.admin.objectId },
    })
    expect(await (await arm.send('GET', of('roleDefinitions', vault, KEY_READER))).json()).toEqual(body)
  })
  it('is listed with the built-in ones where it can be assigned, and by its type', async () => {
    await define()
    const names = async (scope: string, filter: string) => {
      const { value } = (await (await arm.send('GET', of('roleDefinitions', scope, '', filter))).json()) as {
        value: { properties: { roleName: string } }[]
      }
      return value.map(({ properties }) => properties.roleName)
    }
    expect(await names(vault, "type eq 'CustomRole'")).toEqual(['Key reader'])
    expect(await names(subscription, "type eq 'CustomRole'")).toEqual([])
    expect(await names(subscription, "atScopeAndBelow() and type eq 'CustomRole'")).toEqual(['Key reader'])
    expect(await names(vault, "type eq 'BuiltInRole'")).not.toContain('Key reader')
    expect(await names(vault, "roleName eq 'key READER'")).toEqual(['Key reader'])
  })
  it('gives what it grants and not what it takes away again', async () => {
    await define()
    const principal = arm.principal('p')
    expect((await assign(KEY_READER, principal.objectId, vault, guid('a1'))).status).toBe(201)
    const headers = { authorization: `Bearer ${await arm.token(principal)}` }
    expect((await arm.send('GET', `${vault}?api-version=2023-07-01`, undefined, headers)).status).toBe(200)
    expect((await arm.send('DELETE', `${vault}?api-version=2023-07-01`, undefined, headers)).status).toBe(403)
  })
  it('is assigned nowhere but within its scopes', async () => {
    await define()
    const { objectId } = arm.principal('p')
    expect(await errorOf(assign(KEY_READER, objectId, subscription, guid('a1')))).toMatchObject({
      status: 400,
      code: 'RoleDefinitionDoesNotExist',
    })
  })
  it('is changed by another PUT, and those who have it with it', async () => {
    await define()
    const principal = arm.principal('p')
    await assign(KEY_READER, principal.objectId, vault, guid('a1'))
    const nothing = [{ actions: [], notActions: [], dataActions: [], notDataActions: [] }]
    expect((await define(keyReader({ permissions: nothing }))).status).toBe(201)
    const headers = { authorization: `Bearer ${await arm.token(principal)}` }
    expect((await arm.send('GET', `${vault}?api-version=2023-07-01`, undefined, headers)).status).toBe(403)
  })
  it('stays as long as somebody has it, and is then deleted once', async () => {
    await define()
    await assign(KEY_READER, arm.principal('p').objectId, vault, guid('a1'))
    const remove = () => arm.send('DELETE', of('roleDefinitions', subscription, KEY_READER))
    expect(await errorOf(remove())).toMatchObject({ status: 400, code: 'RoleDefinitionHasAssignments' })
    await arm.send('DELETE', of('roleAssignments', vault, guid('a1')))
    expect((await remove()).status).toBe(200)
    expect((await remove()).status).toBe(204)
  })
  it('takes no name that another role has', async () => {
    await define()
    expect(await errorOf(define(keyReader(), guid('c2')))).toMatchObject({
      status: 409,
      code: 'RoleDefinitionWithSameNameExists',
    })
    expect(await errorOf(define(keyReader({ roleName: 'Owner' }), guid('c2')))).toMatchObject({ status: 409 })
  })
  it.each<[string, object, string]>([
    ['without a name', { roleName: '' }, 'roleName'],
    ['without a scope', { assignableScopes: [] }, 'assignableScopes'],
    ['for everything', { assignableScopes: ['/'] }, 'assignableScopes'],
    ['without permissions', { permissions: [] }, 'permissions'],
    ['with actions that are no texts', { permissions: [{ actions: [1] }] }, 'actions'],
  ])('%s is refused, and the member named', async (_, more, member) => {
    expect(await errorOf(define(keyReader(more)))).toMatchObject({
      status: 400,
      message: expect.stringContaining(`'${member}'`),
    })
  })
  it('cannot be made by who may not make roles in all of its scopes', async () => {
    const { headers } = await someone('local', 'Owner', group)
    const wide = keyReader({ assignableScopes: [group, subscription] })
    const answer = arm.send('PUT', of('roleDefinitions', group, KEY_READER), wide, headers)
    expect(await errorOf(answer)).toMatchObject({
      status: 403,
      code: 'LinkedAuthorizationFailed',
      message: expect.stringContaining(`linked scope(s) '${subscription}'`),
    })
  })
  it('does not replace a built-in one, nor takes one away', async () => {
    expect((await define(keyReader(), roleId('Owner'))).status).toBe(403)
    const answer = arm.send('DELETE', of('roleDefinitions', subscription, roleId('Owner')))
    expect(await errorOf(answer)).toMatchObject({ status: 403, code: 'CannotDeleteBuiltInRole' })
  })
})

describe('a role assignment', () => {
  it('of a principal that nobody vouches for is refused', async () => {
    expect(await errorOf(assign(roleId('Reader'), guid('ff'), vault, guid('a1')))).toMatchObject({
      status: 400,
      code: 'PrincipalNotFound',
    })
  })
  it('takes the word of who says what the principal is', async () => {
    const body = {
      properties: { roleDefinitionId: roleId('Reader'), principalId: guid('ff'), principalType: 'ServicePrincipal' },
    }
    expect((await arm.send('PUT', of('roleAssignments', vault, guid('a1')), body)).status).toBe(201)
  })
  it('of a principal of another type is refused', async () => {
    const { objectId } = arm.principal('p')
    const body = { properties: { roleDefinitionId: roleId('Reader'), principalId: objectId, principalType: 'User' } }
    expect(await errorOf(arm.send('PUT', of('roleAssignments', vault, guid('a1')), body))).toMatchObject({
      status: 400,
      code: 'UnmatchedPrincipalType',
    })
  })
  it('at one key reaches that key', async () => {
    const { objectId } = arm.principal('p')
    const scope = `${vault}/keys/mine`
    const made = await assign(roleId('Key Vault Crypto User'), objectId, scope, guid('a1'))
    expect(await made.json()).toMatchObject({ properties: { scope, createdBy: null } })
    const { authorizer } = arm
    const wanted = { dataAction: 'Microsoft.KeyVault/vaults/keys/sign/action' }
    expect(authorizer.check(objectId, wanted, scope).allowed).toBe(true)
    expect(authorizer.check(objectId, wanted, `${vault}/keys/mine2`).allowed).toBe(false)
  })
  it('is limited to the roles that the condition of the caller’s own role names', async () => {
    const { headers } = await someone('delegate', 'Key Vault Data Access Administrator', vault)
    const { objectId } = arm.principal('p')
    const give = (roleName: string, name: string) =>
      arm.send(
        'PUT',
        of('roleAssignments', vault, name),
        { properties: { roleDefinitionId: roleId(roleName), principalId: objectId } },
        headers,
      )
    expect((await give('Key Vault Crypto User', guid('b1'))).status).toBe(201)
    expect(await errorOf(give('Owner', guid('b2')))).toMatchObject({ status: 403, code: 'AuthorizationFailed' })
    expect((await assign(roleId('Owner'), objectId, vault, guid('b3'))).status).toBe(201)
    const remove = (name: string) => arm.send('DELETE', of('roleAssignments', vault, name), undefined, headers)
    expect((await remove(guid('b3'))).status).toBe(403)
    expect((await remove(guid('b1'))).status).toBe(200)
  })
  it('is limited so by a template, too', async () => {
    const { headers, objectId } = await someone('delegate', 'Key Vault Data Access Administrator', group)
    const resource = {
      type: 'Microsoft.Authorization/roleAssignments',
      apiVersion: '2022-04-01',
      name: guid('b1'),
      properties: { roleDefinitionId: roleId('Owner'), principalId: objectId },
    }
    const template = { contentVersion: '1.0.0.0', resources: [resource] }
    const url = `${group}/providers/Microsoft.Resources/deployments/d?api-version=2022-09-01`
    await arm.send('PUT', url, { properties: { mode: 'Incremental', template } }, headers)
    await expect
      .poll(async () => (await (await arm.send('GET', url)).json()) as object)
      .toMatchObject({
        properties: { provisioningState: 'Failed', error: { details: [{ code: 'AuthorizationFailed' }] } },
      })
  })
})

describe('the permissions of a caller', () => {
  it('are those of its roles at the scope and above', async () => {
    const { headers } = await someone('reader', 'Reader', group)
    const answer = await arm.send('GET', of('permissions', vault), undefined, headers)
    expect(await answer.json()).toEqual({
      value: [{ actions: ['*/read'], notActions: [], dataActions: [], notDataActions: [] }],
    })
    const above = await arm.send('GET', of('permissions', subscription), undefined, headers)
    expect(await above.json()).toEqual({ value: [] })
  })
})

describe('a refusal', () => {
  it('says in the journal which role would have been enough', async () => {
    const { headers, objectId } = await someone('reader', 'Reader', group)
    await arm.send('DELETE', `${vault}?api-version=2023-07-01`, undefined, headers)
    expect(arm.world.ctx.journal.records().at(-1)).toMatchObject({
      outcome: 'denied',
      action: `Assign the role Key Vault Contributor (or Contributor, Owner) to ${objectId} at ${vault} or above.`,
    })
  })
})
