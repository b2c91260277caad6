import { type KeyObject, sign } from 'node:crypto'
import { type AttestationProviderRecord, COLLECTIONS, type RoleAssignmentRecord } from '../core/index.ts'
import { createTestContext, type TestContextOptions, type TestWorld } from '../core/test-context.ts'
import { createEntraService, ensureServicePrincipal, issueToken } from '../entra/index.ts'
import { type TestCertificate, testCertificate } from '../entra/test-clients.ts'
import { createProcessor } from '../psp/index.ts'
import { createMaaService, registerSigners } from './index.ts'

/*
 * For tests: providers of each trust model, an administrator, a stranger, and policies as JWS.
 */

export const AAD = 'contoso.weu.attest.azure.net'
export const ISOLATED = 'fortress.weu.attest.azure.net'
export const SHARED = 'sharedweu.weu.attest.azure.net'

export const ATTESTATION_READER = 'fd1bd22b-8476-40bc-a0bc-69b95687b9f3'
export const ATTESTATION_CONTRIBUTOR = 'bbf86eb8-f7b4-4cce-96e4-18cddf81d86e'

export const PERMIT_ALL = 'version=1.0; authorizationrules{=> permit();}; issuancerules{};'

export type Who = 'admin' | 'stranger' | 'nobody'

export interface ProviderWorld extends TestWorld {
  /** Registered at the isolated provider. */
  readonly signer: TestCertificate
  /** Registered nowhere. */
  readonly outsider: TestCertificate
  readonly strangerId: string
  providerId(host: string): string
  assign(principalId: string, role: string, scope: string): void
  /** An access token for Azure Attestation. */
  accessToken(who: Exclude<Who, 'nobody'>): Promise<string>
  send(method: string, url: string, body?: string, who?: Who): Promise<Answer>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly error?: { readonly code: string; readonly message: string }
  /** Of the token in the answer. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly token?: string
}

export async function createProviderWorld(options: TestContextOptions = {}): Promise<ProviderWorld> {
  const world = createTestContext(options)
  const { ctx } = world
  world.use(createEntraService(ctx))
  const psp = createProcessor(ctx)
  world.use(createMaaService(ctx, { psp }))
  const group = `/subscriptions/${ctx.seed.subscriptionId}/resourceGroups/rg`
  const providerId = (host: string) =>
    `${group}/providers/Microsoft.Attestation/attestationProviders/${host.split('.')[0]}`
  const records = ctx.store.collection<AttestationProviderRecord>(COLLECTIONS.attestationProviders)
  for (const [host, trustModel] of [
    [AAD, 'AAD'],
    [ISOLATED, 'Isolated'],
  ] as const) {
    records.put(host, { name: host.split('.')[0]!, host, trustModel, id: providerId(host) })
  }
  const assignments = ctx.store.collection<RoleAssignmentRecord>(COLLECTIONS.roleAssignments)
  const assign = (principalId: string, role: string, scope: string) => {
    const name = ctx.random.uuid()
    assignments.put(name, {
      id: `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`,
      name,
      scope,
      roleDefinitionId: `/providers/Microsoft.Authorization/roleDefinitions/${role}`,
      principalId,
      createdOn: '2026-01-01T00:00:00Z',
      createdBy: ctx.seed.admin.objectId,
    })
  }
  assign(ctx.seed.admin.objectId, ATTESTATION_CONTRIBUTOR, `/subscriptions/${ctx.seed.subscriptionId}`)
  const { objectId } = ctx.seed.admin
  const admin = ensureServicePrincipal(ctx, { objectId, displayName: 'skerry-admin', kind: 'application' })
  const stranger = ensureServicePrincipal(ctx, { displayName: 'stranger', kind: 'application' })
  const signer = await testCertificate(ctx, 'signer', { ca: true })
  const outsider = await testCertificate(ctx, 'outsider', { ca: true })
  registerSigners(ctx, ISOLATED, [jwkOf(signer)])

  const accessToken = async (who: Exclude<Who, 'nobody'>) => {
    const principal = who === 'admin' ? admin : stranger
    return (await issueToken(ctx, { principal, resource: 'https://attest.azure.net' })).accessToken
  }
  const authorization = async (who: Who): Promise<Record<string, string>> =>
    who === 'nobody' ? {} : { authorization: `Bearer ${await accessToken(who)}` }
  return {
    ...world,
    signer,
    outsider,
    strangerId: stranger.objectId,
    providerId,
    assign,
    accessToken,
    async send(method, url, body, who = 'admin') {
      const headers = await authorization(who)
      const request = new Request(`https://${url}`, { method, headers, ...(body !== undefined && { body }) })
      return await answerOf(await world.fetch(request))
    },
  }
}

export async function answerOf(response: Response): Promise<Answer> {
  const { status, headers } = response
  const body = (await response.json()) as { token?: string; error?: { code: string; message: string } }
  const claims = body.token === undefined ? {} : claimsOf(body.token)
  return { status, headers, claims, ...body }
}

export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>
}

export const base64Url = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url')

export const jwkOf = ({ der }: TestCertificate) => ({ kty: 'RSA', x5c: [der.toString('base64')] })

/** A policy as the payload of its JWS. */
export const policyPayload = (text: string): string => JSON.stringify({ AttestationPolicy: base64Url(text) })

export const unsignedJws = (payload: string): string => `${base64Url('{"alg":"none"}')}.${base64Url(payload)}.`

/** As the JavaScript client signs; `header` changes what it says of itself. */
export function signedJws(payload: string, by: TestCertificate, header?: object): string {
  const head = header ?? { alg: 'RS256', x5c: [by.der.toString('base64')] }
  return signedWith(by.privateKey, payload, head)
}

export function signedWith(key: KeyObject, payload: string, header: object): string {
  const signed = `${base64Url(JSON.stringify(header))}.${base64Url(payload)}`
  const ec = key.asymmetricKeyType === 'ec'
  const signature = sign('sha256', Buffer.from(signed), ec ? { key, dsaEncoding: 'ieee-p1363' } : key)
  return `${signed}.${base64Url(signature)}`
}

/** For `@azure/attestation`: what is given replaces the client's own options, and without `validateToken` nothing is verified. */
export const verifyingAll = (issuer: string) => ({
  validateToken: true,
  validateExpirationTime: true,
  validateNotBeforeTime: true,
  validateIssuer: true,
  expectedIssuer: issuer,
  timeValidationSlack: 1,
})
