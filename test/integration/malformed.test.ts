import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TEST_CACHE_DIRECTORY as cacheDir } from '../../emulator/src/core/test-context.ts'
import { createEmulator, type Emulator } from '../../emulator/src/emulator.ts'
import { DEFAULT_SEED } from '../../emulator/src/seed/default-document.ts'

/*
 * Whatever is sent, no service fails: it says what is wrong (4xx) or that it does not cover it (501). Vaults, Entra and
 * the rest of Resource Manager are held to it at more length in test/conformance/hostile.
 */

let emulator: Emulator
beforeAll(async () => {
  emulator = await createEmulator({ cacheDir, seedDocument: DEFAULT_SEED })
})
afterAll(() => emulator.close())

async function call(method: string, url: string, body?: string, headers: Record<string, string> = {}) {
  const request = new Request(url, { method, headers, ...(body !== undefined && method !== 'GET' && { body }) })
  const answer = await emulator.dispatcher.dispatch(request, { door: 'wire' })
  return { status: answer.status, text: await answer.text() }
}

async function authorization(resource: string): Promise<Record<string, string>> {
  const { tenantId, admin } = emulator.context.seed
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: admin.clientId,
    client_secret: admin.clientSecret,
    scope: `${resource}/.default`,
  })
  const url = `https://login.microsoftonline.com/${tenantId}/oauth2/v2.0/token`
  const { text } = await call('POST', url, form.toString(), { 'content-type': 'application/x-www-form-urlencoded' })
  const { access_token: token } = JSON.parse(text) as { access_token: string }
  return { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
}

const base64Url = (text: string) => Buffer.from(text).toString('base64url')
const nested = (open: string, close: string) => `${open.repeat(50_000)}1${close.repeat(50_000)}`
const BODIES = [
  '',
  'null',
  '[]',
  '"x"',
  '{"a":',
  '\u0000',
  '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}}',
  nested('[', ']'),
  nested('{"properties":', '}'),
  '{"properties":{"template":[],"parameters":5,"mode":{}}}',
  '{"properties":{"mode":"Incremental","template":{"contentVersion":"1.0.0.0","resources":[null,5,{"type":5}]}}}',
  '{"location":5,"properties":{"containers":[null,5,{"name":5}],"osType":5,"sku":{},"confidentialComputeProperties":"x"}}',
  '{"kty":{},"key_ops":"x","attributes":[],"tags":5,"release_policy":"x"}',
  '{"kty":"RSA","key_size":1e308,"public_exponent":2}',
  '{"kty":"EC","crv":"__proto__"}',
  '{"key":{"kty":"RSA","n":"AA","e":"AA","d":"AA","p":"","q":"x"},"hsm":true}',
  '{"key":{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}}',
  '{"alg":"__proto__","value":"!!","digest":"AA","iv":"AA"}',
  `{"report":"${base64Url('{"SnpReport":"AA","VcekCertChain":"AA","Endorsements":"AA"}')}"}`,
  `{"report":"${base64Url(nested('[', ']'))}"}`,
  `{"kty":"RSA-HSM","attributes":{"exportable":true},"release_policy":{"data":"${base64Url(nested('{"anyOf":[', ']}'))}"}}`,
]

async function expectNoFault(methods: readonly string[], urls: readonly string[], headers: Record<string, string>) {
  const faults: string[] = []
  for (const url of urls) {
    for (const method of methods) {
      for (const [at, body] of BODIES.entries()) {
        const { status } = await call(method, url, body, headers)
        if (status >= 500 && status !== 501) faults.push(`${status} ${method} ${url} with body ${at}`)
      }
    }
  }
  expect(faults).toEqual([])
}

describe('a malformed request', () => {
  it('does not break Resource Manager', async () => {
    const headers = await authorization('https://management.azure.com')
    const group = `https://management.azure.com/subscriptions/${emulator.context.seed.subscriptionId}/resourceGroups/malformed`
    await call('PUT', `${group}?api-version=2021-04-01`, '{"location":"westeurope"}', headers)
    const types = [
      'Microsoft.Resources/deployments/d',
      'Microsoft.ContainerInstance/containerGroups/g',
      'Microsoft.KeyVault/vaults/vv',
      'Microsoft.KeyVault/managedHSMs/hh',
      'Microsoft.ManagedIdentity/userAssignedIdentities/i',
      'Microsoft.Attestation/attestationProviders/p',
      'Microsoft.Authorization/roleAssignments/3f0c7a52-1111-4222-8333-444455556666',
      '__proto__/constructor/x',
    ]
    const urls = types.map((type) => `${group}/providers/${type}?api-version=2023-05-01`)
    await expectNoFault(['PUT', 'POST', 'PATCH', 'GET'], [`${group}?api-version=2021-04-01`, ...urls], headers)
  })

  it('does not break attestation or sign-in', async () => {
    const tenant = `https://login.microsoftonline.com/${emulator.context.seed.tenantId}`
    const maa = 'https://sharedweu.weu.attest.azure.net/attest/SevSnpVm?api-version=2022-08-01'
    for (const type of ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      const urls = [maa, `${tenant}/oauth2/v2.0/token`, `${tenant}/oauth2/token`]
      await expectNoFault(['POST'], urls, { 'content-type': type })
    }
  })

  it('does not break what is asked without a body', async () => {
    const imds = 'http://169.254.169.254/metadata'
    const urls = [
      `${imds}/identity/oauth2/token?api-version=__proto__&resource=constructor`,
      `${imds}/identity/oauth2/token?api-version=2018-02-01&resource=__proto__`,
      `${imds}/%00`,
      'https://kdsintf.amd.com/vcek/v1/__proto__/cert_chain',
      'https://kdsintf.amd.com/vcek/v1/Milan/%00?blSPL=1',
      'https://global.acccache.azure.net/SevSnpVM/certificates/%FF/00',
      'https://login.microsoftonline.com/__proto__/.well-known/openid-configuration',
      'https://sharedweu.weu.attest.azure.net/%FF',
    ]
    for (const url of urls)
      expect([url, (await call('GET', url, undefined, { metadata: 'true' })).status]).toEqual([
        url,
        expect.toSatisfy((status: number) => status < 500 || status === 501),
      ])
  })
})
