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

const CUSTOM = '99999999-2222-4333-8444-555555555555'
const definition = (name = '') =>
  `${MANAGED_HSM}//providers/Microsoft.Authorization/roleDefinitions${name && `/${name}`}`
const signer = (more: object = {}) => ({
  properties: {
    roleName: 'Signer',
    description: 'Signs and verifies',
    type: 'CustomRole',
    permissions: [
      {
        actions: [],
        notActions: [],
        dataActions: [
          'Microsoft.KeyVault/managedHsm/keys/sign/action',
          'Microsoft.KeyVault/managedHSM/keys/READ/action',
        ],
        notDataActions: ['Microsoft.KeyVault/managedHsm/keys/read/action'],
      },
    ],
    assignableScopes: ['/'],
    ...more,
  },
})

describe('a custom role of a managed HSM', () => {
  it('is made, read, listed and deleted', async () => {
    const made = await world.call('PUT', definition(CUSTOM), signer())
    expect(made.status).toBe(201)
    expect(made.json).toMatchObject({
      id: `Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/${CUSTOM}`,
      name: CUSTOM,
      type: 'Microsoft.Authorization/roleDefinitions',
      properties: {
        roleName: 'Signer',
        description: 'Signs and verifies',
        type: 'CustomRole',
        assignableScopes: ['/'],
      },
    })
    expect((await world.call('GET', definition(CUSTOM))).json).toEqual(made.json)
    expect((await world.call('GET', definition())).json.value).toHaveLength(10)
    expect((await world.call('DELETE', definition(CUSTOM))).json).toEqual(made.json)
    const missing = await world.call('GET', definition(CUSTOM))
    expect([missing.status, missing.json.error.code]).toEqual([404, 'RoleDefinitionNotFound'])
  })
  it('gives what it grants and not what it takes away again', async () => {
    await world.call('POST', `${MANAGED_HSM}/keys/k/create`, { kty: 'EC' })
    await world.call('PUT', definition(CUSTOM), signer())
    await assign('/keys', CUSTOM)
    const sign = { alg: 'ES256', value: Buffer.alloc(32).toString('base64url') }
    expect((await world.call('POST', `${MANAGED_HSM}/keys/k/sign`, sign, 'stranger')).status).toBe(200)
    expect((await world.call('GET', `${MANAGED_HSM}/keys/k`, undefined, 'stranger')).status).toBe(403)
  })
  it('stays as long as somebody has it', async () => {
    await world.call('PUT', definition(CUSTOM), signer())
    await assign('/keys', CUSTOM)
    expect((await world.call('DELETE', definition(CUSTOM))).status).toBe(409)
    await world.call('DELETE', at('/keys'))
    expect((await world.call('DELETE', definition(CUSTOM))).status).toBe(200)
  })
  it.each<[string, string, object]>([
    ['a name that is no GUID', 'signer', signer()],
    [
      'a data action that is none',
      CUSTOM,
      signer({ permissions: [{ dataActions: ['Microsoft.KeyVault/managedHsm/*'] }] }),
    ],
    ['an action of the management side', CUSTOM, signer({ permissions: [{ actions: ['Microsoft.KeyVault/*'] }] })],
    ['a scope that is none', CUSTOM, signer({ assignableScopes: ['/secrets'] })],
    ['no name', CUSTOM, signer({ roleName: null })],
    ['the place of a built-in one', CRYPTO_USER, signer()],
  ])('is refused with %s', async (_, name, body) => {
    const { status, json } = await world.call('PUT', definition(name), body)
    expect([status, json.error.code]).toEqual([400, 'BadParameter'])
  })
  it('takes no name that another role has', async () => {
    const answer = await world.call('PUT', definition(CUSTOM), signer({ roleName: 'managed hsm crypto user' }))
    expect(answer.status).toBe(409)
  })
  it('is the business of those who may write roles', async () => {
    const { json } = await world.call('PUT', definition(CUSTOM), signer(), 'stranger')
    expect(json.error.message).toMatch(
      /^Not authorized to access Microsoft\.KeyVault\/managedHsm\/roleDefinitions\/write\/action on \/ \(Activity ID: /,
    )
  })
})

describe('the list of assignments', () => {
  beforeEach(async () => {
    await assign('/keys', CRYPTO_USER)
  })
  const names = async (scope: string, filter = '') => {
    const url = `${at(scope, '')}${filter && `?$filter=${encodeURIComponent(filter)}`}`
    const { json } = await world.call('GET', url)
    return json.value.map(({ name }: { name: string }) => name)
  }
  it('has those at the scope, above and below', async () => {
    expect(await names('/')).toContain(ASSIGNMENT)
    expect(await names('/keys/k')).toContain(ASSIGNMENT)
    expect(await names('/keys/k')).toHaveLength(4)
  })
  it('has none of below by atScope()', async () => {
    expect(await names('/', 'atScope()')).not.toContain(ASSIGNMENT)
    expect(await names('/keys', 'atScope()')).toHaveLength(4)
  })
  it('has those of one principal, with or without quotes', async () => {
    expect(await names('/', `principalId eq '${world.strangerId.toUpperCase()}'`)).toEqual([ASSIGNMENT])
    expect(await names('/', `principalId eq ${world.strangerId}`)).toEqual([ASSIGNMENT])
  })
  it('refuses what it does not understand', async () => {
    const { json } = await world.call('GET', `${at('/', '')}?$filter=scope%20eq%20%27x%27`)
    expect(json.error.code).toBe('BadParameter')
  })
})

describe('a refusal by the local RBAC', () => {
  it('names the action and the scope, and the journal the roles that would do', async () => {
    const { status, json } = await world.call('POST', `${MANAGED_HSM}/keys/k/release`, { target: 'x' }, 'stranger')
    expect(status).toBe(403)
    expect(json.error).toEqual({
      code: 'AccessDenied',
      message: expect.stringMatching(
        /^Not authorized to access Microsoft\.KeyVault\/managedHsm\/keys\/release\/action on \/keys\/k \(Activity ID: [0-9a-f-]{36}\)$/,
      ),
    })
    expect(world.ctx.journal.records().at(-1)?.action).toBe(
      `Assign the role Managed HSM Crypto Service Release User (or Managed HSM Crypto User) to ${world.strangerId} at ${MANAGED_HSM}/keys/k or above.`,
    )
  })
})

describe('the settings of a managed HSM', () => {
  const url = `${MANAGED_HSM}/settings`
  const NAME = 'AllowKeyManagementOperationsThroughARM'
  it('are one, and false at first', async () => {
    const setting = { name: NAME, value: 'false', type: 'boolean' }
    expect((await world.call('GET', url)).json).toEqual({ settings: [setting] })
    expect((await world.call('GET', `${url}/${NAME}`)).json).toEqual(setting)
  })
  it('are changed by a PATCH, to true or false', async () => {
    expect((await world.call('PATCH', `${url}/${NAME}`, { value: 'true' })).json.value).toBe('true')
    expect((await world.call('GET', `${url}/${NAME}`)).json.value).toBe('true')
    expect((await world.call('PATCH', `${url}/${NAME}`, { value: 'maybe' })).json.error.code).toBe('BadParameter')
  })
  it('have no other name', async () => {
    expect((await world.call('GET', `${url}/Other`)).status).toBe(404)
  })
  it('are the administrator’s', async () => {
    await assign('/', CRYPTO_USER)
    expect((await world.call('PATCH', `${url}/${NAME}`, { value: 'true' }, 'stranger')).status).toBe(403)
  })
  it('do not exist on a vault', async () => {
    expect((await world.call('GET', 'https://skerry.vault.azure.net/settings')).status).toBe(404)
  })
})

describe('what a real HSM alone can do', () => {
  it.each([
    ['GET', '/securitydomain/upload'],
    ['POST', '/securitydomain/download'],
    ['POST', '/backup'],
    ['PUT', '/restore'],
    ['PUT', '/keys/k/restore'],
  ])('is 501 with a code that says so: %s %s', async (method, path) => {
    const { status, json } = await world.call(method, `${MANAGED_HSM}${path}`, method === 'GET' ? undefined : {})
    expect([status, json.error.code]).toEqual([501, 'SkerryOperationNotCovered'])
  })
})
