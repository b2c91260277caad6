import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seedResources } from '../seed.ts'
import { type ArmWorld, createArmWorld } from '../test-world.ts'

const V = 'api-version=2023-07-01'
const ROLE = '/providers/Microsoft.Authorization/roleAssignments/11111111-2222-4333-8444-555555555555'
const DEFINITION = '/providers/Microsoft.Authorization/roleDefinitions/11111111-2222-4333-8444-555555555555'

let arm: ArmWorld
let group: string

beforeEach(() => {
  arm = createArmWorld()
  group = `/subscriptions/${arm.subscription}/resourceGroups/rg`
  seedResources(arm.world.ctx, {
    vaults: [{ name: 'skerry-demo', resourceGroup: 'rg' }],
    managedHsms: [{ name: 'skerry-demo', resourceGroup: 'rg' }],
  })
})
afterEach(async () => {
  await arm[Symbol.asyncDispose]()
})

/** Values that a member of a body does not expect. */
const ODD: readonly unknown[] = [
  null,
  true,
  -1,
  1e308,
  '',
  '\u0000',
  'x'.repeat(10_000),
  [],
  [null],
  [[]],
  [{}],
  {},
  { a: null },
  { value: [null] },
  JSON.parse('{"__proto__":{"a":1},"constructor":{"prototype":1}}'),
]

const keyVault = '/providers/Microsoft.KeyVault'
const ROUTES: readonly (readonly [method: string, path: string, members: readonly string[]])[] = [
  [
    'PUT',
    `${keyVault}/vaults/mine`,
    [
      'location',
      'tags',
      'properties',
      'properties.tenantId',
      'properties.sku',
      'properties.accessPolicies',
      'properties.networkAcls',
      'properties.networkAcls.ipRules',
      'properties.publicNetworkAccess',
      'properties.softDeleteRetentionInDays',
      'properties.enablePurgeProtection',
      'properties.enableRbacAuthorization',
      'properties.createMode',
    ],
  ],
  ['PATCH', `${keyVault}/vaults/skerry-demo`, ['tags', 'properties', 'properties.accessPolicies', 'properties.sku']],
  ['PUT', `${keyVault}/vaults/skerry-demo/accessPolicies/add`, ['properties', 'properties.accessPolicies']],
  ['PUT', `${keyVault}/managedHSMs/mine`, ['sku', 'properties', 'properties.initialAdminObjectIds', 'location']],
  ['PATCH', `${keyVault}/managedHSMs/skerry-demo`, ['sku', 'properties', 'tags']],
  [
    'PUT',
    `${keyVault}/vaults/skerry-demo/keys/k`,
    [
      'properties',
      'properties.kty',
      'properties.keyOps',
      'properties.keySize',
      'properties.curveName',
      'properties.attributes',
      'properties.release_policy',
      'properties.rotationPolicy',
    ],
  ],
  ['PUT', ROLE, ['properties', 'properties.roleDefinitionId', 'properties.principalId', 'properties.principalType']],
  [
    'PUT',
    DEFINITION,
    ['properties', 'properties.roleName', 'properties.permissions', 'properties.assignableScopes', 'properties.type'],
  ],
]

function withMember(path: string, value: unknown): object {
  const [first = '', ...rest] = path.split('.')
  return { kty: 'EC', [first]: rest.length === 0 ? value : withMember(rest.join('.'), value) }
}

describe('bodies that nobody expects', () => {
  it.each(ROUTES)('are refused or taken, never a fault: %s %s', async (method, path, members) => {
    for (const member of members) {
      for (const value of ODD) {
        const answer = await arm.send(method, `${group}${path}?${V}`, withMember(member, value))
        const text = await answer.text()
        expect([answer.status, text].join(' '), `${member} = ${JSON.stringify(value)?.slice(0, 60)}`).not.toMatch(
          /^500/,
        )
      }
    }
  })
  it.each([
    ['POST', 'checkNameAvailability', {}],
    ['POST', 'checkNameAvailability', { name: ['x'] }],
    ['POST', 'checkMhsmNameAvailability', { name: null }],
    ['GET', 'locations/nowhere/deletedVaults/none', undefined],
    ['POST', 'locations/nowhere/deletedVaults/none/purge', undefined],
    ['GET', 'locations/nowhere/operationResults/none', undefined],
    ['GET', 'vaults?$top=0', undefined],
    ['GET', 'vaults?$top=1&$skiptoken=%00', undefined],
  ])('%s %s with %j is answered', async (method, path, body) => {
    const url = `/subscriptions/${arm.subscription}${keyVault}/${path}${path.includes('?') ? '&' : '?'}${V}`
    expect((await arm.send(method, url, body)).status).toBeLessThan(500)
  })
  it.each(['a_b', 'x'.repeat(128), 'a%2Fb', '%00', '..%2f'])('no key is made of the name %s', async (name) => {
    const body = { properties: { kty: 'EC' } }
    const answer = await arm.send('PUT', `${group}${keyVault}/vaults/skerry-demo/keys/${name}?${V}`, body)
    expect(answer.status).toBe(400)
  })
  it('a rotation policy that is refused leaves no key behind', async () => {
    const key = `${group}${keyVault}/vaults/skerry-demo/keys/k?${V}`
    const rotationPolicy = { attributes: { expiryTime: 'tomorrow' } }
    expect((await arm.send('PUT', key, { properties: { kty: 'EC', rotationPolicy } })).status).toBe(400)
    expect((await arm.send('GET', key)).status).toBe(404)
  })
})
