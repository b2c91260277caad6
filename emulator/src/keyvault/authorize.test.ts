import { beforeEach, describe, expect, it } from 'vitest'
import { type AccessPolicy, COLLECTIONS, type VaultRecord } from '../core/index.ts'
import { firewallVerdict, isAddressRange } from './firewall.ts'
import { createVaultWorld, MANAGED_HSM, RELEASE_USER, STANDARD_VAULT, VAULT, type VaultWorld } from './test-vaults.ts'

let world: VaultWorld
beforeEach(async () => {
  world = createVaultWorld()
  await world.call('POST', `${VAULT}/keys/k/create`, { kty: 'EC' })
})

const change = (more: Partial<VaultRecord>, host = 'skerry.vault.azure.net') => {
  const vaults = world.ctx.store.collection<VaultRecord>(COLLECTIONS.vaults)
  vaults.put(host, { ...(vaults.get(host) as VaultRecord), ...more })
}
const withPolicies = (...accessPolicies: AccessPolicy[]) => change({ enableRbacAuthorization: false, accessPolicies })
const policy = (keys: string[], more: Partial<AccessPolicy> = {}): AccessPolicy => ({
  tenantId: world.ctx.seed.tenantId,
  objectId: world.strangerId,
  permissions: { keys },
  ...more,
})
const asStranger = (method: string, path: string, body?: unknown) =>
  world.call(method, `${VAULT}${path}`, body, 'stranger')
const lastRecord = () => world.ctx.journal.records().at(-1)

describe('a call that no role allows', () => {
  it('is refused in the words of the service, line by line', async () => {
    const { status, json } = await asStranger('GET', '/keys/K')
    const clientId = await clientIdOfStranger()
    expect(status).toBe(403)
    expect(json).toEqual({
      error: {
        code: 'Forbidden',
        message: [
          'Caller is not authorized to perform action on resource.',
          'If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.',
          `Caller: appid=${clientId};oid=${world.strangerId};iss=https://sts.windows.net/${world.ctx.seed.tenantId}/`,
          "Action: 'Microsoft.KeyVault/vaults/keys/read'",
          `Resource: '/subscriptions/${world.ctx.seed.subscriptionId}/resourcegroups/rg/providers/microsoft.keyvault/vaults/skerry/keys/k'`,
          'Assignment: (not found)',
          'DenyAssignmentId: null',
          'DecisionReason: null',
          'Vault: skerry;location=westeurope',
          '',
        ].join('\r\n'),
        innererror: { code: 'ForbiddenByRbac' },
      },
    })
  })
  it('says in the journal who lacks what, where, and which roles would do', async () => {
    await asStranger('POST', '/keys/k/release', { target: 'x' })
    const scope = `/subscriptions/${world.ctx.seed.subscriptionId}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/skerry/keys/k`
    expect(lastRecord()).toMatchObject({
      outcome: 'denied',
      summary: `Principal ${world.strangerId} has no role with Microsoft.KeyVault/vaults/keys/release/action at ${scope}.`,
      action: `Assign the role Key Vault Crypto Service Release User (or Key Vault Crypto Officer, Key Vault Administrator) to ${world.strangerId} at ${scope} or above.`,
    })
  })
  it('is not allowed by an access policy of a vault that goes by roles', async () => {
    change({ accessPolicies: [policy(['all'])] })
    expect((await asStranger('GET', '/keys/k')).json.error.innererror.code).toBe('ForbiddenByRbac')
    expect(lastRecord()?.summary).toContain('The access policies of skerry do not count')
  })
})

describe('a vault that goes by access policies', () => {
  it('takes no account of roles, not even the administrator’s', async () => {
    withPolicies()
    const { status, json } = await world.call('GET', `${VAULT}/keys/k`)
    expect([status, json.error.innererror.code]).toEqual([403, 'AccessDenied'])
  })
  it('says which permission is missing, and the journal how to give it', async () => {
    withPolicies(policy(['list']))
    const { json } = await asStranger('POST', '/keys/k/wrapkey', { alg: 'RSA-OAEP', value: 'AAAA' })
    const caller = `appid=${await clientIdOfStranger()};oid=${world.strangerId};iss=https://sts.windows.net/${world.ctx.seed.tenantId}/`
    expect(json).toEqual({
      error: {
        code: 'Forbidden',
        message: `The user, group or application '${caller}' does not have keys wrapKey permission on key vault 'skerry;location=westeurope'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287`,
        innererror: { code: 'AccessDenied' },
      },
    })
    expect(lastRecord()).toMatchObject({
      conditions: [{ name: 'accessPolicy.permissions.keys', wanted: 'wrapKey', found: ['list'], met: false }],
      action: expect.stringContaining('--key-permissions wrapKey'),
    })
  })
  it.each<[word: string, method: string, path: string, body?: object]>([
    ['get', 'GET', '/keys/k'],
    ['list', 'GET', '/keys'],
    ['list', 'GET', '/keys/k/versions'],
    ['list', 'GET', '/deletedkeys'],
    ['create', 'POST', '/keys/new/create', { kty: 'EC' }],
    ['update', 'PATCH', '/keys/k', { tags: {} }],
    ['backup', 'POST', '/keys/k/backup'],
    ['rotate', 'POST', '/keys/k/rotate'],
    ['getrotationpolicy', 'GET', '/keys/k/rotationpolicy'],
    ['setrotationpolicy', 'PUT', '/keys/k/rotationpolicy', { lifetimeActions: [] }],
    ['sign', 'POST', '/keys/k/sign', { alg: 'ES256', value: Buffer.alloc(32).toString('base64url') }],
    ['delete', 'DELETE', '/keys/k'],
  ])('lets by with %s: %s %s', async (word, method, path, body) => {
    withPolicies(policy(['encrypt']))
    expect((await asStranger(method, path, body)).status).toBe(403)
    withPolicies(policy([word.toUpperCase()]))
    expect((await asStranger(method, path, body)).status).toBe(200)
  })
  it('lets by with all', async () => {
    withPolicies(policy(['all']))
    expect((await asStranger('DELETE', '/keys/k')).status).toBe(200)
    expect((await asStranger('DELETE', '/deletedkeys/k')).status).toBe(204)
  })
  it('wants the application, too, where a policy names one', async () => {
    withPolicies(policy(['get'], { applicationId: '11111111-1111-4111-8111-111111111111' }))
    expect((await asStranger('GET', '/keys/k')).status).toBe(403)
    withPolicies(policy(['get'], { applicationId: await clientIdOfStranger() }))
    expect((await asStranger('GET', '/keys/k')).status).toBe(200)
  })
  it('shows no assignment in its headers, one that goes by roles does', async () => {
    const name = 'x-ms-keyvault-rbac-assignment-id'
    expect((await world.call('GET', `${VAULT}/keys/k`)).headers.get(name)).toMatch(/^[0-9a-f]{32}$/)
    withPolicies(policy(['get']))
    expect((await asStranger('GET', '/keys/k')).headers.get(name)).toBeNull()
  })
})

describe('the network settings of a vault', () => {
  const denyAll = { bypass: 'AzureServices', defaultAction: 'Deny', ipRules: [], virtualNetworkRules: [] } as const
  it('keep everybody out when public access is disabled', async () => {
    change({ publicNetworkAccess: 'Disabled' })
    const { status, json } = await world.call('GET', `${VAULT}/keys/k`)
    expect([status, json.error.code, json.error.innererror.code]).toEqual([403, 'Forbidden', 'ForbiddenByConnection'])
    expect(lastRecord()?.action).toContain('publicNetworkAccess')
  })
  it('keep those out whose address no rule has', async () => {
    change({ networkAcls: { ...denyAll, ipRules: [{ value: '203.0.113.0/24' }] } })
    const { json } = await world.call('GET', `${VAULT}/keys/k`)
    expect(json.error.innererror.code).toBe('ForbiddenByFirewall')
    expect(json.error.message).toContain('Client address: 127.0.0.1\r\n')
    change({ networkAcls: { ...denyAll, ipRules: [{ value: '127.0.0.0/8' }] } })
    expect((await world.call('GET', `${VAULT}/keys/k`)).status).toBe(200)
  })
  it('still tell a client without a token where to get one', async () => {
    change({ publicNetworkAccess: 'Disabled' })
    expect((await world.fetch(`${VAULT}/keys/k?api-version=7.4`)).status).toBe(401)
  })
  it('are each vault’s own', async () => {
    change({ publicNetworkAccess: 'Disabled' })
    expect((await world.call('GET', `${STANDARD_VAULT}/keys`)).status).toBe(200)
  })
  it('hold for a managed HSM', async () => {
    change({ publicNetworkAccess: 'Disabled' }, 'skerry.managedhsm.azure.net')
    expect((await world.call('GET', `${MANAGED_HSM}/keys`)).status).toBe(403)
  })
  it.each<[string, string, boolean]>([
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3/32', '10.1.2.4', false],
    ['10.0.0.0/8', '10.200.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['0.0.0.0/0', '192.0.2.1', true],
  ])('let %s in by the rule %s: %s', (rule, address, open) => {
    const networkAcls = { ...denyAll, ipRules: [{ value: rule }] }
    expect(firewallVerdict({ networkAcls }, address)).toBe(open ? 'open' : 'addressNotAllowed')
  })
  it.each(['10.1.2', '10.1.2.3/33', '10.1.2.3/8/8', 'localhost', '::1', ''])('take no rule like %j', (text) => {
    expect(isAddressRange(text)).toBe(false)
  })
})

describe('a role at one key', () => {
  it('reaches that key, in any case, and no list', async () => {
    const scope = `/subscriptions/${world.ctx.seed.subscriptionId}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/skerry/keys/k`
    world.assign(world.strangerId, '12338af0-0e69-4776-bea7-57ae8d297424', scope)
    expect((await asStranger('GET', '/keys/K')).status).toBe(200)
    expect((await asStranger('GET', '/keys/k2')).status).toBe(403)
    expect((await asStranger('GET', '/keys')).status).toBe(403)
  })
  it('of release reads nothing', async () => {
    world.assign(world.strangerId, RELEASE_USER, `/subscriptions/${world.ctx.seed.subscriptionId}`)
    expect((await asStranger('GET', '/keys/k')).status).toBe(403)
    expect((await asStranger('POST', '/keys/k/release', { target: 'x' })).json.error.innererror?.code).not.toBe(
      'ForbiddenByRbac',
    )
  })
})

async function clientIdOfStranger(): Promise<string> {
  const [, payload = ''] = (await world.token('https://vault.azure.net', 'stranger')).split('.')
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { appid: string }).appid
}
