import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Route } from './routes.ts'
import { expectEveryMemberHolds, expectNothingBreaks, expectTaken, type Suite } from './suite.ts'
import { ARM, createHostileWorld, type HostileWorld, hasErrorObject } from './world.ts'

/*
 * Resource Manager: whatever is sent, there is an answer of its.
 */

const ASSIGNMENT = '3f0c7a52-1111-4222-8333-444455556666'
const ROLE = '3f0c7a52-2222-4222-8333-444455556666'
const CRYPTO_USER = '12338af0-0e69-4776-bea7-57ae8d297424'

let world: HostileWorld
let suite: Suite
beforeAll(async () => {
  world = await createHostileWorld()
  const { subscriptionId, tenantId, admin } = world.emulator.context.seed
  const headers = await world.authorization(ARM)
  const subscription = `/subscriptions/${subscriptionId}`
  const group = `${subscription}/resourceGroups/skerry`
  const route = (method: string, path: string, body?: unknown, status = 200): Route => ({
    name: `${method} ${path.replace(group, '').replace(subscription, '')}`,
    method,
    origin: ARM,
    path,
    query: 'api-version=2023-07-01',
    headers,
    ...(body !== undefined && { body }),
    status,
  })
  const vault = (name: string) => `${group}/providers/Microsoft.KeyVault/vaults/${name}`
  const hsm = (name: string) => `${group}/providers/Microsoft.KeyVault/managedHSMs/${name}`
  const accessPolicies = [{ tenantId, objectId: admin.objectId, permissions: { keys: ['get', 'list'] } }]
  const vaultBody = {
    location: 'westeurope',
    tags: { a: 'b' },
    properties: {
      tenantId,
      sku: { family: 'A', name: 'premium' },
      accessPolicies,
      enableRbacAuthorization: false,
      softDeleteRetentionInDays: 7,
      networkAcls: {
        bypass: 'AzureServices',
        defaultAction: 'Allow',
        ipRules: [{ value: '10.0.0.0/8' }],
        virtualNetworkRules: [{ id: `${group}/providers/Microsoft.Network/virtualNetworks/v/subnets/s` }],
      },
    },
  }
  const hsmBody = {
    location: 'westeurope',
    sku: { family: 'B', name: 'Standard_B1' },
    properties: { tenantId, initialAdminObjectIds: [admin.objectId], softDeleteRetentionInDays: 7 },
  }
  const key = {
    tags: { a: 'b' },
    properties: {
      kty: 'EC',
      curveName: 'P-256',
      keyOps: ['sign', 'verify'],
      attributes: { enabled: true, nbf: 1_000_000_000, exp: 4_000_000_000 },
      rotationPolicy: {
        attributes: { expiryTime: 'P2Y' },
        lifetimeActions: [{ trigger: { timeAfterCreate: 'P60D' }, action: { type: 'rotate' } }],
      },
    },
  }
  const template = {
    $schema: 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#',
    contentVersion: '1.0.0.0',
    parameters: { name: { type: 'string', defaultValue: 'i' } },
    variables: { location: "[toLower('WESTEUROPE')]" },
    resources: [
      {
        type: 'Microsoft.ManagedIdentity/userAssignedIdentities',
        apiVersion: '2023-01-31',
        name: "[concat(parameters('name'), 'd')]",
        location: "[variables('location')]",
      },
    ],
    outputs: { id: { type: 'string', value: "[resourceId('a/b', parameters('name'))]" } },
  }
  const deployment = { properties: { mode: 'Incremental', template, parameters: { name: { value: 'x' } } } }
  const roleDefinitionId = `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${CRYPTO_USER}`
  const assignment = {
    properties: { roleDefinitionId, principalId: admin.objectId, principalType: 'ServicePrincipal' },
  }
  const role = {
    properties: {
      roleName: 'hostile',
      description: 'd',
      type: 'CustomRole',
      permissions: [
        {
          actions: ['Microsoft.KeyVault/vaults/read'],
          notActions: [],
          dataActions: ['Microsoft.KeyVault/vaults/keys/*'],
          notDataActions: [],
        },
      ],
      assignableScopes: [subscription],
    },
  }
  const identity = (name: string) => `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`
  const federated = {
    properties: { issuer: 'https://issuer.example', subject: 's', audiences: ['api://AzureADTokenExchange'] },
  }
  const containerGroup = {
    location: 'westeurope',
    properties: {
      osType: 'Linux',
      sku: 'Confidential',
      confidentialComputeProperties: { ccePolicy: 'cGFja2FnZSBwb2xpY3k=' },
      containers: [
        {
          name: 'c',
          properties: {
            image: 'unknown.azurecr.io/none:1',
            command: ['/x'],
            ports: [{ port: 80 }],
            environmentVariables: [{ name: 'A', value: 'b' }],
            resources: { requests: { cpu: 1, memoryInGB: 1 } },
          },
        },
      ],
    },
  }
  const authorization = `${group}/providers/Microsoft.Authorization`
  const deleted = (name: string) =>
    `${subscription}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/${name}`
  const prepare = [
    route('PUT', vault('gone-vault'), vaultBody),
    route('DELETE', vault('gone-vault')),
    route('PUT', vault('policies'), vaultBody),
    route('PUT', `${vault('skerry')}/keys/k`, key),
    route('PUT', `${authorization}/roleAssignments/${ASSIGNMENT.replace('3f', '4f')}`, assignment, 201),
    route('PUT', `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${ROLE}`, role, 201),
    route('PUT', `${identity('skerry')}/federatedIdentityCredentials/fff`, federated, 201),
  ]
  for (const { method, path, query, body } of prepare) {
    const url = `${ARM}${path}?${query}`
    const answer = await world.send({ method, url, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
    if (answer!.status >= 300) throw new Error(`${method} ${path}: ${answer!.status} ${answer!.text}`)
  }
  suite = {
    world,
    secrets: [admin.clientSecret, headers.authorization!.split('.')[2]!],
    manner: { isRefusal: hasErrorObject, headers: ['x-ms-request-id', 'cache-control', 'x-content-type-options'] },
    routes: [
      route('GET', '/tenants'),
      route('GET', '/subscriptions'),
      route('GET', subscription),
      route('GET', `${subscription}/locations`),
      route('GET', `${subscription}/resources`),
      route('GET', `${subscription}/resourcegroups`),
      route('GET', `${subscription}/providers/Microsoft.KeyVault`),
      route('POST', `${subscription}/providers/Microsoft.KeyVault/register`),
      route('GET', '/providers/Microsoft.KeyVault/operations'),
      route('GET', group),
      route('PUT', group, { location: 'westeurope', tags: { a: 'b' } }),
      route('PATCH', group, { tags: { a: 'c' } }),
      route('GET', `${group}/resources`),
      route('PUT', vault('policies'), vaultBody),
      route('PATCH', vault('policies'), {
        tags: { b: 'c' },
        properties: { accessPolicies, enabledForDeployment: true },
      }),
      route('GET', vault('policies')),
      route('GET', `${group}/providers/Microsoft.KeyVault/vaults`),
      route('DELETE', vault('policies')),
      route('PUT', `${vault('policies')}/accessPolicies/add`, { properties: { accessPolicies } }),
      route('GET', `${subscription}/providers/Microsoft.KeyVault/deletedVaults`),
      route('GET', deleted('gone-vault')),
      route('POST', `${deleted('gone-vault')}/purge`, undefined, 202),
      route('POST', `${subscription}/providers/Microsoft.KeyVault/checkNameAvailability`, {
        name: 'free-name',
        type: 'Microsoft.KeyVault/vaults',
      }),
      route('PUT', `${vault('skerry')}/keys/n`, key),
      route('GET', `${vault('skerry')}/keys/k`),
      route('GET', `${vault('skerry')}/keys`),
      route('GET', `${vault('skerry')}/keys/k/versions`),
      route('PUT', hsm('fresh-hsm'), hsmBody, 202),
      route('PATCH', hsm('skerry'), { tags: { a: 'b' }, sku: { name: 'Standard_B1', family: 'B' } }),
      route('GET', hsm('skerry')),
      route('GET', `${hsm('skerry')}/regions`),
      route('GET', `${authorization}/roleAssignments`),
      route(
        'PUT',
        `${authorization}/roleAssignments/${ASSIGNMENT}`,
        {
          properties: {
            ...assignment.properties,
            roleDefinitionId: roleDefinitionId.replace(CRYPTO_USER, '14b46e9e-c2b7-41b4-b07b-48a6ebf60603'),
          },
        },
        201,
      ),
      route('DELETE', `${authorization}/roleAssignments/${ASSIGNMENT.replace('3f', '4f')}`),
      route('GET', `${authorization}/roleDefinitions`),
      route('PUT', `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${ROLE}`, role, 201),
      route('GET', `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${ROLE}`),
      route('DELETE', `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${ROLE}`),
      route('GET', `${authorization}/permissions`),
      route('PUT', identity('new'), { location: 'westeurope', tags: { a: 'b' } }, 201),
      route(
        'PUT',
        `${identity('skerry')}/federatedIdentityCredentials/ggg`,
        { properties: { ...federated.properties, subject: 't' } },
        201,
      ),
      route('GET', `${identity('skerry')}/federatedIdentityCredentials`),
      route('DELETE', `${identity('skerry')}/federatedIdentityCredentials/fff`),
      route('POST', `${group}/providers/Microsoft.Resources/deployments/d/validate`, deployment),
      route(
        'PUT',
        `${group}/providers/Microsoft.Attestation/attestationProviders/hostile`,
        { location: 'westeurope', properties: {} },
        201,
      ),
      route('PUT', `${group}/providers/Microsoft.ContainerInstance/containerGroups/g`, containerGroup, 400),
    ],
  }
  world.keep()
})
afterAll(() => world[Symbol.asyncDispose]())

describe('Resource Manager', () => {
  it('takes every request that is mutated here, as it stands', () => expectTaken(suite))
  it('holds against every odd value at every member of every body', () => expectEveryMemberHolds(suite))
  it('holds against requests that were mutated at random', () => expectNothingBreaks(suite, 400))
  it('has written no secret to the journal', () => {
    const journal = JSON.stringify(world.emulator.context.journal.records())
    expect(suite.secrets.filter((secret) => journal.includes(secret))).toEqual([])
  })
})
