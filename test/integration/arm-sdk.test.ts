import { AuthorizationManagementClient } from '@azure/arm-authorization'
import { type ContainerGroup, ContainerInstanceManagementClient } from '@azure/arm-containerinstance'
import { KeyVaultManagementClient } from '@azure/arm-keyvault'
import { ManagedServiceIdentityClient } from '@azure/arm-msi'
import { ResourceManagementClient } from '@azure/arm-resources'
import { DeploymentsClient } from '@azure/arm-resourcesdeployments'
import type { TokenCredential } from '@azure/core-auth'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ArmWorld, createArmWorld } from '../../emulator/src/arm/test-world.ts'
import { sdkHttpClient } from '../support/sdk-http-client.ts'

/** Azure's own management clients against the emulated Resource Manager: real host name, tokens and polling. */

const POLICY = Buffer.from('package policy\n').toString('base64')
const RELEASE_USER = '08bbd89e-9f13-488c-ac41-acfcb10c90ab'
const FAST = { updateIntervalInMs: 1 }

let arm: ArmWorld
let credential: TokenCredential
let options: { httpClient: ReturnType<typeof sdkHttpClient>; retryOptions: { maxRetries: number } }

beforeEach(async () => {
  arm = createArmWorld()
  credential = { getToken: async () => ({ token: await arm.token(), expiresOnTimestamp: Number.MAX_SAFE_INTEGER }) }
  options = { httpClient: sdkHttpClient((request) => arm.world.fetch(request)), retryOptions: { maxRetries: 0 } }
  await resources().resourceGroups.createOrUpdate('rg', { location: 'westeurope' })
})
afterEach(async () => {
  await arm[Symbol.asyncDispose]()
  expect(arm.runner.alive.size).toBe(0)
})

const resources = () => new ResourceManagementClient(credential, arm.subscription, options)
const deployments = () => new DeploymentsClient(credential, arm.subscription, options).deployments
const operations = () => new DeploymentsClient(credential, arm.subscription, options).deploymentOperations
const containers = () => new ContainerInstanceManagementClient(credential, arm.subscription, options)
const identities = () => new ManagedServiceIdentityClient(credential, arm.subscription, options).userAssignedIdentities
const roles = () => new AuthorizationManagementClient(credential, arm.subscription, options)
const vaults = () => new KeyVaultManagementClient(credential, arm.subscription, options)

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of pages) items.push(item)
  return items
}

function group(image = 'test.azurecr.io/app:1', command = ['/sleep']): ContainerGroup {
  return {
    location: 'westeurope',
    sku: 'Confidential',
    osType: 'Linux',
    restartPolicy: 'Never',
    confidentialComputeProperties: { ccePolicy: POLICY },
    containers: [{ name: 'app', image, command, resources: { requests: { cpu: 1, memoryInGB: 1 } } }],
  }
}

function templateOf(image: string, command = ['/sleep']): Record<string, unknown> {
  const { location: _own, containers: specs, ...properties } = group(image, command)
  return {
    $schema: 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#',
    contentVersion: '1.0.0.0',
    parameters: { name: { type: 'string', defaultValue: 'demo' } },
    resources: [
      {
        type: 'Microsoft.ContainerInstance/containerGroups',
        apiVersion: '2023-05-01',
        name: "[parameters('name')]",
        location: '[resourceGroup().location]',
        dependsOn: ["[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'id')]"],
        identity: {
          type: 'UserAssigned',
          userAssignedIdentities: { "[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'id')]": {} },
        },
        properties: {
          ...properties,
          containers: specs.map(({ name, ...rest }) => ({ name, properties: rest })),
          ipAddress: { type: 'Public', ports: [{ port: 8080, protocol: 'tcp' }] },
        },
      },
      {
        type: 'Microsoft.ManagedIdentity/userAssignedIdentities',
        apiVersion: '2023-01-31',
        name: 'id',
        location: '[resourceGroup().location]',
      },
    ],
    outputs: {
      address: {
        type: 'string',
        value:
          "[reference(resourceId('Microsoft.ContainerInstance/containerGroups/', parameters('name'))).ipAddress.ip]",
      },
    },
  }
}

const incremental = (template: Record<string, unknown>) => ({ properties: { mode: 'Incremental' as const, template } })

describe('@azure/arm-resources', () => {
  it('makes, reads, checks, lists and deletes a resource group', async () => {
    const client = resources().resourceGroups
    const made = await client.createOrUpdate('Other', { location: 'West Europe', tags: { a: 'b' } })
    expect(made).toMatchObject({
      name: 'Other',
      location: 'westeurope',
      tags: { a: 'b' },
      properties: { provisioningState: 'Succeeded' },
    })
    expect((await client.get('OTHER')).id).toBe(`/subscriptions/${arm.subscription}/resourceGroups/Other`)
    expect((await client.checkExistence('other')).body).toBe(true)
    expect((await all(client.list())).map(({ name }) => name)).toEqual(['Other', 'rg'])
    await client.delete('other', FAST)
    expect((await client.checkExistence('other')).body).toBe(false)
  })
  it('deletes what is in a group along with it', async () => {
    await containers().containerGroups.beginCreateOrUpdateAndWait('rg', 'demo', group(), FAST)
    await resources().resourceGroups.delete('rg', FAST)
    expect(arm.runner.alive.size).toBe(0)
    await expect(containers().containerGroups.get('rg', 'demo')).rejects.toMatchObject({
      code: 'ResourceGroupNotFound',
    })
  })
  it('lists resources by type', async () => {
    await identities().createOrUpdate('rg', 'id', { location: 'westeurope' })
    await containers().containerGroups.beginCreateOrUpdateAndWait('rg', 'demo', group(), FAST)
    const filter = "resourceType eq 'Microsoft.ContainerInstance/containerGroups'"
    expect((await all(resources().resources.list({ filter }))).map(({ name }) => name)).toEqual(['demo'])
    expect((await all(resources().resources.listByResourceGroup('rg'))).map(({ name }) => name).toSorted()).toEqual([
      'demo',
      'id',
    ])
  })
})

describe('@azure/arm-containerinstance', () => {
  it('creates a group, follows it to its end, reads it, its log and deletes it', async () => {
    const client = containers()
    const created = await client.containerGroups.beginCreateOrUpdateAndWait('rg', 'demo', group(), FAST)
    expect(created).toMatchObject({ name: 'demo', provisioningState: 'Succeeded', sku: 'Confidential' })
    expect(created.instanceView?.state).toBe('Running')
    expect(created.containers[0]?.instanceView?.currentState?.state).toBe('Running')
    expect(created.confidentialComputeProperties?.ccePolicy).toBe(POLICY)
    await expect.poll(async () => (await client.containers.listLogs('rg', 'demo', 'app')).content).toBe('one\ntwo\n')
    expect((await client.containers.listLogs('rg', 'demo', 'app', { tail: 1 })).content).toBe('two\n')
    const stamped = await client.containers.listLogs('rg', 'demo', 'app', { tail: 1, timestamps: true })
    expect(stamped.content).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z two\n$/)
    expect((await all(client.containerGroups.listByResourceGroup('rg'))).map(({ name }) => name)).toEqual(['demo'])
    const deleted = await client.containerGroups.beginDeleteAndWait('rg', 'demo', FAST)
    expect(deleted.name).toBe('demo')
    await expect(client.containerGroups.get('rg', 'demo')).rejects.toMatchObject({
      statusCode: 404,
      code: 'ResourceNotFound',
    })
  })
  it('restarts, stops and starts a group', async () => {
    const client = containers().containerGroups
    await client.beginCreateOrUpdateAndWait('rg', 'demo', group(), FAST)
    await client.beginRestartAndWait('rg', 'demo', FAST)
    const restarted = await client.get('rg', 'demo')
    expect([restarted.instanceView?.state, restarted.containers[0]?.instanceView?.restartCount]).toEqual(['Running', 1])
    await client.stop('rg', 'demo')
    expect((await client.get('rg', 'demo')).instanceView?.state).toBe('Stopped')
    await client.beginStartAndWait('rg', 'demo', FAST)
    expect((await client.get('rg', 'demo')).instanceView?.state).toBe('Running')
  })
  it('changes the tags of a group and leaves it running', async () => {
    const client = containers().containerGroups
    await client.beginCreateOrUpdateAndWait('rg', 'demo', group(), FAST)
    const updated = await client.update('rg', 'demo', { tags: { team: 'keys' } })
    expect([updated.tags, updated.instanceView?.state]).toEqual([{ team: 'keys' }, 'Running'])
    expect(arm.runner.started.length).toBe(1)
  })
  it('is told of an image that is not there as Azure tells it', async () => {
    await expect(
      containers().containerGroups.beginCreateOrUpdateAndWait('rg', 'demo', group('nowhere.io/x:1'), FAST),
    ).rejects.toMatchObject({
      statusCode: 400,
      code: 'InaccessibleImage',
      message: expect.stringContaining("The image 'nowhere.io/x:1' in container group 'demo' is not accessible"),
    })
  })
  it('is told that exec and attach are not covered', async () => {
    const client = containers()
    await client.containerGroups.beginCreateOrUpdateAndWait('rg', 'demo', group(), FAST)
    const terminal = { command: '/bin/sh', terminalSize: { rows: 24, cols: 80 } }
    await expect(client.containers.executeCommand('rg', 'demo', 'app', terminal)).rejects.toMatchObject({
      statusCode: 501,
      code: 'SkerryNotCovered',
    })
    await expect(client.containers.attach('rg', 'demo', 'app')).rejects.toMatchObject({ statusCode: 501 })
  })
  it('refuses an identity that is not there', async () => {
    const request: ContainerGroup = {
      ...group(),
      identity: { type: 'UserAssigned', userAssignedIdentities: { '/subscriptions/x/none': {} } },
    }
    await expect(
      containers().containerGroups.beginCreateOrUpdateAndWait('rg', 'demo', request, FAST),
    ).rejects.toMatchObject({
      code: 'FailedIdentityOperation',
    })
  })
})

describe('@azure/arm-msi and @azure/arm-authorization', () => {
  it('make an identity and give it the release of keys', async () => {
    const identity = await identities().createOrUpdate('rg', 'id', { location: 'westeurope' })
    expect(identity.principalId).toMatch(/^[0-9a-f-]{36}$/)
    expect(await identities().createOrUpdate('rg', 'id', { location: 'westeurope' })).toMatchObject({
      principalId: identity.principalId,
    })
    await vaults().vaults.createOrUpdate(
      'rg',
      'skerry-demo',
      {
        location: 'westeurope',
        properties: { tenantId: arm.world.ctx.seed.tenantId, sku: { family: 'A', name: 'premium' } },
      },
      FAST,
    )
    const { id: scope = '' } = await vaults().vaults.get('rg', 'skerry-demo')
    const [role] = await all(
      roles().roleDefinitions.list(scope, { filter: "roleName eq 'Key Vault Crypto Service Release User'" }),
    )
    expect(role?.name).toBe(RELEASE_USER)
    const name = '3f0c7a52-1111-4222-8333-444455556666'
    const wanted = {
      roleDefinitionId: role?.id ?? '',
      principalId: identity.principalId ?? '',
      principalType: 'ServicePrincipal',
    }
    const assignment = await roles().roleAssignments.create(scope, name, wanted)
    expect(assignment).toMatchObject({ name, scope, principalId: identity.principalId })
    expect(await roles().roleAssignments.create(scope, name, wanted)).toMatchObject({ name })
    const filter = `principalId eq '${identity.principalId}'`
    expect((await all(roles().roleAssignments.listForScope(scope, { filter }))).map((item) => item.name)).toEqual([
      name,
    ])
    expect((await roles().roleAssignments.get(scope, name)).name).toBe(name)
    expect((await roles().roleAssignments.delete(scope, name)).name).toBe(name)
    expect(await all(roles().roleAssignments.listForScope(scope, { filter }))).toEqual([])
    await identities().delete('rg', 'id')
    await expect(identities().get('rg', 'id')).rejects.toMatchObject({ code: 'ResourceNotFound' })
  })
})

describe('@azure/arm-keyvault', () => {
  it('makes a vault with role-based access, lists and deletes it', async () => {
    const { tenantId } = arm.world.ctx.seed
    const parameters = {
      location: 'westeurope',
      properties: { tenantId, sku: { family: 'A' as const, name: 'premium' as const } },
    }
    const vault = await vaults().vaults.createOrUpdate('rg', 'MyVault1', parameters, FAST)
    expect(vault.properties).toMatchObject({
      vaultUri: 'https://myvault1.vault.azure.net/',
      enableRbacAuthorization: true,
      provisioningState: 'Succeeded',
    })
    expect((await all(vaults().vaults.listByResourceGroup('rg'))).map(({ name }) => name)).toEqual(['MyVault1'])
    await vaults().vaults.delete('rg', 'MyVault1')
    await expect(vaults().vaults.get('rg', 'MyVault1')).rejects.toMatchObject({ statusCode: 404 })
  })
  it('makes a managed HSM', async () => {
    const { tenantId, admin } = arm.world.ctx.seed
    const hsm = await vaults().managedHsms.createOrUpdate(
      'rg',
      'skerry-hsm',
      {
        location: 'westeurope',
        sku: { family: 'B', name: 'Standard_B1' },
        properties: { tenantId, initialAdminObjectIds: [admin.objectId] },
      },
      FAST,
    )
    expect(hsm.properties?.hsmUri).toBe('https://skerry-hsm.managedhsm.azure.net/')
  })
})

describe('@azure/arm-resourcesdeployments', () => {
  it('deploys a template: identity first, then the group; and gives outputs and operations', async () => {
    const done = await deployments().createOrUpdate(
      'rg',
      'main',
      incremental(templateOf('test.azurecr.io/app:1')),
      FAST,
    )
    expect(done.properties?.provisioningState).toBe('Succeeded')
    expect(done.properties?.outputs).toEqual({
      address: { type: 'String', value: expect.stringMatching(/^203\.0\.113\./) },
    })
    expect(done.properties?.outputResources?.map(({ id }) => id?.split('/').at(-1))).toEqual(['demo', 'id'])
    const items = await all(operations().list('rg', 'main'))
    expect(items.map(({ properties }) => properties?.targetResource?.resourceName)).toEqual(['id', 'demo', undefined])
    expect((await operations().get('rg', 'main', items[0]?.operationId ?? '')).properties?.provisioningState).toBe(
      'Succeeded',
    )
    const running = await containers().containerGroups.get('rg', 'demo')
    expect(Object.values(running.identity?.userAssignedIdentities ?? {})[0]?.principalId).toBe(
      (await identities().get('rg', 'id')).principalId,
    )
  })
  it('validates a template and makes nothing', async () => {
    const template = incremental(templateOf('test.azurecr.io/app:1'))
    const answer = await deployments().validate('rg', 'main', template, FAST)
    expect((answer as { properties?: { provisioningState?: string } }).properties?.provisioningState).toBe('Succeeded')
    await expect(deployments().get('rg', 'main')).rejects.toMatchObject({ code: 'DeploymentNotFound' })
    expect((await deployments().checkExistence('rg', 'main')).body).toBe(false)
  })
  it('shows what the provider refused inside the failure of the deployment', async () => {
    await expect(
      deployments().createOrUpdate('rg', 'main', incremental(templateOf('nowhere.io/x:1')), FAST),
    ).rejects.toThrow(/DeploymentFailed.*At least one resource deployment operation failed/s)
    const { properties } = await deployments().get('rg', 'main')
    expect(properties?.provisioningState).toBe('Failed')
    expect(properties?.error?.details).toMatchObject([
      { code: 'InaccessibleImage', message: expect.stringContaining('nowhere.io/x:1') },
    ])
    const failed = (await all(operations().list('rg', 'main'))).find(
      (item) => item.properties?.provisioningState === 'Failed',
    )
    expect(failed?.properties?.statusCode).toBe('BadRequest')
  })
  it('nests a failure after acceptance as a JSON document in a message', async () => {
    const template = templateOf('test.azurecr.io/app:1')
    const [first] = template.resources as { properties: { initContainers?: unknown[] } }[]
    first!.properties.initContainers = [
      { name: 'init', properties: { image: 'test.azurecr.io/app', command: ['/fail'] } },
    ]
    await expect(deployments().createOrUpdate('rg', 'main', incremental(template), FAST)).rejects.toThrow(
      'DeploymentFailed',
    )
    const { properties } = await deployments().get('rg', 'main')
    const [detail] = properties?.error?.details ?? []
    expect(detail?.code).toBe('Conflict')
    expect(JSON.parse(detail?.message ?? '')).toMatchObject({
      status: 'Failed',
      error: { code: 'ResourceDeploymentFailure', details: [{ message: expect.stringContaining('exit code 3') }] },
    })
  })
  it('refuses a template before anything is made', async () => {
    const template = { ...templateOf('test.azurecr.io/app:1'), parameters: { name: { type: 'string' } } }
    await expect(deployments().createOrUpdate('rg', 'main', incremental(template), FAST)).rejects.toMatchObject({
      statusCode: 400,
      code: 'InvalidTemplate',
      message: expect.stringMatching(
        /The value for the template parameter 'name' at line '1' and column '\d+' is not provided/,
      ),
    })
    await expect(deployments().get('rg', 'main')).rejects.toMatchObject({ code: 'DeploymentNotFound' })
  })
  it('names a type that is not covered', async () => {
    const template = {
      contentVersion: '1.0.0.0',
      resources: [{ type: 'Microsoft.Compute/virtualMachines', apiVersion: '2024-03-01', name: 'vm' }],
    }
    await expect(deployments().createOrUpdate('rg', 'main', incremental(template), FAST)).rejects.toMatchObject({
      statusCode: 501,
      message: expect.stringContaining('Microsoft.Compute/virtualMachines'),
    })
  })
  it('deletes a deployment and refuses to cancel one that has ended', async () => {
    await deployments().createOrUpdate('rg', 'main', incremental(templateOf('test.azurecr.io/app:1')), FAST)
    await expect(deployments().cancel('rg', 'main')).rejects.toMatchObject({
      statusCode: 409,
      code: 'DeploymentCannotBeCancelled',
    })
    await deployments().delete('rg', 'main', FAST)
    expect((await deployments().checkExistence('rg', 'main')).body).toBe(false)
  })
})
