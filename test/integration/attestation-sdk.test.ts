import { createHash, generateKeyPairSync } from 'node:crypto'
import { AttestationAdministrationClient, AttestationClient, createAttestationPolicyToken } from '@azure/attestation'
import type { TokenCredential } from '@azure/core-auth'
import { derToPem, encodeUtf8 } from '@skerry/guest/wire'
import { beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../emulator/src/core/index.ts'
import { rollSigningKey } from '../../emulator/src/maa/index.ts'
import { createSgxPlatform } from '../../emulator/src/maa/sgx/index.ts'
import {
  AAD,
  createProviderWorld,
  ISOLATED,
  type ProviderWorld,
  SHARED,
  verifyingAll,
} from '../../emulator/src/maa/test-providers.ts'
import { sdkHttpClient } from '../support/sdk-http-client.ts'

/*
 * The official client for administrators and relying parties. It reads the provider's keys, verifies signature, issuer
 * and times of each answer's token, and throws what is wrong with it.
 */

let world: ProviderWorld
let scopes: string[]
beforeAll(async () => {
  world = await createProviderWorld({ clock: systemClock() })
  scopes = []
})

const credentialOf = (who: 'admin' | 'stranger'): TokenCredential => ({
  async getToken(scope) {
    scopes.push(String(scope))
    return { token: await world.accessToken(who), expiresOnTimestamp: world.clock.now() + 3600_000 }
  },
})
const optionsOf = (host: string) => ({
  httpClient: sdkHttpClient((request) => world.fetch(request)),
  validationOptions: verifyingAll(`https://${host}`),
})
const administration = (host: string, who: 'admin' | 'stranger' = 'admin') =>
  new AttestationAdministrationClient(`https://${host}`, credentialOf(who), optionsOf(host))

const POLICY = 'version=1.0; authorizationrules{=> permit();}; issuancerules {};'
const TYPES = ['SgxEnclave', 'OpenEnclave', 'Tpm', 'SevSnpVm'] as const
const hashOf = (text: string) => createHash('sha256').update(text).digest()

describe('AttestationAdministrationClient of @azure/attestation', () => {
  it.each(TYPES)('gets, sets and resets the policy for %s', async (type) => {
    const client = administration(AAD)
    const set = await client.setPolicy(type, POLICY)
    expect(set.body.policyResolution).toBe('Updated')
    // As the client's own tests check that the policy that was set is the one that was meant.
    expect(Buffer.from(set.body.policyTokenHash)).toEqual(hashOf(createAttestationPolicyToken(POLICY).serialize()))
    expect((await client.getPolicy(type)).body).toBe(POLICY)
    expect((await client.resetPolicy(type)).body.policyResolution).toBe('Removed')
    if (type !== 'Tpm') expect((await client.getPolicy(type)).body).toContain('authorizationrules{=> permit();}')
    expect(scopes).toContain('https://attest.azure.net/.default')
  })

  it('signs a policy, and is told who did', async () => {
    const { privatePem: privateKey, pem: certificate, der } = world.signer
    for (const host of [AAD, ISOLATED]) {
      const { body } = await administration(host).setPolicy('SgxEnclave', POLICY, { privateKey, certificate })
      expect(body.policySigner?.certificates.map((pem) => pem.replaceAll(/-----[A-Z ]+-----|\s/g, ''))).toEqual([
        der.toString('base64'),
      ])
      expect(Buffer.from(body.policyTokenHash)).toEqual(
        hashOf(createAttestationPolicyToken(POLICY, privateKey, certificate).serialize()),
      )
      await administration(host).resetPolicy('SgxEnclave', { privateKey, certificate })
    }
  })

  it('is refused an unsigned policy by an isolated provider, and one that is none by any', async () => {
    await expect(administration(ISOLATED).setPolicy('SgxEnclave', POLICY)).rejects.toMatchObject({
      statusCode: 400,
      code: 'InvalidOperation',
    })
    await expect(administration(AAD).setPolicy('SgxEnclave', 'permit all')).rejects.toMatchObject({
      statusCode: 400,
      code: 'PolicyParsingError',
    })
  })

  it('is refused without the role, and on a shared provider', async () => {
    const refused = { statusCode: 401, code: 'Unauthorized' }
    await expect(administration(AAD, 'stranger').getPolicy('SgxEnclave')).rejects.toMatchObject(refused)
    await expect(administration(SHARED).setPolicy('SgxEnclave', POLICY)).rejects.toMatchObject(refused)
    expect((await administration(SHARED, 'stranger').getPolicy('SgxEnclave')).body).toContain('version= 1.1;')
  })

  it('lists, adds and removes policy signers', async () => {
    const client = administration(ISOLATED)
    const { privatePem, pem } = world.signer
    const thumbprint = createHash('sha1').update(world.outsider.der).digest('hex').toUpperCase()
    const added = await client.addPolicyManagementCertificate(world.outsider.pem, privatePem, pem)
    expect(added.body).toMatchObject({ certificateThumbprint: thumbprint, certificateResolution: 'IsPresent' })
    expect((await client.getPolicyManagementCertificates()).body).toHaveLength(2)
    const removed = await client.removePolicyManagementCertificate(world.outsider.pem, privatePem, pem)
    expect(removed.body).toMatchObject({ certificateThumbprint: thumbprint, certificateResolution: 'IsAbsent' })
    const left = (await client.getPolicyManagementCertificates()).body
    expect(left.flatMap(({ certificates }) => certificates.map((one) => one.replaceAll(/\s/g, '')))).toEqual([
      derToPem(world.signer.der).replaceAll(/\s/g, ''),
    ])
    expect((await administration(AAD).getPolicyManagementCertificates()).body).toEqual([])
  })
})

describe('AttestationClient of @azure/attestation', () => {
  const client = (host = AAD, more: object = {}) => {
    const options = optionsOf(host)
    return new AttestationClient(`https://${host}`, {
      ...options,
      validationOptions: { ...options.validationOptions, ...more },
    })
  }
  const enclave = () =>
    createSgxPlatform(world.ctx).launch({ mrEnclave: new Uint8Array(32).fill(1), mrSigner: new Uint8Array(32).fill(2) })
  const DATA = encodeUtf8('{"held":true}')
  const quote = () => enclave().quote(new Uint8Array(createHash('sha256').update(DATA).digest()))

  it('attests under a policy that was set, and finds its claims and its signer', async () => {
    const { privatePem: privateKey, pem: certificate } = world.signer
    const policy =
      'version=1.0; authorizationrules{[type=="x-ms-sgx-is-debuggable", value==false] => permit();}; issuancerules{=> issue(type="level", value=3);};'
    await administration(AAD).setPolicy('SgxEnclave', policy, { privateKey, certificate })
    const { body } = await client().attestSgxEnclave(await quote(), { runTimeJson: DATA })
    expect(body.policyClaims).toEqual({ level: 3 })
    expect(body.runTimeClaims).toEqual({ held: true })
    expect(body.policySigner?.certificates).toHaveLength(1)
    expect(Buffer.from(body.policyHash)).toEqual(hashOf(Buffer.from(policy).toString('base64url')))
    await administration(AAD).resetPolicy('SgxEnclave')
  })

  it('reads the signing keys and the metadata of the provider', async () => {
    const signers = await client().getAttestationSigners()
    expect(signers.map(({ certificates }) => certificates.length)).toEqual([1])
    expect(await client().getOpenIdMetadata()).toMatchObject({
      issuer: `https://${AAD}`,
      jwks_uri: `https://${AAD}/certs`,
    })
  })

  it('is not satisfied with a token of another issuer', async () => {
    const options = { expectedIssuer: 'https://elsewhere.weu.attest.azure.net' }
    await expect(client(AAD, options).attestSgxEnclave(await quote(), { runTimeData: DATA })).rejects.toThrow('issuer')
  })

  it('verifies tokens of a key that has retired, and of its successor, when it reads the keys anew', async () => {
    const { token: old } = await client().attestSgxEnclave(await quote(), { runTimeData: DATA })
    const before = await client().getAttestationSigners()
    rollSigningKey(world.ctx)
    const after = await client().getAttestationSigners()
    expect(after.map(({ keyId }) => keyId)).toContain(before[0]!.keyId)
    expect(after).toHaveLength(2)
    expect(old.getTokenProblems(after)).toEqual([])
    const { token } = await client().attestSgxEnclave(await quote(), { runTimeData: DATA })
    expect(token.keyId).not.toBe(old.keyId)
    // Who read the keys before does not know the new one: Azure's client never reads them again, and has no words for it.
    expect(() => token.getTokenProblems(before)).toThrow('RSAKey')
    expect(token.getTokenProblems(after)).toEqual([])
  })

  it('refuses to sign with a key that is not of the certificate', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
    const options = { privateKey: pem, certificate: world.signer.pem }
    await expect(administration(AAD).setPolicy('SgxEnclave', POLICY, options)).rejects.toThrow()
    expect((await administration(AAD).getPolicy('SgxEnclave')).body).not.toBe(POLICY)
  })
})
