import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findRoleByRoleName } from '../rbac/index.ts'
import { seedResources } from './seed.ts'
import { type ArmWorld, createArmWorld, errorOf, groupBody } from './test-world.ts'

const V = 'api-version=2023-05-01'
const GUID = '3f0c7a52-1111-4222-8333-444455556666'

let arm: ArmWorld
let rg: string

beforeEach(async () => {
  arm = createArmWorld()
  rg = `/subscriptions/${arm.subscription}/resourceGroups/rg`
  seedResources(arm.world.ctx, { vaults: [{ name: 'skerry-demo', resourceGroup: 'rg' }] })
})
afterEach(async () => {
  await arm[Symbol.asyncDispose]()
})

/** Headers of a principal that has these roles at these scopes. */
async function someone(name: string, ...grants: [roleName: string, scope: string][]) {
  const principal = arm.principal(name)
  for (const [at, [roleName, scope]] of grants.entries()) {
    const body = {
      properties: { roleDefinitionId: findRoleByRoleName(roleName)?.name, principalId: principal.objectId },
    }
    const id = GUID.replace(/^3f0c7a52/, `${name.length}${at}0c7a52`.padStart(8, '0').slice(-8))
    const answer = await arm.send('PUT', `${scope}/providers/Microsoft.Authorization/roleAssignments/${id}?${V}`, body)
    expect(answer.status).toBe(201)
  }
  return { headers: { authorization: `Bearer ${await arm.token(principal)}` }, ...principal }
}

describe('a request to Resource Manager', () => {
  it('without a token gets the challenge, and is no refusal worth explaining', async () => {
    const answer = await arm.send('GET', `/subscriptions?${V}`, undefined, { authorization: '' })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toMatch(
      /^Bearer authorization_uri="https:\/\/login\.microsoftonline\.com\/[0-9a-f-]{36}", error="invalid_token"/,
    )
    expect(await errorOf(answer)).toMatchObject({ code: 'AuthenticationFailed' })
    expect(arm.world.ctx.journal.records()).toEqual([])
  })
  it('with something that is no token gets 401', async () => {
    const answer = arm.send('GET', `/subscriptions?${V}`, undefined, { authorization: 'Bearer nonsense' })
    expect(await errorOf(answer)).toMatchObject({ status: 401, code: 'InvalidAuthenticationToken' })
    expect(arm.world.ctx.journal.records().at(-1)).toMatchObject({ service: 'arm', outcome: 'denied' })
  })
  it('with an expired token gets 401', async () => {
    const authorization = `Bearer ${await arm.token()}`
    await arm.world.clock.advance(2 * 3_600_000)
    const answer = arm.send('GET', `/subscriptions?${V}`, undefined, { authorization })
    expect(await errorOf(answer)).toMatchObject({ status: 401, code: 'ExpiredAuthenticationToken' })
  })
  it.each([
    ['without api-version', '/subscriptions', 'MissingApiVersionParameter'],
    ['with an api-version that is no date', '/subscriptions?api-version=latest', 'InvalidApiVersionParameter'],
  ])('%s gets 400', async (_, path, code) => {
    expect(await errorOf(arm.send('GET', path))).toMatchObject({ status: 400, code })
  })
  it('for a subscription that is not here gets 404', async () => {
    const answer = arm.send('GET', `/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups?${V}`)
    expect(await errorOf(answer)).toMatchObject({ status: 404, code: 'SubscriptionNotFound' })
  })
  it('for a path that is not covered gets 501 that says so', async () => {
    expect(await errorOf(arm.send('GET', `/providers?${V}`))).toMatchObject({ status: 501, code: 'SkerryNotCovered' })
    const answer = arm.send('GET', `${rg}/providers/Microsoft.Compute/virtualMachines/vm?${V}`)
    expect(await errorOf(answer)).toMatchObject({
      status: 501,
      message: expect.stringContaining('Microsoft.Compute/virtualMachines'),
    })
  })
  it('with malformed JSON gets InvalidRequestContent, and nothing of the text comes back', async () => {
    const answer = await errorOf(arm.send('PUT', `${rg}2?${V}`, '{"location": "canary'))
    expect(answer).toMatchObject({ status: 400, code: 'InvalidRequestContent' })
    expect(answer.message).not.toContain('canary')
  })
  it('with a body over 4 MB gets 413', async () => {
    const body = { location: 'westeurope', tags: { a: 'x'.repeat(4 * 1024 * 1024) } }
    expect(await errorOf(arm.send('PUT', `${rg}2?${V}`, body))).toMatchObject({
      status: 413,
      code: 'RequestContentTooLarge',
    })
  })
  it('is answered whatever the case of its path, in the case that was stored', async () => {
    const answer = await arm.send('GET', `/SUBSCRIPTIONS/${arm.subscription.toUpperCase()}/resourcegroups/RG?${V}`)
    expect(await answer.json()).toMatchObject({ id: rg, name: 'rg' })
  })
  it('gets the headers by which a support case is found', async () => {
    const headers = { 'x-ms-client-request-id': 'mine', 'x-ms-return-client-request-id': 'true' }
    const answer = await arm.send('GET', `${rg}?${V}`, undefined, headers)
    expect(answer.headers.get('x-ms-client-request-id')).toBe('mine')
    expect(answer.headers.get('x-ms-request-id')).toBe(answer.headers.get('x-ms-correlation-request-id'))
  })
})

describe('a caller without the right', () => {
  it('is told client, object id, action and scope, and the journal what to do', async () => {
    const { headers, clientId, objectId } = await someone('reader', ['Reader', rg])
    const id = `${rg}/providers/Microsoft.ContainerInstance/containerGroups/demo`
    const error = await errorOf(arm.send('PUT', `${id}?${V}`, groupBody(), headers))
    expect(error).toMatchObject({ status: 403, code: 'AuthorizationFailed' })
    for (const part of [clientId, objectId, 'Microsoft.ContainerInstance/containerGroups/write', id]) {
      expect(error.message).toContain(`'${part}'`)
    }
    expect(arm.world.ctx.journal.records().at(-1)).toMatchObject({
      service: 'arm',
      outcome: 'denied',
      operation: 'authorize',
    })
  })
  it('does not learn whether a resource group exists', async () => {
    const { headers } = await someone('nobody')
    const answer = arm.send('GET', `${rg}-none?${V}`, undefined, headers)
    expect(await errorOf(answer)).toMatchObject({ status: 403 })
  })
  it('may not give away an identity that it may not assign', async () => {
    seedResources(arm.world.ctx, { resourceGroups: [{ name: 'identities' }] })
    const identity = `${rg.replace(/rg$/, 'identities')}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id`
    await arm.send('PUT', `${identity}?${V}`, { location: 'westeurope' })
    const { headers } = await someone('contributor', ['Contributor', rg])
    const body = groupBody({ identity: { type: 'UserAssigned', userAssignedIdentities: { [identity]: {} } } })
    const id = `${rg}/providers/Microsoft.ContainerInstance/containerGroups/demo`
    expect(await errorOf(arm.send('PUT', `${id}?${V}`, body, headers))).toMatchObject({
      status: 403,
      code: 'LinkedAuthorizationFailed',
      message: expect.stringContaining(`linked scope(s) '${identity}'`),
    })
  })
  it('may not deploy by template what it may not make itself', async () => {
    const { headers } = await someone('templates', ['Managed Identity Contributor', rg])
    const resource = {
      type: 'Microsoft.KeyVault/vaults',
      apiVersion: '2023-07-01',
      name: 'other',
      location: 'westeurope',
      properties: {},
    }
    const body = { properties: { mode: 'Incremental', template: { contentVersion: '1.0.0.0', resources: [resource] } } }
    const answer = arm.send('PUT', `${rg}/providers/Microsoft.Resources/deployments/d?${V}`, body, headers)
    expect(await errorOf(answer)).toMatchObject({
      status: 403,
      code: 'InvalidTemplateDeployment',
      message: expect.stringContaining(
        "Authorization failed for template resource 'other' of type 'Microsoft.KeyVault/vaults'",
      ),
    })
  })
  it('sees no subscription', async () => {
    const { headers } = await someone('stranger')
    expect(await (await arm.send('GET', `/subscriptions?${V}`, undefined, headers)).json()).toMatchObject({ value: [] })
  })
})

describe('a role assignment', () => {
  const path = (name = GUID, scope = rg) => `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}?${V}`
  const reader = (principalId: string, roleName = 'Reader') => ({
    properties: { roleDefinitionId: findRoleByRoleName(roleName)?.name, principalId },
  })

  it('is made once: 201, then 200', async () => {
    const { objectId } = arm.principal('p')
    expect((await arm.send('PUT', path(), reader(objectId))).status).toBe(201)
    expect((await arm.send('PUT', path(), reader(objectId))).status).toBe(200)
  })
  it('under another GUID for the same principal, role and scope is a conflict', async () => {
    const { objectId } = arm.principal('p')
    await arm.send('PUT', path(), reader(objectId))
    const other = GUID.replace('3f', '4f')
    expect(await errorOf(arm.send('PUT', path(other), reader(objectId)))).toMatchObject({
      status: 409,
      code: 'RoleAssignmentExists',
      message: expect.stringContaining(GUID.replaceAll('-', '')),
    })
  })
  it('with other content under the same GUID is a conflict', async () => {
    const { objectId } = arm.principal('p')
    await arm.send('PUT', path(), reader(objectId))
    expect(await errorOf(arm.send('PUT', path(), reader(objectId, 'Owner')))).toMatchObject({
      status: 409,
      code: 'RoleAssignmentUpdateNotPermitted',
    })
  })
  it.each<[string, string, object, string]>([
    ['for a principal that is not there', GUID, reader(GUID), 'PrincipalNotFound'],
    [
      'of a role that is not there',
      GUID,
      { properties: { roleDefinitionId: GUID, principalId: GUID } },
      'RoleDefinitionDoesNotExist',
    ],
    ['under a name that is no GUID', 'mine', reader(GUID), 'InvalidRoleAssignmentId'],
    ['without a principal', GUID, { properties: { roleDefinitionId: GUID } }, 'BadRequestFormat'],
  ])('%s is refused', async (_, name, body, code) => {
    expect(await errorOf(arm.send('PUT', path(name), body))).toMatchObject({ status: 400, code })
  })
  it('on a vault that is not there is refused', async () => {
    const { objectId } = arm.principal('p')
    const scope = `${rg}/providers/Microsoft.KeyVault/vaults/none`
    expect(await errorOf(arm.send('PUT', path(GUID, scope), reader(objectId)))).toMatchObject({
      status: 404,
      code: 'ResourceNotFound',
    })
  })
  it('is deleted once: 200 with what it was, then 204', async () => {
    const { objectId } = arm.principal('p')
    await arm.send('PUT', path(), reader(objectId))
    const first = await arm.send('DELETE', path())
    expect([first.status, (await first.json()) as object]).toMatchObject([200, { name: GUID }])
    expect((await arm.send('DELETE', path())).status).toBe(204)
  })
  it('is listed at its scope and above, not below, by atScope()', async () => {
    const { objectId } = arm.principal('p')
    const vault = `${rg}/providers/Microsoft.KeyVault/vaults/skerry-demo`
    await arm.send('PUT', path(GUID, vault), reader(objectId))
    const names = async (scope: string, filter: string) => {
      const url = `${scope}/providers/Microsoft.Authorization/roleAssignments?${V}&$filter=${encodeURIComponent(filter)}`
      const { value } = (await (await arm.send('GET', url)).json()) as { value: { name: string }[] }
      return value.map(({ name }) => name)
    }
    expect(await names(vault, 'atScope()')).toContain(GUID)
    expect(await names(rg, 'atScope()')).not.toContain(GUID)
    expect(await names(rg, `principalId eq '${objectId}'`)).toEqual([GUID])
    expect(await names(vault, `atScope() and assignedTo('${objectId}')`)).toEqual([GUID])
  })
})

describe('a role definition that is not there', () => {
  it('is 404 in the words of the service', async () => {
    const id = '7b266cd7-0bba-4ae2-8423-90ede5e1e898'
    const url = `/subscriptions/${arm.subscription}/providers/Microsoft.Authorization/roleDefinitions/${id}?api-version=2015-07-01`
    expect(await errorOf(arm.send('GET', url))).toEqual({
      status: 404,
      code: 'RoleDefinitionDoesNotExist',
      message: `The specified role definition with ID '${id}' does not exist.`,
    })
  })
})

describe('a vault', () => {
  const path = (name: string) => `${rg}/providers/Microsoft.KeyVault/vaults/${name}?api-version=2023-07-01`
  const body = (properties: object = {}) => ({
    location: 'westeurope',
    properties: { sku: { name: 'premium' }, ...properties },
  })

  it.each([['v'], ['1vault'], ['va--ult'], ['a-name-that-is-much-too-long']])(
    'of the name %s is refused',
    async (name) => {
      expect(await errorOf(arm.send('PUT', path(name), body()))).toMatchObject({
        status: 400,
        code: 'VaultNameNotValid',
      })
    },
  )
  it('answers HEAD with 204 if it is there, 404 if not', async () => {
    await arm.send('PUT', path('mine'), body())
    expect((await arm.send('HEAD', path('mine'))).status).toBe(204)
    expect((await arm.send('HEAD', path('other'))).status).toBe(404)
  })
  it('takes the days of its soft delete as a string, too, as az sends those of a managed HSM', async () => {
    const answer = await arm.send('PUT', path('mine'), body({ softDeleteRetentionInDays: '7' }))
    expect(await answer.json()).toMatchObject({ properties: { softDeleteRetentionInDays: 7 } })
    for (const days of ['6', '91', 'seven', '7.5', true]) {
      const refused = arm.send('PUT', path('other'), body({ softDeleteRetentionInDays: days }))
      expect(await errorOf(refused), String(days)).toMatchObject({ status: 400, code: 'BadRequest' })
    }
  })
  it('whose name another group has is refused', async () => {
    seedResources(arm.world.ctx, { resourceGroups: [{ name: 'other' }] })
    const url = path('skerry-demo').replace('/rg/', '/other/')
    expect(await errorOf(arm.send('PUT', url, body()))).toMatchObject({ status: 409, code: 'VaultAlreadyExists' })
  })
  it('takes purge protection for good: false is refused, and silence keeps it', async () => {
    await arm.send('PUT', path('mine'), body({ enablePurgeProtection: true }))
    expect(await errorOf(arm.send('PUT', path('mine'), body({ enablePurgeProtection: false })))).toMatchObject({
      status: 400,
      code: 'BadRequest',
      message: expect.stringContaining('"enablePurgeProtection" cannot be set to false'),
    })
    const answer = await arm.send('PUT', path('mine'), body())
    expect(await answer.json()).toMatchObject({ properties: { enablePurgeProtection: true } })
  })
})

describe('a resource group', () => {
  it('answers HEAD with 204', async () => {
    expect((await arm.send('HEAD', `${rg}?${V}`)).status).toBe(204)
  })
  it('does not move to another location', async () => {
    expect(await errorOf(arm.send('PUT', `${rg}?${V}`, { location: 'eastus' }))).toMatchObject({
      status: 409,
      code: 'InvalidResourceGroupLocation',
    })
  })
  it('needs a location', async () => {
    expect(await errorOf(arm.send('PUT', `${rg}2?${V}`, {}))).toMatchObject({ status: 400, code: 'LocationRequired' })
  })
  it('refuses a filter that it does not understand', async () => {
    const url = `${rg}/resources?${V}&$filter=${encodeURIComponent('startswith(name)')}`
    expect(await errorOf(arm.send('GET', url))).toMatchObject({ status: 400, code: 'InvalidFilterInQueryString' })
  })
})

describe('what was written to confuse', () => {
  it('is no JSON that is nested without end', async () => {
    const deep = `{"properties":${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}}`
    const url = `https://management.azure.com${rg}/providers/Microsoft.Resources/deployments/d?${V}`
    const headers = { ...(await someone('deployer', ['Owner', rg])).headers, 'content-type': 'application/json' }
    const answer = await errorOf(arm.world.fetch(new Request(url, { method: 'PUT', body: deep, headers })))
    expect(answer).toMatchObject({ status: 400, code: 'InvalidRequestContent' })
    expect(answer.message).toContain('MaxDepth')
  })

  it('is no name with a slash in it: what is allowed below one resource is not allowed beside it', async () => {
    const { headers } = await someone('narrow', ['Owner', `${rg}/providers/Microsoft.KeyVault/vaults/skerry-demo`])
    const hidden = `${rg}%2Fproviders%2FMicrosoft.KeyVault%2Fvaults%2Fskerry-demo`
    const answer = await errorOf(arm.send('PUT', `${hidden}?${V}`, { location: 'westeurope' }, headers))
    expect([400, 403]).toContain(answer.status)
  })
})
