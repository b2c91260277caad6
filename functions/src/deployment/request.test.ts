import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Problem } from '../problem.ts'
import { deploymentBody, POLICY_TEXT, SUBSCRIPTION, type TestBody } from '../testing/bodies.ts'
import { readDeploymentRequest, readKeyRequest, readUpgradeRequest } from './request.ts'

const read = (body: unknown) => readDeploymentRequest(body, SUBSCRIPTION)
const group = (body: TestBody) => body.template.resources[0]!
const CANARY = 'canary-value-that-must-not-be-repeated'

async function refusal(change: (body: TestBody) => void): Promise<Problem> {
  const body = deploymentBody()
  change(body)
  const error = await read(body).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(Problem)
  return error as Problem
}

describe('a request to deploy', () => {
  it('is read into what to deploy, with the identity, key and hosts that the template means', async () => {
    const spec = await read(deploymentBody())
    expect(spec.reading).toMatchObject({
      keyReleaseContainer: 'client',
      kid: 'app-key',
      vaultHost: 'skerry-demo.vault.azure.net',
      identityId: `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/skr-identity`,
    })
    expect(spec.key).toMatchObject({ name: 'app-key', kty: 'RSA-HSM', authority: 'sharedweu.weu.attest.azure.net' })
  })

  it('takes a policy that stands in a parameter', async () => {
    const body = deploymentBody()
    const policy = group(body).properties.confidentialComputeProperties.ccePolicy
    body.template.parameters = { policy: { type: 'string' } }
    body.parameters = { policy: { value: policy } }
    group(body).properties.confidentialComputeProperties.ccePolicy = "[parameters('policy')]"
    expect((await read(body)).reading.ccePolicy).toBe(policy)
  })

  it('takes a host data claim that is the digest of the policy', async () => {
    const body = deploymentBody()
    const digest = createHash('sha256').update(POLICY_TEXT).digest('hex')
    body.importKeyConfig.claims = [[{ claim: 'x-ms-sevsnpvm-hostdata', equals: digest }]]
    expect((await read(body)).key.claims).toEqual([[]])
  })

  it('keeps conditions of its own beside the ones that always hold', async () => {
    const body = deploymentBody()
    body.importKeyConfig.claims[0]!.push({ claim: 'x-ms-sevsnpvm-snpfw-svn', equals: 8 })
    expect((await read(body)).key.claims).toEqual([[{ claim: 'x-ms-sevsnpvm-snpfw-svn', equals: 8 }]])
  })
})

describe('a request to deploy is refused, with a pointer, when', () => {
  const cases: [what: string, code: string, pointer: string, change: (body: TestBody) => void][] = [
    ['it has a field that is not known', 'ERR_UNKNOWN_FIELD', '/colour', (body) => (body.colour = 'red')],
    ['its name is not a resource name', 'ERR_FIELD', '/name', (body) => (body.name = 'Not_A_Name')],
    ['the resource group is missing', 'ERR_FIELD', '/resourceGroup', (body) => delete body.resourceGroup],
    [
      'there is no container group in the template',
      'ERR_TEMPLATE_GROUP',
      '/template/resources',
      (body) => (body.template.resources = []),
    ],
    [
      'the group is not confidential',
      'ERR_TEMPLATE_SKU',
      '/template/resources/0/properties/sku',
      (body) => (group(body).properties.sku = 'Standard'),
    ],
    [
      'the template has no policy',
      'ERR_TEMPLATE_POLICY',
      '/template/resources/0/properties/confidentialComputeProperties/ccePolicy',
      (body) => (group(body).properties.confidentialComputeProperties = {}),
    ],
    [
      'the policy is not base64',
      'ERR_TEMPLATE_POLICY',
      '/template/resources/0/properties/confidentialComputeProperties/ccePolicy',
      (body) => (group(body).properties.confidentialComputeProperties.ccePolicy = 'not base64!'),
    ],
    [
      'the policy is an expression that only ARM understands',
      'ERR_TEMPLATE_EXPRESSION',
      '/template/resources/0/properties/confidentialComputeProperties/ccePolicy',
      (body) => (group(body).properties.confidentialComputeProperties.ccePolicy = "[base64('x')]"),
    ],
    [
      'the group has no identity',
      'ERR_TEMPLATE_IDENTITY',
      '/template/resources/0/identity/userAssignedIdentities',
      (body) => (group(body).identity.userAssignedIdentities = {}),
    ],
    [
      'no container asks for the key',
      'ERR_TEMPLATE_CLIENT',
      '/template/resources/0/properties/containers',
      (body) => group(body).properties.containers.pop(),
    ],
    [
      'the key type is not supported',
      'ERR_UNSUPPORTED_KTY',
      '/importKeyConfig/key/kty',
      (body) => (body.importKeyConfig.key.kty = 'EC-HSM'),
    ],
    [
      'the template asks for another key',
      'ERR_MISMATCH',
      '/importKeyConfig/key/kid',
      (body) => (body.importKeyConfig.key.kid = 'other-key'),
    ],
    [
      'the template asks another attestation provider',
      'ERR_MISMATCH',
      '/importKeyConfig/key/authority/endpoint',
      (body) => (body.importKeyConfig.key.authority = { endpoint: 'sharedeus.eus.attest.azure.net' }),
    ],
    [
      'it claims the host data of another policy',
      'ERR_CLAIM_CONFLICT',
      '/importKeyConfig/claims/0',
      (body) => (body.importKeyConfig.claims = [[{ claim: 'x-ms-sevsnpvm-hostdata', equals: 'ab'.repeat(32) }]]),
    ],
    [
      'it would release to a debuggable guest',
      'ERR_CLAIM_CONFLICT',
      '/importKeyConfig/claims/0',
      (body) => body.importKeyConfig.claims[0]!.push({ claim: 'x-ms-sevsnpvm-is-debuggable', equals: 'true' }),
    ],
  ]
  it.each(cases)('%s', async (_what, code, pointer, change) => {
    const problem = await refusal(change)
    expect(problem.status).toBe(400)
    expect(problem.faults).toContainEqual(expect.objectContaining({ code, pointer }))
  })
})

describe('a secret in a request is refused before anything else is read, and never repeated', () => {
  const cases: [what: string, pointer: string, change: (body: TestBody) => void][] = [
    [
      'bearer_token of the import configuration',
      '/importKeyConfig/key/akv/bearer_token',
      (body) => (body.importKeyConfig.key.akv = { endpoint: 'skerry-demo.vault.azure.net', bearer_token: CANARY }),
    ],
    [
      'password of a registry',
      '/template/resources/0/properties/imageRegistryCredentials/0/password',
      (body) =>
        (group(body).properties.imageRegistryCredentials = [
          { server: 'r.azurecr.io', username: 'u', password: CANARY },
        ]),
    ],
    [
      'secureValue of a container variable',
      '/template/resources/0/properties/containers/0/properties/environmentVariables/0/secureValue',
      (body) =>
        group(body).properties.containers[0]!.properties.environmentVariables.push({ name: 'X', secureValue: CANARY }),
    ],
    [
      'value of a secure parameter',
      '/parameters/pw/value',
      (body) => {
        body.template.parameters = { pw: { type: 'secureString' } }
        body.parameters = { pw: { value: CANARY } }
      },
    ],
    [
      'private part of a JSON Web Key',
      '/importKeyConfig/key/jwk/d',
      (body) => (body.importKeyConfig.key.jwk = { kty: 'RSA', n: 'AQAB', d: CANARY }),
    ],
    [
      'content of a secret volume',
      '/template/resources/0/properties/volumes/0/secret',
      (body) => (group(body).properties.volumes = [{ name: 'keys', secret: { file: CANARY } }]),
    ],
  ]
  it.each(cases)('%s', async (_what, pointer, change) => {
    const problem = await refusal(change)
    expect(problem.code).toBe('ERR_SECRET_IN_REQUEST')
    expect(problem.faults.map((fault) => fault.pointer)).toContain(pointer)
    expect(JSON.stringify([problem.message, problem.faults])).not.toContain(CANARY)
  })
})

describe('other requests', () => {
  it('an upgrade keeps the key and the names of the deployment and takes the new policy', async () => {
    const spec = await read(deploymentBody())
    const { template } = deploymentBody()
    const next = `${POLICY_TEXT}# second edition\n`
    template.resources[0]!.properties.confidentialComputeProperties.ccePolicy = Buffer.from(next).toString('base64')
    const upgraded = await readUpgradeRequest({ template }, spec)
    expect(upgraded).toMatchObject({ name: spec.name, key: spec.key })
    expect(upgraded.reading.ccePolicy).not.toBe(spec.reading.ccePolicy)
  })

  it('a key alone needs the policy whose digest it is released to', async () => {
    const { importKeyConfig } = deploymentBody()
    const { hostData } = await readKeyRequest({
      importKeyConfig,
      ccePolicy: Buffer.from(POLICY_TEXT).toString('base64'),
    })
    expect(hostData).toBe(createHash('sha256').update(POLICY_TEXT).digest('hex'))
    await expect(readKeyRequest({ importKeyConfig })).rejects.toMatchObject({ faults: [{ pointer: '/ccePolicy' }] })
  })
})
