import { createHash, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { COLLECTIONS, type RoleAssignmentRecord, type ServicePrincipalRecord, type VaultRecord } from '../core/index.ts'
import { createTestContext } from '../core/test-context.ts'
import { chooseIdentity } from '../imds/identity.ts'
import { keyVaultParts } from '../keyvault/parts.ts'
import { applySeed, parseSeed, readSeedFile, type SeedDocument, SeedError } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'skerry-seed-'))
afterAll(() => rmSync(folder, { recursive: true }))

const policy = {
  version: '1.0.0',
  anyOf: [{ authority: 'https://sharedweu.weu.attest.azure.net', allOf: [{ claim: 'a', equals: 'b' }] }],
}
const vaults: SeedDocument['vaults'] = [{ name: 'contoso', resourceGroup: 'apps' }]

async function planted(document: unknown, within?: string) {
  const { ctx } = createTestContext()
  await applySeed(ctx, parseSeed(document, within))
  return ctx
}

/** What is wrong with a document, and where. */
async function refusal(document: unknown, within?: string): Promise<string> {
  const { ctx } = createTestContext()
  const before = ctx.store.contents()
  try {
    await applySeed(ctx, parseSeed(document, within))
  } catch (error) {
    expect(error).toBeInstanceOf(SeedError)
    expect(ctx.store.contents()).toEqual(before)
    return (error as SeedError).message
  }
  throw new Error('the seed was taken')
}

describe('a seed', () => {
  it('makes vaults and managed HSMs as it says, in groups that exist then', async () => {
    const ctx = await planted({
      resourceGroups: [{ name: 'apps', location: 'northeurope' }],
      vaults: [
        {
          name: 'Contoso',
          resourceGroup: 'apps',
          sku: 'standard',
          softDeleteRetentionInDays: 7,
          enablePurgeProtection: true,
        },
      ],
      managedHsms: [{ name: 'pool', resourceGroup: 'other', initialAdmins: ['admin'] }],
    })
    const records = ctx.store.collection<VaultRecord>(COLLECTIONS.vaults)
    expect(records.get('contoso.vault.azure.net')).toMatchObject({
      name: 'Contoso',
      id: `/subscriptions/${ctx.seed.subscriptionId}/resourceGroups/apps/providers/Microsoft.KeyVault/vaults/Contoso`,
      sku: 'standard',
      softDeleteRetentionInDays: 7,
      enablePurgeProtection: true,
      enableRbacAuthorization: true,
    })
    expect(records.get('pool.managedhsm.azure.net')).toMatchObject({ initialAdminObjectIds: [ctx.seed.admin.objectId] })
    expect(ctx.store.collection<{ location: string }>('armResourceGroups').values()).toMatchObject([
      { location: 'northeurope' },
      { name: 'other', location: 'westeurope' },
    ])
  })

  it('makes principals, and gives them roles by their names', async () => {
    const ctx = await planted({
      applications: [
        {
          name: 'ci',
          secret: 's3cret',
          federatedCredentials: [{ name: 'main', issuer: 'https://ci.example', subject: 'repo:a' }],
        },
      ],
      users: [{ userPrincipalName: 'ada@skerry.example' }],
      managedIdentities: [{ name: 'app', resourceGroup: 'apps' }],
      vaults,
      roleAssignments: [
        { principal: 'ci', role: 'Key Vault Crypto Officer', scope: 'vaults/contoso' },
        {
          principal: 'ada@skerry.example',
          role: '12338af0-0e69-4776-bea7-57ae8d297424',
          scope: 'vaults/contoso/keys/k',
        },
        { principal: 'APP', role: 'Reader', scope: 'subscription' },
      ],
    })
    const [ci] = ctx.store
      .collection<ServicePrincipalRecord>(COLLECTIONS.servicePrincipals)
      .values()
      .filter(({ displayName }) => displayName === 'ci')
    expect(ci).toMatchObject({
      clientSecretSha256: createHash('sha256').update('s3cret').digest('hex'),
      federatedCredentials: [{ name: 'main', audiences: ['api://AzureADTokenExchange'] }],
    })
    const grants = ctx.store.collection<RoleAssignmentRecord>(COLLECTIONS.roleAssignments).values()
    expect(
      grants
        .map(({ principalId, principalType, scope }) => [
          principalId === ci!.objectId,
          principalType,
          scope.split('/').slice(-2).join('/'),
        ])
        .sort(),
    ).toEqual([
      [false, 'ServicePrincipal', `subscriptions/${ctx.seed.subscriptionId}`],
      [false, 'User', 'keys/k'],
      [true, 'ServicePrincipal', 'vaults/contoso'],
    ])
  })

  it('gives this machine the first managed identity, and any other that is asked for', async () => {
    const ctx = await planted({
      managedIdentities: [
        { name: 'first', resourceGroup: 'apps', clientId: '11111111-1111-4111-8111-111111111111' },
        { name: 'second', resourceGroup: 'apps', clientId: '22222222-2222-4222-8222-222222222222' },
      ],
    })
    const caller = { door: 'wire' } as const
    expect(chooseIdentity(ctx, caller, {})).toMatchObject({ principal: { displayName: 'first' } })
    const asked = { clientId: '22222222-2222-4222-8222-222222222222' }
    expect(chooseIdentity(ctx, caller, asked)).toMatchObject({ principal: { displayName: 'second' } })
  })

  it('makes keys by the rules of their vault, exportable under a policy that is given as it is', async () => {
    const ctx = await planted({
      vaults,
      managedHsms: [{ name: 'pool', resourceGroup: 'apps' }],
      keys: [
        { vault: 'contoso', name: 'sealed', kty: 'EC-HSM', curve: 'P-384', releasePolicy: policy, immutable: true },
        { managedHsm: 'pool', name: 'wrap', kty: 'oct', keySize: 256, keyOps: ['wrapKey', 'unwrapKey'] },
        {
          vault: 'contoso',
          name: 'rotated',
          kty: 'EC',
          expires: '2027-01-01T00:00:00Z',
          rotationPolicy: { lifetimeActions: [{ action: 'Rotate', timeAfterCreate: 'P90D' }], expiryTime: 'P1Y' },
        },
      ],
    })
    const { keys } = keyVaultParts(ctx)
    expect(keys.find('contoso.vault.azure.net', 'sealed')).toMatchObject({
      exportable: true,
      releasePolicy: { immutable: true },
      versions: [{ kty: 'EC-HSM', publicJwk: { crv: 'P-384' } }],
    })
    expect(keys.find('pool.managedhsm.azure.net', 'wrap')).toMatchObject({
      versions: [{ kty: 'oct-HSM', keySize: 256, keyOps: ['wrapKey', 'unwrapKey'] }],
    })
    expect(keys.find('contoso.vault.azure.net', 'rotated')).toMatchObject({
      rotationPolicy: {
        expiryTime: 'P1Y',
        lifetimeActions: [{ type: 'Rotate', timeAfterCreate: 'P90D' }, { type: 'Notify' }],
      },
      versions: [{ expires: Date.parse('2027-01-01T00:00:00Z') / 1000 }],
    })
  })

  it('imports a key from a file beside it', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jwk = privateKey.export({ format: 'jwk' })
    writeFileSync(join(folder, 'key.jwk'), JSON.stringify(jwk), { mode: 0o600 })
    const ctx = await planted(
      { vaults, keys: [{ vault: 'contoso', name: 'k', importFrom: 'key.jwk', hsm: true }] },
      folder,
    )
    const key = keyVaultParts(ctx).keys.find('contoso.vault.azure.net', 'k')
    expect(key?.versions).toMatchObject([{ kty: 'EC-HSM', publicJwk: { x: jwk.x, y: jwk.y } }])
  })

  it('leaves what exists as it is: sown twice, nothing changes', async () => {
    const document = {
      applications: [{ name: 'ci', secret: 'a' }],
      users: [{ userPrincipalName: 'ada', password: 'p' }],
      managedIdentities: [{ name: 'app', resourceGroup: 'apps' }],
      vaults,
      managedHsms: [{ name: 'pool', resourceGroup: 'apps' }],
      roleAssignments: [{ principal: 'ci', role: 'Reader', scope: 'resourceGroups/apps' }],
      localRoleAssignments: [{ managedHsm: 'pool', principal: 'app', role: 'Managed HSM Crypto User' }],
      keys: [{ vault: 'contoso', name: 'k', kty: 'EC' }],
    }
    const ctx = await planted(document)
    const before = ctx.store.contents()
    await applySeed(ctx, parseSeed({ ...document, vaults: [{ ...vaults[0], sku: 'standard' }] }))
    expect(ctx.store.contents()).toEqual(before)
  })

  it('writes no secret into the journal', async () => {
    const ctx = await planted({
      applications: [{ name: 'ci', secret: 'canary' }],
      users: [{ userPrincipalName: 'a', password: 'canary' }],
    })
    expect(JSON.stringify(ctx.journal.records())).not.toContain('canary')
  })
})

describe('a seed that cannot be meant is refused whole, with the place and what was wanted there', () => {
  it.each<[string, unknown, RegExp]>([
    ['a list', [], /^wanted an object$/],
    ['a member that is not known', { vault: [] }, /^\/vault: wanted no such member$/],
    ['a tenant that is no GUID', { tenantId: 'x' }, /^\/tenantId: wanted a GUID$/],
    ['a vault without a group', { vaults: [{ name: 'contoso' }] }, /^\/vaults\/0\/resourceGroup: wanted this member$/],
    [
      'a name that no vault may have',
      { vaults: [{ name: '1', resourceGroup: 'r' }] },
      /^\/vaults\/0\/name: wanted the name of a vault: 3 to 24/,
    ],
    [
      'a retention of two days',
      { vaults: [{ ...vaults[0], softDeleteRetentionInDays: 2 }] },
      /^\/vaults\/0\/softDeleteRetentionInDays: wanted at least 7$/,
    ],
    [
      'a vault twice',
      { vaults: [...vaults, ...vaults] },
      /^\/vaults\/1\/name: wanted a name that is not there already$/,
    ],
    [
      'an application of the administrator’s name',
      { applications: [{ name: 'Admin' }] },
      /^\/applications\/0\/name: wanted a name that is not/,
    ],
    [
      'roles and policies in one vault',
      {
        vaults: [
          { ...vaults[0], enableRbacAuthorization: true, accessPolicies: [{ principal: 'admin', keys: ['get'] }] },
        ],
      },
      /^\/vaults\/0\/accessPolicies: wanted none/,
    ],
    [
      'a principal that is nobody',
      { vaults, roleAssignments: [{ principal: 'bob', role: 'Reader', scope: 'vaults/contoso' }] },
      /^\/roleAssignments\/0\/principal: wanted a principal/,
    ],
    [
      'a role that is none',
      { vaults, roleAssignments: [{ principal: 'admin', role: 'King', scope: 'vaults/contoso' }] },
      /^\/roleAssignments\/0\/role: wanted the name or GUID/,
    ],
    [
      'a scope of another kind',
      { roleAssignments: [{ principal: 'admin', role: 'Reader', scope: 'planets/mars' }] },
      /^\/roleAssignments\/0\/scope: wanted subscription, /,
    ],
    [
      'a vault that is nowhere',
      { roleAssignments: [{ principal: 'admin', role: 'Reader', scope: 'vaults/none' }] },
      /scope: wanted a vault or managed HSM that exists: there is no none\.vault/,
    ],
    ['a key without a vault', { keys: [{ name: 'k', kty: 'EC' }] }, /^\/keys\/0: wanted either vault or managedHsm$/],
    [
      'a key in a vault that is nowhere',
      { keys: [{ vault: 'none', name: 'k', kty: 'EC' }] },
      /^\/keys\/0: wanted a vault or managed HSM that exists/,
    ],
    [
      'a key in a managed HSM that is nowhere',
      { keys: [{ managedHsm: 'none', name: 'k', kty: 'EC' }] },
      /^\/keys\/0: wanted a vault or managed HSM that exists/,
    ],
    [
      'a key without a type',
      { vaults, keys: [{ vault: 'contoso', name: 'k' }] },
      /^\/keys\/0\/kty: wanted this member$/,
    ],
    [
      'a size that RSA has not',
      { vaults, keys: [{ vault: 'contoso', name: 'k', kty: 'RSA', keySize: 1024 }] },
      /^\/keys\/0: Unsupported key size \(1024\)\. Supported sizes are \[2048, 3072, 4096\]$/,
    ],
    [
      'a hardware key in a standard vault',
      { vaults: [{ ...vaults[0], sku: 'standard' }], keys: [{ vault: 'contoso', name: 'k', kty: 'EC-HSM' }] },
      /^\/keys\/0: Hardware key operation not allowed/,
    ],
    [
      'an exportable software key',
      { vaults, keys: [{ vault: 'contoso', name: 'k', kty: 'EC', releasePolicy: policy }] },
      /^\/keys\/0: .*Only HSM-protected keys/,
    ],
    [
      'a policy that is none',
      { vaults, keys: [{ vault: 'contoso', name: 'k', kty: 'EC-HSM', releasePolicy: { version: '1.0.0' } }] },
      /^\/keys\/0: .*anyOf/,
    ],
    [
      'a file, where there is no folder',
      { vaults, keys: [{ vault: 'contoso', name: 'k', importFrom: 'k.jwk' }] },
      /^\/keys\/0\/importFrom: wanted the content/,
    ],
    [
      'a certificate that is none',
      { applications: [{ name: 'ci', certificates: ['-----BEGIN CERTIFICATE-----'] }] },
      /^\/applications\/0\/certificates\/0: wanted a certificate in PEM$/,
    ],
    [
      'a private key of an issuer',
      { federationIssuers: [{ issuer: 'https://ci.example', jwks: { keys: [{ kty: 'RSA', d: 'x' }] } }] },
      /^\/federationIssuers\/0\/jwks: keys: only public keys/,
    ],
    [
      'a federated credential without a subject',
      { applications: [{ name: 'ci', federatedCredentials: [{ name: 'main', issuer: 'https://ci.example' }] }] },
      /^\/applications\/0\/federatedCredentials\/0\/subject: wanted this member$/,
    ],
  ])('%s', async (_what, document, message) => {
    expect(await refusal(document)).toMatch(message)
  })

  it('a file that is not there, or holds no key', async () => {
    writeFileSync(join(folder, 'text'), 'hello')
    const seed = (importFrom: string) => ({ vaults, keys: [{ vault: 'contoso', name: 'k', importFrom }] })
    expect(await refusal(seed('nowhere'), folder)).toBe('/keys/0/importFrom: there is no such file')
    expect(await refusal(seed('text'), folder)).toBe('/keys/0/importFrom: wanted a file that holds one JWK')
  })
})

describe('a seed file', () => {
  const file = join(folder, 'seed.json')

  it('is warned about when it holds secrets that others of the machine can read', () => {
    writeFileSync(file, JSON.stringify({ applications: [{ name: 'ci', secret: 's' }] }), { mode: 0o644 })
    expect(readSeedFile(file).warnings).toEqual([
      expect.stringMatching(/seed\.json holds secrets and can be read by other users/),
    ])
    writeFileSync(file, JSON.stringify({ applications: [{ name: 'ci' }] }))
    expect(readSeedFile(file).warnings).toEqual([])
  })

  it('that is not JSON is refused with the place, and not quoted', () => {
    writeFileSync(file, '{\n  "admin": { "clientSecret": "canary" canary }\n}')
    expect(() => readSeedFile(file)).toThrow(/^is not JSON \(line 2, column \d+\)$/)
  })

  it('that is nested without end is refused', () => {
    writeFileSync(file, '['.repeat(100_000))
    expect(() => readSeedFile(file)).toThrow(/nested deeper/)
  })
})
