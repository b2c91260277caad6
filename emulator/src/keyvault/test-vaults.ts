import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { CompactSign } from 'jose'
import { COLLECTIONS, epochSeconds, type RoleAssignmentRecord, type Service, type VaultRecord } from '../core/index.ts'
import { createTestContext, type TestContextOptions, type TestWorld } from '../core/test-context.ts'
import { createEntraService, createTokenVerifier, ensureServicePrincipal, issueToken } from '../entra/index.ts'
import { createAuthorizer } from '../rbac/index.ts'
import { createKeyVaultService, type KeyVaultService } from './index.ts'

/*
 * For tests: a premium vault, a standard one and a managed HSM in a world of their own, with an Entra that issues their
 * tokens and an attestation service that signs whatever claims a test wants.
 */

export const VAULT = 'https://skerry.vault.azure.net'
export const STANDARD_VAULT = 'https://plain.vault.azure.net'
export const MANAGED_HSM = 'https://skerry.managedhsm.azure.net'
export const AUTHORITY = 'https://skerry.weu.attest.azure.net'

export const KEY_VAULT_ADMINISTRATOR = '00482a5a-887f-4fb3-b363-3b7fe8e74483'
export const RELEASE_USER = '08bbd89e-9f13-488c-ac41-acfcb10c90ab'

export interface VaultWorld extends TestWorld {
  readonly issuer: AttestationIssuer
  readonly vaults: KeyVaultService
  /** An access token for a service, of the administrator or of a principal that may do nothing yet. */
  token(audience: string, who?: 'admin' | 'stranger'): Promise<string>
  readonly strangerId: string
  assign(principalId: string, role: string, scope: string): void
  /** A call with the administrator's token, and its JSON. */
  call(method: string, url: string, body?: unknown, who?: 'admin' | 'stranger'): Promise<Answer>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was answered
  readonly json: any
}

export function createVaultWorld(options: TestContextOptions = {}): VaultWorld {
  const world = createTestContext(options)
  const { ctx } = world
  const subscription = `/subscriptions/${ctx.seed.subscriptionId}`
  const vaults = ctx.store.collection<VaultRecord>(COLLECTIONS.vaults)
  for (const vault of [
    { kind: 'vault', name: 'skerry', host: 'skerry.vault.azure.net', sku: 'premium' },
    { kind: 'vault', name: 'plain', host: 'plain.vault.azure.net', sku: 'standard' },
    { kind: 'managedHsm', name: 'skerry', host: 'skerry.managedhsm.azure.net', sku: 'Standard_B1' },
  ] as const) {
    const type = vault.kind === 'vault' ? 'vaults' : 'managedHSMs'
    vaults.put(vault.host, {
      ...vault,
      id: `${subscription}/resourceGroups/rg/providers/Microsoft.KeyVault/${type}/${vault.name}`,
      location: 'westeurope',
      tenantId: ctx.seed.tenantId,
      enableRbacAuthorization: true,
      softDeleteRetentionInDays: 7,
      enablePurgeProtection: false,
    })
  }
  const assign: VaultWorld['assign'] = (principalId, role, scope) => {
    const name = ctx.random.uuid()
    const id = `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`
    ctx.store.collection<RoleAssignmentRecord>(COLLECTIONS.roleAssignments).put(id.toLowerCase(), {
      id,
      name,
      scope,
      roleDefinitionId: `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${role}`,
      principalId,
      createdOn: new Date(ctx.clock.now()).toISOString(),
      createdBy: ctx.seed.admin.objectId,
    })
  }
  assign(ctx.seed.admin.objectId, KEY_VAULT_ADMINISTRATOR, subscription)

  world.use(createEntraService(ctx))
  const tokens = createTokenVerifier(ctx)
  const service = world.use(createKeyVaultService(ctx, { tokens, authorizer: createAuthorizer(ctx) }))
  const issuer = createAttestationIssuer(world)
  world.use(issuer.service)

  const stranger = ensureServicePrincipal(ctx, { displayName: 'stranger', kind: 'application' })
  const admin = ensureServicePrincipal(ctx, {
    objectId: ctx.seed.admin.objectId,
    displayName: 'skerry-admin',
    kind: 'application',
  })
  const token: VaultWorld['token'] = async (audience, who = 'admin') =>
    (await issueToken(ctx, { principal: who === 'admin' ? admin : stranger, resource: audience })).accessToken

  return {
    ...world,
    issuer,
    vaults: service,
    token,
    assign,
    strangerId: stranger.objectId,
    async call(method, url, body, who) {
      const audience = url.includes('.managedhsm.') ? 'https://managedhsm.azure.net' : 'https://vault.azure.net'
      const separator = url.includes('?') ? '&' : '?'
      const full = /api-version|skiptoken/.test(url) ? url : `${url}${separator}api-version=7.4`
      const response = await world.fetch(
        new Request(full, {
          method,
          headers: { authorization: `Bearer ${await token(audience, who)}`, 'content-type': 'application/json' },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        }),
      )
      const text = await response.text()
      return {
        status: response.status,
        headers: response.headers,
        text,
        json: text.startsWith('{') ? JSON.parse(text) : undefined,
      }
    },
  }
}

/** A small attestation service: real metadata, a real key set (certificates only, as MAA has it), real signatures. */
export interface AttestationIssuer {
  readonly service: Service
  /** A signed token; `claims` replace what is there, `header` what the header says. */
  sign(claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>
  /** The key that a guest would have made: its public part is in the token's runtime data. */
  readonly wrapping: { readonly privateKey: KeyObject; readonly kid: string }
}

export const GOOD_CLAIMS = {
  'x-ms-attestation-type': 'sevsnpvm',
  'x-ms-compliance-status': 'azure-compliant-uvm',
  'x-ms-sevsnpvm-hostdata': '4f4448c67f3c8dfc8de8a5e37125d807dadcc41f06cf23f615dbd52eec777d10',
  'x-ms-sevsnpvm-is-debuggable': false,
  'x-ms-sevsnpvm-vmpl': 0,
} as const

const wrappingPair = generateKeyPairSync('rsa', { modulusLength: 2048 })

function createAttestationIssuer(world: TestWorld): AttestationIssuer {
  const host = new URL(AUTHORITY).host
  const signer = world.ctx.authority.rsaSigner([host])
  const kidOf = (certificate: Buffer) => createHash('sha256').update(certificate).digest('base64')
  const { n, e } = wrappingPair.publicKey.export({ format: 'jwk' })
  const kid = 'wrapping-key-of-the-guest'
  return {
    wrapping: { privateKey: wrappingPair.privateKey, kid },
    service: {
      name: 'test-attestation',
      hosts: [host],
      async handle(request) {
        const { chain } = await signer
        const { pathname } = new URL(request.url)
        if (pathname === '/.well-known/openid-configuration') {
          return Response.json({ issuer: AUTHORITY, jwks_uri: `${AUTHORITY}/certs` })
        }
        if (pathname !== '/certs') return new Response(null, { status: 404 })
        return Response.json({
          keys: [{ kty: 'RSA', kid: kidOf(chain[0]!), x5c: [chain[0]!.toString('base64')] }],
        })
      },
    },
    async sign(claims = {}, header = {}) {
      const { privateKey, chain } = await signer
      const now = epochSeconds(world.clock)
      const payload = {
        ...GOOD_CLAIMS,
        iss: AUTHORITY,
        iat: now,
        nbf: now,
        exp: now + 8 * 3600,
        'x-ms-runtime': { keys: [{ kty: 'RSA', n, e, kid, key_ops: ['encrypt'] }] },
        ...claims,
      }
      return await new CompactSign(Buffer.from(JSON.stringify(payload)))
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: kidOf(chain[0]!), ...header })
        .sign(privateKey)
    },
  }
}
