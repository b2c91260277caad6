import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seedResources } from '../seed.ts'
import { type ArmWorld, createArmWorld, errorOf, groupBody } from '../test-world.ts'

const V = 'api-version=2023-05-01'

let arm: ArmWorld
let rg: string

beforeEach(() => {
  arm = createArmWorld()
  rg = `/subscriptions/${arm.subscription}/resourceGroups/rg`
  seedResources(arm.world.ctx, { vaults: [{ name: 'skerry-demo', resourceGroup: 'rg' }] })
})
afterEach(async () => {
  await arm[Symbol.asyncDispose]()
})

describe('a deployment', () => {
  const path = `/providers/Microsoft.Resources/deployments/main?${V}`
  const identity = {
    type: 'Microsoft.ManagedIdentity/userAssignedIdentities',
    apiVersion: '2023-01-31',
    name: 'id',
    location: 'westeurope',
  }
  const deployment = (resources: object[], more: object = {}, parameters: object = {}) => ({
    properties: { mode: 'Incremental', template: { contentVersion: '1.0.0.0', resources, ...more }, parameters },
  })
  const ended = async () => {
    await expect
      .poll(
        async () =>
          ((await (await arm.send('GET', `${rg}${path}`)).json()) as { properties: { provisioningState: string } })
            .properties.provisioningState,
      )
      .toMatch(/Succeeded|Failed/)
    return (await (await arm.send('GET', `${rg}${path}`)).json()) as { properties: Record<string, unknown> }
  }

  it('is accepted with a place to follow it', async () => {
    const answer = await arm.send('PUT', `${rg}${path}`, deployment([identity]))
    expect(answer.status).toBe(201)
    expect(answer.headers.get('azure-asyncoperation')).toMatch(
      /\/deployments\/main\/operationStatuses\/0858\d{16}\?api-version=2023-05-01$/,
    )
    expect(await answer.json()).toMatchObject({ properties: { provisioningState: 'Accepted', mode: 'Incremental' } })
    await ended()
  })
  it('of a name that is still running is a conflict', async () => {
    const goOn = arm.runner.pause()
    const group = {
      type: 'Microsoft.ContainerInstance/containerGroups',
      apiVersion: '2023-05-01',
      name: 'demo',
      ...groupBody(),
    }
    await arm.send('PUT', `${rg}${path}`, deployment([group]))
    expect(await errorOf(arm.send('PUT', `${rg}${path}`, deployment([identity])))).toMatchObject({
      status: 409,
      code: 'DeploymentActive',
    })
    goOn()
    await ended()
  })
  it('assigns a role to an identity that it makes, on a vault that is there', async () => {
    const vault = "[resourceId('Microsoft.KeyVault/vaults', 'skerry-demo')]"
    const assignment = {
      type: 'Microsoft.Authorization/roleAssignments',
      apiVersion: '2022-04-01',
      name: "[guid(resourceGroup().id, 'release')]",
      scope: vault,
      properties: {
        roleDefinitionId:
          "[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '08bbd89e-9f13-488c-ac41-acfcb10c90ab')]",
        principalId: "[reference(resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'id')).principalId]",
        principalType: 'ServicePrincipal',
      },
    }
    await arm.send('PUT', `${rg}${path}`, deployment([assignment, identity]))
    expect((await ended()).properties).toMatchObject({ provisioningState: 'Succeeded' })
    const { principalId } = (
      (await (await arm.send('GET', `${rg}/providers/${identity.type}/id?${V}`)).json()) as {
        properties: { principalId: string }
      }
    ).properties
    const url = `${rg}/providers/Microsoft.Authorization/roleAssignments?${V}&$filter=${encodeURIComponent(`principalId eq '${principalId}'`)}`
    expect(await (await arm.send('GET', url)).json()).toMatchObject({ value: [{ properties: { principalId } }] })
  })
  it('keeps secure parameters and secure variables out of the store, the answers and the journal', async () => {
    const group = {
      type: 'Microsoft.ContainerInstance/containerGroups',
      apiVersion: '2023-05-01',
      name: 'demo',
      ...groupBody({}, [{ name: 'Secret', secureValue: "[parameters('secret')]" }]),
    }
    const body = deployment(
      [group],
      { parameters: { secret: { type: 'securestring' } } },
      { secret: { value: 'canary-77aa' } },
    )
    await arm.send('PUT', `${rg}${path}`, body)
    const record = await ended()
    expect(record.properties).toMatchObject({
      provisioningState: 'Succeeded',
      parameters: { secret: { type: 'SecureString' } },
    })
    const { ctx } = arm.world
    const kept = ['armDeployments', 'armOperations', 'containerGroups'].map((name) =>
      ctx.store.collection(name).entries(),
    )
    const shown = await (
      await arm.send('GET', `${rg}/providers/Microsoft.ContainerInstance/containerGroups/demo?${V}`)
    ).text()
    expect(JSON.stringify([kept, record, shown, ctx.journal.records()])).not.toContain('canary-77aa')
    expect(arm.runner.started[0]?.env.Secret).toBe('canary-77aa')
  })
  it('that fails at one resource does not go on to what depends on it', async () => {
    const bad = {
      type: 'Microsoft.KeyVault/vaults',
      apiVersion: '2023-07-01',
      name: 'va--ult',
      location: 'westeurope',
      properties: {},
    }
    await arm.send('PUT', `${rg}${path}`, deployment([{ ...identity, dependsOn: ['va--ult'] }, bad]))
    expect((await ended()).properties).toMatchObject({
      provisioningState: 'Failed',
      error: { code: 'DeploymentFailed', details: [{ code: 'VaultNameNotValid' }] },
    })
    expect((await arm.send('GET', `${rg}/providers/${identity.type}/id?${V}`)).status).toBe(404)
  })
  it.each<[string, object, number, string]>([
    ['without a template', { properties: { mode: 'Incremental' } }, 400, 'InvalidTemplate'],
    [
      'without a mode',
      { properties: { template: { contentVersion: '1.0.0.0', resources: [] } } },
      400,
      'InvalidDeployment',
    ],
    [
      'in Complete mode',
      { properties: { mode: 'Complete', template: { contentVersion: '1.0.0.0', resources: [] } } },
      501,
      'SkerryNotCovered',
    ],
    [
      'with a linked template',
      { properties: { mode: 'Incremental', templateLink: { uri: 'https://x' } } },
      501,
      'SkerryNotCovered',
    ],
    ['with an unknown member', deployment([], { resorces: [] }), 400, 'InvalidTemplate'],
  ])('%s is refused', async (_, body, status, code) => {
    expect(await errorOf(arm.send('PUT', `${rg}${path}`, body))).toMatchObject({ status, code })
    expect((await arm.send('HEAD', `${rg}${path}`)).status).toBe(404)
  })
  it('into a resource group that is not there is 404', async () => {
    const answer = arm.send('PUT', `${rg}-none${path}`, deployment([identity]))
    expect(await errorOf(answer)).toEqual({
      status: 404,
      code: 'ResourceGroupNotFound',
      message: "Resource group 'rg-none' could not be found.",
    })
  })
})
