import { createHash } from 'node:crypto'
import { AttestationClient } from '@azure/attestation'
import { encodeUtf8 } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { sdkHttpClient } from '../../../../test/support/sdk-http-client.ts'
import { systemClock } from '../../core/clock.ts'
import { createTestContext } from '../../core/test-context.ts'
import { createProcessor } from '../../psp/index.ts'
import { createMaaService } from '../index.ts'
import { verifyingAll } from '../test-providers.ts'
import { createSgxPlatform } from './platform.ts'

/* The official client, which reads the keys of the provider and checks signature, issuer and times of each token. */

const PROVIDER = 'https://sharedweu.weu.attest.azure.net'
const world = createTestContext({ clock: systemClock() })
const sgx = createSgxPlatform(world.ctx)
world.use(createMaaService(world.ctx, { psp: createProcessor(world.ctx), sgx }))

const client = new AttestationClient(PROVIDER, {
  httpClient: sdkHttpClient((request) => world.fetch(request)),
  validationOptions: verifyingAll(PROVIDER),
})

const RUNTIME = encodeUtf8('{"jwk":{"kty":"EC"}}')
const DIGEST = new Uint8Array(createHash('sha256').update(RUNTIME).digest())
const ENCLAVE = sgx.launch({ mrEnclave: new Uint8Array(32).fill(1), mrSigner: new Uint8Array(32).fill(2), svn: 3 })

describe('AttestationClient of @azure/attestation', () => {
  it('attests an SGX quote with binary runtime data', async () => {
    const quote = await ENCLAVE.quote(DIGEST)
    const { body, token } = await client.attestSgxEnclave(quote, { runTimeData: RUNTIME })
    expect(token.issuer).toBe(PROVIDER)
    const { issuer, isDebuggable, mrEnclave, mrSigner, productId, svn, version, verifierType } = body
    expect({ issuer, isDebuggable, mrEnclave, mrSigner, productId, svn, version, verifierType }).toEqual({
      issuer: PROVIDER,
      isDebuggable: false,
      mrEnclave: '01'.repeat(32),
      mrSigner: '02'.repeat(32),
      productId: 1,
      svn: 3,
      version: '1.0',
      verifierType: 'sgx',
    })
    expect(new Uint8Array(body.enclaveHeldData!)).toEqual(RUNTIME)
    expect(body.sgxCollateral).toMatchObject({ quotehash: createHash('sha256').update(quote).digest('hex') })
  })

  it('attests an SGX quote with runtime data in JSON', async () => {
    const { body } = await client.attestSgxEnclave(await ENCLAVE.quote(DIGEST), { runTimeJson: RUNTIME })
    expect(body.runTimeClaims).toEqual({ jwk: { kty: 'EC' } })
  })

  it('attests an Open Enclave report', async () => {
    const report = await ENCLAVE.openEnclaveReport(DIGEST)
    const { body } = await client.attestOpenEnclave(report, { runTimeData: RUNTIME })
    expect(body.verifierType).toBe('sgx')
    expect(body.mrEnclave).toBe('01'.repeat(32))
  })

  it('attests by a draft policy, whose token is unsecured', async () => {
    const { body, token } = await client.attestOpenEnclave(await ENCLAVE.openEnclaveReport(DIGEST), {
      runTimeJson: RUNTIME,
      draftPolicyForAttestation: 'version=1.0; authorizationrules{=> permit();}; issuancerules {};',
    })
    expect(token.algorithm).toBe('none')
    expect(body.mrEnclave).toBe('01'.repeat(32))
  })

  it('throws what the service answers: a draft that denies, data that the enclave did not know', async () => {
    const report = await ENCLAVE.openEnclaveReport(DIGEST)
    const draftPolicyForAttestation = 'version=1.0; authorizationrules{=> deny();}; issuancerules {};'
    await expect(
      client.attestOpenEnclave(report, { runTimeJson: RUNTIME, draftPolicyForAttestation }),
    ).rejects.toMatchObject({ statusCode: 400, code: 'PolicyEvaluationError' })
    await expect(
      client.attestSgxEnclave(await ENCLAVE.quote(DIGEST), { runTimeData: encodeUtf8('other') }),
    ).rejects.toMatchObject({ statusCode: 400, code: 'InvalidParameter' })
  })
})
