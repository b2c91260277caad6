import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ManagedServiceIdentityClient } from '@azure/arm-msi'
import { ResourceManagementClient } from '@azure/arm-resources'
import {
  AuthorizationCodeCredential,
  ClientAssertionCredential,
  ClientCertificateCredential,
  ClientSecretCredential,
  DeviceCodeCredential,
  ManagedIdentityCredential,
  OnBehalfOfCredential,
  type TokenCredential,
  UsernamePasswordCredential,
  WorkloadIdentityCredential,
} from '@azure/identity'
import { decodeJwt, type JWTPayload, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TEST_CACHE_DIRECTORY } from '../../emulator/src/core/test-context.ts'
import { createEmulator, type Emulator, type WireEndpoint } from '../../emulator/src/emulator.ts'
import {
  approveDeviceCode,
  declineDeviceCode,
  ensureApplication,
  ensureIssuer,
  ensureUser,
} from '../../emulator/src/entra/index.ts'
import { testCertificate } from '../../emulator/src/entra/test-clients.ts'
import { sdkHttpClient } from '../support/sdk-http-client.ts'
import { ROOT, temporaryFolder } from '../support/skerry.ts'

/** Every credential of the official SDK that a local tenant can serve, unchanged, against Entra and what gives tokens beside it. */

const VAULT = 'https://vault.azure.net'
const SCOPE = `${VAULT}/.default`
const ISSUER = 'https://cluster.example/oidc'
const SUBJECT = 'system:serviceaccount:default:app'
const AUDIENCE = 'api://AzureADTokenExchange'
const CLI = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'

let emulator: Emulator
let wire: WireEndpoint
let options: { httpClient: ReturnType<typeof sdkHttpClient>; retryOptions: { maxRetries: number } }
let tenantId: string

beforeAll(async () => {
  emulator = await createEmulator({ cacheDir: TEST_CACHE_DIRECTORY })
  wire = await emulator.listen()
  tenantId = emulator.context.seed.tenantId
  const httpClient = sdkHttpClient((request) => emulator.dispatcher.dispatch(request, { door: 'process' }))
  options = { httpClient, retryOptions: { maxRetries: 0 } }
})
afterAll(() => emulator.close())

async function claimsOf(credential: TokenCredential, scope = SCOPE): Promise<JWTPayload> {
  return decodeJwt((await credential.getToken(scope))!.token)
}

describe('ClientCertificateCredential', () => {
  it.each([false, true])('proves itself by its key, sending the chain: %s', async (sendCertificateChain) => {
    const certificate = await testCertificate(emulator.context, 'sdk')
    const app = ensureApplication(emulator.context, { displayName: 'sdk', certificates: [certificate.pem] })
    const pem = `${certificate.privatePem}\n${certificate.pem}`
    const credential = new ClientCertificateCredential(
      tenantId,
      app.clientId,
      { certificate: pem },
      { ...options, sendCertificateChain },
    )
    expect(await claimsOf(credential)).toMatchObject({ oid: app.objectId, aud: VAULT, appidacr: '2' })
  })

  it('is told that its certificate is not the application’s', async () => {
    const certificate = await testCertificate(emulator.context, 'sdk')
    const app = ensureApplication(emulator.context, { displayName: 'other', secret: 'x' })
    const pem = `${certificate.privatePem}\n${certificate.pem}`
    const credential = new ClientCertificateCredential(tenantId, app.clientId, { certificate: pem }, options)
    await expect(credential.getToken(SCOPE)).rejects.toThrow(/AADSTS700027/)
  })
})

describe('a token of a cluster', () => {
  const issue = async (change: JWTPayload = {}) => {
    const key = (await testCertificate(emulator.context, 'cluster')).privateKey
    return await new SignJWT({ iss: ISSUER, sub: SUBJECT, aud: AUDIENCE, ...change })
      .setProtectedHeader({ alg: 'RS256', kid: 'k' })
      .setIssuedAt()
      .setExpirationTime('10m')
      .sign(key)
  }
  let application: ReturnType<typeof ensureApplication>
  beforeAll(async () => {
    const { publicKey } = new X509Certificate((await testCertificate(emulator.context, 'cluster')).der)
    ensureIssuer(emulator.context, { issuer: ISSUER, keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] })
    application = ensureApplication(emulator.context, {
      displayName: 'workload',
      federatedCredentials: [{ name: 'cluster', issuer: ISSUER, subject: SUBJECT, audiences: [AUDIENCE] }],
    })
  })

  it('is exchanged by ClientAssertionCredential', async () => {
    const credential = new ClientAssertionCredential(tenantId, application.clientId, () => issue(), options)
    expect(await claimsOf(credential)).toMatchObject({ oid: application.objectId, appid: application.clientId })
  })

  it('is read from its file by WorkloadIdentityCredential', async () => {
    using folder = temporaryFolder()
    const tokenFilePath = join(folder.path, 'token')
    writeFileSync(tokenFilePath, await issue())
    const credential = new WorkloadIdentityCredential({
      tenantId,
      clientId: application.clientId,
      tokenFilePath,
      ...options,
    })
    expect(await claimsOf(credential)).toMatchObject({ oid: application.objectId })
  })

  it('of another subject is refused by its number', async () => {
    const assertion = () => issue({ sub: 'system:serviceaccount:default:other' })
    const credential = new ClientAssertionCredential(tenantId, application.clientId, assertion, options)
    await expect(credential.getToken(SCOPE)).rejects.toThrow(/AADSTS700213/)
  })

  it('stands for a managed identity by a credential that Resource Manager was given', async () => {
    const { seed } = emulator.context
    const admin = new ClientSecretCredential(tenantId, seed.admin.clientId, seed.admin.clientSecret, options)
    await new ResourceManagementClient(admin, seed.subscriptionId, options).resourceGroups.createOrUpdate('rg', {
      location: 'westeurope',
    })
    const client = new ManagedServiceIdentityClient(admin, seed.subscriptionId, options)
    const identity = await client.userAssignedIdentities.createOrUpdate('rg', 'app', { location: 'westeurope' })
    const credential = new ClientAssertionCredential(tenantId, identity.clientId!, () => issue(), options)
    await expect(credential.getToken(SCOPE)).rejects.toThrow(/AADSTS70025/)

    const { federatedIdentityCredentials: federated } = client
    const parameters = { issuer: ISSUER, subject: SUBJECT, audiences: [AUDIENCE] }
    const made = await federated.createOrUpdate('rg', 'app', 'cluster', parameters)
    expect(made).toMatchObject({
      ...parameters,
      name: 'cluster',
      id: `/subscriptions/${seed.subscriptionId}/resourcegroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app/federatedIdentityCredentials/cluster`,
      type: 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials',
    })
    expect(await federated.get('rg', 'app', 'CLUSTER')).toEqual(made)
    const names: (string | undefined)[] = []
    for await (const one of federated.list('rg', 'app')) names.push(one.name)
    expect(names).toEqual(['cluster'])
    expect(await claimsOf(credential)).toMatchObject({ oid: identity.principalId })

    await federated.createOrUpdate('rg', 'app', 'cluster', { ...parameters, subject: 'another' })
    await expect(claimsOf(credential, 'https://management.azure.com/.default')).rejects.toThrow(/AADSTS700213/)
    await federated.delete('rg', 'app', 'cluster')
    await expect(federated.get('rg', 'app', 'cluster')).rejects.toMatchObject({ statusCode: 404 })
    await expect(federated.createOrUpdate('rg', 'app', 'bad', { ...parameters, audiences: [] })).rejects.toMatchObject({
      statusCode: 400,
    })
    await expect(federated.createOrUpdate('rg', 'nobody', 'cluster', parameters)).rejects.toMatchObject({
      statusCode: 404,
    })
  })
})

describe('ManagedIdentityCredential', () => {
  let clientId: string
  let principalId: string
  let id: string
  beforeAll(async () => {
    const { seed } = emulator.context
    const admin = new ClientSecretCredential(tenantId, seed.admin.clientId, seed.admin.clientSecret, options)
    await new ResourceManagementClient(admin, seed.subscriptionId, options).resourceGroups.createOrUpdate('mi', {
      location: 'westeurope',
    })
    const identities = new ManagedServiceIdentityClient(admin, seed.subscriptionId, options).userAssignedIdentities
    await identities.createOrUpdate('mi', 'other', { location: 'westeurope' })
    const made = await identities.createOrUpdate('mi', 'mine', { location: 'westeurope' })
    clientId = made.clientId!
    principalId = made.principalId!
    id = made.id!
  })

  it('asks the instance metadata service', async () => {
    expect(await claimsOf(new ManagedIdentityCredential({ clientId, ...options }))).toMatchObject({ oid: principalId })
  })

  it('stands for an application that trusts it, through the tenant’s own metadata', async () => {
    const issuer = `https://login.microsoftonline.com/${tenantId}/v2.0`
    const trust = { name: 'identity', issuer, subject: principalId, audiences: [AUDIENCE] }
    const app = ensureApplication(emulator.context, { displayName: 'trusting', federatedCredentials: [trust] })
    const identity = new ManagedIdentityCredential({ clientId, ...options })
    const assertion = async () => (await identity.getToken(`${AUDIENCE}/.default`)).token
    const credential = new ClientAssertionCredential(tenantId, app.clientId, assertion, options)
    expect(await claimsOf(credential)).toMatchObject({ oid: app.objectId, aud: VAULT })
  })

  // The SDK remembers for its whole process where it found identities, and their tokens: a process for each ask.
  const program = `
    import { ManagedIdentityCredential } from '@azure/identity'
    const options = { retryOptions: { maxRetries: 0 }, ...JSON.parse(process.argv[1]) }
    try { console.log((await new ManagedIdentityCredential(options).getToken('${SCOPE}')).token) }
    catch (error) { console.log(error.name) }`
  const ask = async (
    environment: Readonly<Record<string, string>>,
    selector: Readonly<Record<string, string>> = {},
  ) => {
    const args = ['--input-type=module', '-e', program, JSON.stringify(selector)]
    const env = { PATH: process.env.PATH, ...environment }
    return (await promisify(execFile)(process.execPath, args, { cwd: ROOT, env })).stdout.trim()
  }

  it('asks it through the proxy, as a program of its own', async () => {
    expect(decodeJwt(await ask(wire.environment, { clientId }))).toMatchObject({ oid: principalId })
  })

  it.each([
    ['client id', () => ({ clientId })],
    ['object id', () => ({ objectId: principalId })],
    ['resource id', () => ({ resourceId: id })],
  ])('asks the token service of App Service, by %s', async (_, selector) => {
    expect(decodeJwt(await ask(wire.appServiceEnvironment(), selector()))).toMatchObject({ oid: principalId })
  })

  it('is the one identity of its app there', async () => {
    expect(decodeJwt(await ask(wire.appServiceEnvironment(clientId)))).toMatchObject({ oid: principalId })
  })

  it('gets nothing there with a wrong secret', async () => {
    const environment = { ...wire.appServiceEnvironment(), IDENTITY_HEADER: 'all.guess' }
    expect(await ask(environment, { clientId })).toMatch(/^(CredentialUnavailable|Authentication)(Required)?Error$/)
  })

  it('is given to no application that is not one', () => {
    expect(() => wire.appServiceEnvironment(emulator.context.seed.admin.clientId)).toThrow(RangeError)
  })
})

describe('users', () => {
  let objectId: string
  beforeAll(() => {
    objectId = ensureUser(emulator.context, { userPrincipalName: 'ada', password: 'correct horse' }).objectId
  })

  it('sign in with DeviceCodeCredential, and stay signed in for other resources', async () => {
    const credential = new DeviceCodeCredential({
      ...options,
      tenantId: 'organizations',
      userPromptCallback: ({ userCode, verificationUri }) => {
        expect(verificationUri).toBe(`${wire.url}/.skerry/device`)
        approveDeviceCode(emulator.context, userCode, 'ada@skerry.example')
      },
    })
    expect(await claimsOf(credential)).toMatchObject({
      oid: objectId,
      appid: CLI,
      scp: 'user_impersonation',
      aud: VAULT,
    })
    const silent = await claimsOf(credential, 'https://management.azure.com/.default')
    expect(silent).toMatchObject({ oid: objectId, aud: 'https://management.azure.com' })
  })

  it('may refuse there', async () => {
    const userPromptCallback = ({ userCode }: { userCode: string }) => {
      declineDeviceCode(emulator.context, userCode)
    }
    const credential = new DeviceCodeCredential({ ...options, tenantId, userPromptCallback })
    await expect(credential.getToken(SCOPE)).rejects.toThrow(/authorization_declined/)
  })

  it('sign in with UsernamePasswordCredential', async () => {
    const credential = new UsernamePasswordCredential(tenantId, CLI, 'ada@skerry.example', 'correct horse', options)
    expect(await claimsOf(credential)).toMatchObject({ oid: objectId, upn: 'ada@skerry.example' })
    const wrong = new UsernamePasswordCredential(tenantId, CLI, 'ada@skerry.example', 'guess', options)
    await expect(wrong.getToken(SCOPE)).rejects.toThrow(/AADSTS50126/)
  })

  it('sign in with AuthorizationCodeCredential, after a browser', async () => {
    const app = ensureApplication(emulator.context, { displayName: 'web', secret: 's3cret' })
    const redirectUri = 'http://localhost:8400/'
    const query = new URLSearchParams({
      client_id: app.clientId,
      response_type: 'code',
      redirect_uri: redirectUri,
      scope: `${SCOPE} offline_access`,
    })
    const body = new URLSearchParams({ action: 'approve', user: 'ada@skerry.example', password: 'correct horse' })
    const url = `https://login.microsoftonline.com/${tenantId}/oauth2/v2.0/authorize?${query}`
    const answer = await emulator.dispatcher.dispatch(new Request(url, { method: 'POST', body }), { door: 'wire' })
    const code = new URL(answer.headers.get('location')!).searchParams.get('code')!
    const credential = new AuthorizationCodeCredential(tenantId, app.clientId, 's3cret', code, redirectUri, options)
    expect(await claimsOf(credential)).toMatchObject({ oid: objectId, appid: app.clientId, appidacr: '1' })
  })
})

describe('what the tenant does not do', () => {
  it('is to act on behalf of a user, and it says so', async () => {
    const app = ensureApplication(emulator.context, { displayName: 'middle', secret: 's3cret' })
    const credential = new OnBehalfOfCredential({
      tenantId,
      clientId: app.clientId,
      clientSecret: 's3cret',
      userAssertionToken: 'x.y.z',
      ...options,
    })
    await expect(credential.getToken(SCOPE)).rejects.toThrow(/AADSTS70003/)
  })
})
