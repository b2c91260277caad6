import { ClientSecretCredential } from '@azure/identity'
import { KeyClient } from '@azure/keyvault-keys'
import { seedResources } from '@skerry/emulator'
import { skerryHandlers } from '@skerry/emulator/msw'
import { attest, createAttestationContext, releaseKey, trustStoreOf } from '@skerry/guest'
import { setupServer } from 'msw/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TEST_CACHE_DIRECTORY } from '../../emulator/src/core/test-context.ts'

// A unit test as somebody writes it for code of their own: the official clients as they are, no socket, no process.

const azure = skerryHandlers({ cacheDir: TEST_CACHE_DIRECTORY })
const server = setupServer(...azure.handlers)
const MAA = 'sharedweu.weu.attest.azure.net'
const { tenantId, admin } = azure.seed
const credential = new ClientSecretCredential(tenantId, admin.clientId, admin.clientSecret)
const keys = new KeyClient('https://contoso.vault.azure.net', credential)

beforeAll(async () => {
  server.listen({ onUnhandledFrame: 'error' })
  const { context } = await azure.emulator()
  seedResources(context, { vaults: [{ name: 'contoso', resourceGroup: 'tests' }] })
})
afterAll(async () => {
  server.close()
  await azure.close()
})

/** The code under test. */
async function makeKey(name: string, hostData: string): Promise<void> {
  const allOf = [
    { claim: 'x-ms-compliance-status', equals: 'azure-compliant-uvm' },
    { claim: 'x-ms-sevsnpvm-hostdata', equals: hostData },
    { claim: 'x-ms-sevsnpvm-is-debuggable', equals: 'false' },
  ]
  const policy = { version: '1.0.0', anyOf: [{ authority: `https://${MAA}`, allOf }] }
  const encodedPolicy = Buffer.from(JSON.stringify(policy))
  await keys.createRsaKey(name, { hsm: true, exportable: true, releasePolicy: { encodedPolicy } })
}

/** A token for a key of the guest's own, as code in the container gets it. */
async function attestationToken(guest: Awaited<ReturnType<typeof azure.guest>>): Promise<string> {
  const { publicKey } = await crypto.subtle.generateKey(
    { name: 'RSA-OAEP', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' },
    true,
    ['encrypt', 'decrypt'],
  )
  const { n, e } = await crypto.subtle.exportKey('jwk', publicKey)
  const runtimeData = Buffer.from(JSON.stringify({ keys: [{ kty: 'RSA', kid: 'k', key_ops: ['encrypt'], n, e }] }))
  return await attest(await createAttestationContext(guest), { maaEndpoint: MAA, runtimeData })
}

const policyOf = (text: string) => Buffer.from(`package policy\n# ${text}\n`).toString('base64')

describe('code that makes keys for a confidential container', () => {
  it('makes one that the vault releases to that container', async () => {
    const guest = await azure.guest({ ccePolicy: policyOf('the container it was made for') })
    await makeKey('k', guest.hostData)
    const { value: jws } = await keys.releaseKey('k', await attestationToken(guest))
    const payload = JSON.parse(Buffer.from(jws.split('.')[1]!, 'base64url').toString()) as {
      response: { key: { key: { kid: string } } }
    }
    expect(payload.response.key.key.kid).toMatch(/^https:\/\/contoso\.vault\.azure\.net\/keys\/k\/[0-9a-f]{32}$/)
    expect(await azure.denials()).toEqual([])
  })

  it('makes one that no other container gets: the journal says which claim, wanted and found', async () => {
    const guest = await azure.guest({ ccePolicy: policyOf('the container it was made for') })
    const other = await azure.guest({ ccePolicy: policyOf('another container') })
    await makeKey('withheld', guest.hostData)
    const release = keys.releaseKey('withheld', await attestationToken(other))
    await expect(release).rejects.toMatchObject({ statusCode: 403, code: 'Forbidden' })
    const denial = (await azure.denials()).at(-1)!
    expect(denial).toMatchObject({ service: 'keyvault', operation: 'release', answer: { status: 403 } })
    expect(denial.conditions!.filter(({ met }) => !met)).toEqual([
      expect.objectContaining({ name: 'x-ms-sevsnpvm-hostdata', wanted: guest.hostData, found: other.hostData }),
    ])
  })
})

describe('code that runs in the container', () => {
  it('gets the key itself, from a vault whose signature it has verified', async () => {
    const guest = await azure.guest()
    await makeKey('mine', guest.hostData)
    const context = await createAttestationContext(guest)
    const { context: emulated } = await azure.emulator()
    const { jwk, kid } = await releaseKey(context, {
      maaEndpoint: MAA,
      akvEndpoint: 'contoso.vault.azure.net',
      kid: 'mine',
      credential,
      trust: trustStoreOf([emulated.authority.rootPem]),
    })
    const { key, id } = await keys.getKey('mine')
    expect({ kid, n: jwk.n }).toEqual({ kid: id, n: Buffer.from(key!.n!).toString('base64url') })
    expect(jwk.d).toEqual(expect.any(String))
  })

  it('is refused when its host can look into its memory', async () => {
    const guest = await azure.guest({ debug: true })
    await makeKey('private', guest.hostData)
    await expect(keys.releaseKey('private', await attestationToken(guest))).rejects.toMatchObject({ statusCode: 403 })
    const [unmet] = (await azure.denials()).at(-1)!.conditions!.filter(({ met }) => !met)
    expect(unmet).toMatchObject({ name: 'x-ms-sevsnpvm-is-debuggable', wanted: 'false', found: true })
  })
})
