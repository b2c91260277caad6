import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { encodeSgxAttestRequest } from '@skerry/guest/wire'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../../emulator/src/core/index.ts'
import { createVaultWorld, VAULT } from '../../emulator/src/keyvault/test-vaults.ts'
import { createMaaService } from '../../emulator/src/maa/index.ts'
import { createSgxPlatform } from '../../emulator/src/maa/sgx/index.ts'
import type { EnclaveOptions } from '../../emulator/src/maa/sgx/types.ts'
import { createProcessor } from '../../emulator/src/psp/index.ts'
import { openRelease, unwrapByNode } from '../support/released-key.ts'

/* An enclave, the attestation service and the vault together: as near-misses.test.ts has it for guests of SNP. */

const PROVIDER = 'sharedweu.weu.attest.azure.net'
const wrapping = generateKeyPairSync('rsa', { modulusLength: 2048 })
const JWK = { ...createPublicKey(wrapping.privateKey).export({ format: 'jwk' }), kid: 'enclave', key_ops: ['encrypt'] }
const runtime = new Uint8Array(Buffer.from(JSON.stringify({ keys: [JWK] })))

/** The enclave that the policy means. */
const MEANT = {
  mrEnclave: new Uint8Array(32).fill(0xa1),
  mrSigner: new Uint8Array(32).fill(0xb2),
  productId: 7,
  svn: 4,
}
const POLICY = {
  version: '1.0.0',
  anyOf: [
    {
      authority: `https://${PROVIDER}/`,
      allOf: [
        { claim: 'x-ms-attestation-type', equals: 'sgx' },
        { claim: 'x-ms-sgx-is-debuggable', equals: false },
        { claim: 'x-ms-sgx-mrsigner', equals: 'b2'.repeat(32) },
        { claim: 'x-ms-sgx-product-id', equals: 7 },
        { claim: 'x-ms-sgx-svn', greaterOrEquals: 4 },
      ],
    },
  ],
}

interface Evidence extends EnclaveOptions {
  readonly kind?: 'SgxEnclave' | 'OpenEnclave'
  readonly dataType?: 'JSON' | 'Binary'
  readonly draftPolicy?: string
}

/** A vault whose key has that policy is asked for it with the token of an enclave. */
async function release({ kind = 'SgxEnclave', dataType = 'JSON', draftPolicy, ...enclave }: Evidence = {}) {
  const world = createVaultWorld({ clock: manualClock(Date.parse('2026-06-01T00:00:00Z')) })
  const sgx = createSgxPlatform(world.ctx)
  world.use(createMaaService(world.ctx, { psp: createProcessor(world.ctx), sgx }))
  const launched = sgx.launch({ ...MEANT, ...enclave })
  const digest = new Uint8Array(createHash('sha256').update(runtime).digest())
  const evidence = await (kind === 'SgxEnclave' ? launched.quote(digest) : launched.openEnclaveReport(digest))
  const body = encodeSgxAttestRequest(kind === 'SgxEnclave' ? 'quote' : 'report', {
    evidence,
    runtimeData: { data: runtime, dataType },
    ...(draftPolicy !== undefined && { draftPolicy }),
  })
  const url = `https://${PROVIDER}/attest/${kind}?api-version=2022-08-01`
  const attested = await world.fetch(new Request(url, { method: 'POST', body }))
  expect(attested.status).toBe(200)
  const { token } = (await attested.json()) as { token: string }
  await world.call('POST', `${VAULT}/keys/k/create`, {
    kty: 'RSA-HSM',
    key_ops: ['encrypt', 'decrypt'],
    attributes: { exportable: true },
    release_policy: { data: Buffer.from(JSON.stringify(POLICY)).toString('base64url') },
  })
  const { status, json } = await world.call('POST', `${VAULT}/keys/k/release`, { target: token })
  const record = world.ctx.journal.records().findLast(({ operation }) => operation === 'release')
  const unmet = (record?.conditions ?? []).filter(({ met }) => !met).map(({ name }) => name)
  return { token, status, json, unmet }
}

describe('a key whose policy means one enclave', () => {
  it.each(['SgxEnclave', 'OpenEnclave'] as const)('is released to it, by its %s evidence', async (kind) => {
    const { token, status, json, unmet } = await release({ kind })
    expect([status, unmet]).toEqual([200, []])
    expect(decodeJwt(token)).toMatchObject({ 'x-ms-attestation-type': 'sgx', 'x-ms-sgx-svn': 4 })
    const opened = await openRelease((json as { value: string }).value)
    const key = createPrivateKey({ key: unwrapByNode(opened, wrapping.privateKey), format: 'der', type: 'pkcs8' })
    expect(createPublicKey(key).export({ format: 'jwk' }).n).toBe(opened.payload.response.key.key.n)
  })

  it('is released to a later build of the same signer', async () => {
    expect(await release({ mrEnclave: new Uint8Array(32).fill(0xa2), svn: 5 })).toMatchObject({ status: 200 })
  })

  it.each<readonly [what: string, unmet: readonly string[], evidence: Evidence]>([
    ['that may be debugged', ['x-ms-sgx-is-debuggable'], { debug: true }],
    ['of another signer', ['x-ms-sgx-mrsigner'], { mrSigner: new Uint8Array(32).fill(0xb3) }],
    ['of another product', ['x-ms-sgx-product-id'], { productId: 8 }],
    ['that is too old', ['x-ms-sgx-svn'], { svn: 3 }],
  ])('is not released to an enclave %s', async (_, unmet, evidence) => {
    const released = await release(evidence)
    expect([released.status, released.unmet]).toEqual([403, unmet])
  })

  it('is not released to an enclave that sent its wrapping key as bytes, which no token repeats', async () => {
    expect(await release({ dataType: 'Binary' })).toMatchObject({ status: 403 })
  })

  it('is not released for the unsecured token of a draft policy', async () => {
    const { token, status } = await release({ draftPolicy: 'version= 1.0;authorizationrules{=> permit();};' })
    expect([decodeProtectedHeader(token).alg, status]).toEqual(['none', 403])
  })
})
