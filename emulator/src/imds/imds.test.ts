import { ManagedIdentityCredential } from '@azure/identity'
import { parseThimCertification } from '@skerry/guest/wire'
import { decodeJwt } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import { sdkHttpClient } from '../../../test/support/sdk-http-client.ts'
import {
  type Caller,
  COLLECTIONS,
  type ContainerGroupIdentityRecord,
  LOCAL_GUEST,
  type ManagedIdentityRecord,
} from '../core/index.ts'
import { createTestContext, type TestWorld } from '../core/test-context.ts'
import {
  createEntraService,
  createManagedIdentity,
  createSystemAssignedIdentity,
  createTokenVerifier,
  deleteManagedIdentity,
} from '../entra/index.ts'
import { createProcessor } from '../psp/index.ts'
import { createImdsService } from './index.ts'

const IMDS = 'http://169.254.169.254'
const VAULT = 'https://vault.azure.net'
const SCOPE = '/subscriptions/s/resourceGroups/rg/providers'
const GROUP = `${SCOPE}/Microsoft.ContainerInstance/containerGroups/g`.toLowerCase()
const inGroup: Caller = { door: 'group', containerGroupId: GROUP }

let world: TestWorld
beforeEach(() => {
  world = createTestContext()
  world.use(createEntraService(world.ctx))
  world.use(createImdsService(world.ctx, { psp: createProcessor(world.ctx) }))
})

function identity(name: string): ManagedIdentityRecord {
  const id = `${SCOPE}/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`
  return createManagedIdentity(world.ctx, { id, name, location: 'westeurope' })
}

function assign(identities: readonly ManagedIdentityRecord[], systemAssignedPrincipalId?: string): void {
  world.ctx.store.collection<ContainerGroupIdentityRecord>(COLLECTIONS.containerGroupIdentities).put(GROUP, {
    groupId: GROUP,
    userAssigned: identities.map((one) => one.id.toLowerCase()),
    ...(systemAssignedPrincipalId && { systemAssignedPrincipalId }),
  })
}

/** Sends it with the header and the parameters that a client sends, changed as said. */
async function ask(query: Record<string, string> = {}, headers: Record<string, string> = { Metadata: 'true' }) {
  const all = { 'api-version': '2018-02-01', resource: VAULT, ...query }
  const search = new URLSearchParams(Object.entries(all).filter(([, value]) => value !== ''))
  const request = new Request(`${IMDS}/metadata/identity/oauth2/token?${search}`, { headers })
  const response = await world.fetch(request, inGroup)
  return { status: response.status, body: (await response.json()) as Record<string, string> }
}

describe('the identity token endpoint', () => {
  it('answers for the one identity of the group, every member a string', async () => {
    const only = identity('only')
    assign([only])
    const { status, body } = await ask()
    expect(status).toBe(200)
    expect(body).toEqual({
      access_token: expect.any(String),
      refresh_token: '',
      client_id: only.clientId,
      expires_in: '86399',
      ext_expires_in: '86399',
      expires_on: String(world.clock.now() / 1000 + 86399),
      not_before: String(world.clock.now() / 1000 - 300),
      resource: VAULT,
      token_type: 'Bearer',
    })
  })

  it('gives a token that a resource accepts as that identity', async () => {
    const only = identity('only')
    assign([only])
    const { body } = await ask()
    const request = new Request(VAULT, { headers: { authorization: `Bearer ${body.access_token}` } })
    const principal = await createTokenVerifier(world.ctx).verify(request, [VAULT])
    expect(principal.objectId).toBe(only.principalId)
    expect(decodeJwt(body.access_token!)).toMatchObject({ xms_mirid: only.id, appidacr: '2' })
  })

  it.each([
    ['client_id', (one: ManagedIdentityRecord) => one.clientId],
    ['object_id', (one: ManagedIdentityRecord) => one.principalId],
    ['msi_res_id', (one: ManagedIdentityRecord) => one.id],
    ['mi_res_id', (one: ManagedIdentityRecord) => one.id.toUpperCase()],
  ])('picks among several by %s', async (parameter, value) => {
    const second = identity('second')
    assign([identity('first'), second])
    const { body } = await ask({ [parameter]: value(second) })
    expect(body.client_id).toBe(second.clientId)
  })

  it('prefers the identity of the group itself when none is named', async () => {
    const own = createSystemAssignedIdentity(world.ctx, 'g')
    assign([identity('first'), identity('second')], own.objectId)
    expect((await ask()).body.client_id).toBe(own.clientId)
  })

  it('answers at the door of a developer for the one identity of the instance', async () => {
    const only = identity('only')
    const url = `${IMDS}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${encodeURIComponent(VAULT)}`
    const response = await world.fetch(new Request(url, { headers: { Metadata: 'true' } }))
    expect(await response.json()).toMatchObject({ client_id: only.clientId })
  })

  it('answers there for the identity of the local guest first, where the instance has one', async () => {
    identity('first')
    identity('second')
    const own = createSystemAssignedIdentity(world.ctx, 'guest')
    world.ctx.store.collection(COLLECTIONS.containerGroupIdentities).put(LOCAL_GUEST, {
      groupId: '/subscriptions/s/resourceGroups/r/providers/Microsoft.ContainerInstance/containerGroups/g',
      userAssigned: [],
      systemAssignedPrincipalId: own.objectId,
    })
    const url = `${IMDS}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${encodeURIComponent(VAULT)}`
    const response = await world.fetch(new Request(url, { headers: { Metadata: 'true' } }))
    expect(await response.json()).toMatchObject({ client_id: own.clientId })
  })

  it('writes no token to the journal', async () => {
    assign([identity('only')])
    const { body } = await ask()
    expect(JSON.stringify(world.ctx.journal.records())).not.toContain(body.access_token)
    expect(world.ctx.journal.records().at(-1)).toMatchObject({
      service: 'imds',
      operation: 'token',
      outcome: 'allowed',
    })
  })

  it('serves the managed identity credential of the official SDK', async () => {
    const only = identity('only')
    assign([only])
    const httpClient = sdkHttpClient((request) => world.fetch(request, inGroup))
    const credential = new ManagedIdentityCredential({ clientId: only.clientId, httpClient })
    const { token } = (await credential.getToken(`${VAULT}/.default`))!
    expect(decodeJwt(token)).toMatchObject({ aud: VAULT, oid: only.principalId })
  })
})

describe('the identity token endpoint refuses', () => {
  it.each([
    ['a request without the metadata header', {}, {}, 'bad_request_102', /metadata header/],
    [
      'a request without an api-version',
      { 'api-version': '' },
      undefined,
      'invalid_request',
      /'api-version' is missing/,
    ],
    ['an api-version of before', { 'api-version': '2017-01-01' }, undefined, 'invalid_request', /not supported/],
    ['a request without a resource', { resource: '' }, undefined, 'invalid_request', /'resource' is missing/],
    ['a resource of nobody', { resource: 'https://example.org' }, undefined, 'invalid_resource', /AADSTS500011/],
    ['an identity of another', { client_id: 'unknown' }, undefined, 'invalid_request', /^Identity not found$/],
    ['two ways to pick', { client_id: 'a', object_id: 'b' }, undefined, 'invalid_request', /Only one of/],
  ])('%s', async (_, query, headers, error, description) => {
    assign([identity('only')])
    const { status, body } = await ask(query as Record<string, string>, headers)
    expect(status).toBe(400)
    expect(body).toEqual({ error, error_description: expect.stringMatching(description) })
  })

  it('to choose among several identities', async () => {
    assign([identity('first'), identity('second')])
    const { status, body } = await ask()
    expect(status).toBe(400)
    expect(body.error_description).toMatch(/^Multiple user assigned identities exist, please specify/)
  })

  it('an identity that exists but is not assigned to the group', async () => {
    assign([identity('mine')])
    expect((await ask({ client_id: identity('other').clientId })).status).toBe(400)
  })

  it('an identity that was deleted while assigned', async () => {
    const gone = identity('gone')
    assign([gone])
    deleteManagedIdentity(world.ctx, gone.id)
    expect((await ask()).body.error_description).toBe('Identity not found')
  })

  it('a group without identities, even where the instance has one', async () => {
    identity('other')
    expect((await ask()).status).toBe(400)
  })
})

describe('a managed identity', () => {
  it('keeps its ids when it is put again', () => {
    const first = identity('again')
    expect(identity('again')).toEqual(first)
  })
})

describe('THIM', () => {
  const certification = (headers?: Record<string, string>) =>
    world.fetch(new Request(`${IMDS}/metadata/THIM/amd/certification`, { headers: headers ?? {} }))

  it('hands out the certificates of the processor without an api-version', async () => {
    const body = parseThimCertification(await (await certification({ Metadata: 'true' })).json())
    expect(body.tcbm).toBe('DB18000000000004')
    expect(body.cacheControl).toBe('86400')
    expect(body.vcekCert.endsWith('\n')).toBe(true)
    expect(body.certificateChain.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
  })

  it('is answered as JSON in UTF-8, as everything of the metadata service', async () => {
    const { headers } = await certification({ Metadata: 'True' })
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
  })

  it.each([
    ['without the metadata header', {}, 400, 'Bad request: . Required metadata header not specified'],
    ['with another value in it', { Metadata: 'yes' }, 400, 'Bad request: . Required metadata header not specified'],
    ['through a proxy', { Metadata: 'true', 'X-Forwarded-For': '10.0.0.1' }, 400, /X-Forwarded-For/],
  ])('refuses a request %s', async (_, headers, status, error) => {
    const response = await certification(headers)
    expect(response.status).toBe(status)
    const message = typeof error === 'string' ? error : expect.stringMatching(error)
    expect(await response.json()).toEqual({ error: message })
  })

  it('knows no method but GET, and no path beside', async () => {
    const post = await world.fetch(
      new Request(`${IMDS}/metadata/THIM/amd/certification`, { method: 'POST', headers: { Metadata: 'true' } }),
    )
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET'])
    const other = await world.fetch(new Request(`${IMDS}/metadata/THIM/intel`, { headers: { Metadata: 'true' } }))
    expect(other.status).toBe(404)
  })

  it('throttles as the fault plan says, and answers again afterwards', async () => {
    const throttled = createTestContext({
      faults: { tamper: 'none', processor: { thim: { at: 1, count: 2, retryAfterSeconds: 5 } } },
    })
    throttled.use(createImdsService(throttled.ctx, { psp: createProcessor(throttled.ctx) }))
    const url = `${IMDS}/metadata/THIM/amd/certification`
    const ask = () => throttled.fetch(new Request(url, { headers: { Metadata: 'true' } }))
    const answers = [await ask(), await ask(), await ask()]
    expect(answers.map(({ status }) => status)).toEqual([429, 429, 200])
    expect(answers[0]!.headers.get('retry-after')).toBe('5')
  })
})

describe('the instance metadata', () => {
  const instance = (search: string) =>
    world.fetch(new Request(`${IMDS}/metadata/instance${search}`, { headers: { Metadata: 'true' } }), inGroup)

  it('names the group that asks', async () => {
    const { compute } = (await (await instance('?api-version=2021-02-01')).json()) as { compute: object }
    expect(compute).toMatchObject({ name: 'g', resourceGroupName: 'rg', subscriptionId: 's', osType: 'Linux' })
  })

  it('asks for an api-version and names some', async () => {
    const response = await instance('')
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ 'newest-versions': expect.any(Array) })
  })
})
