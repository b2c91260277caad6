import { existsSync, readFileSync } from 'node:fs'
import { atLeast, type VerifyAttestationTokenOptions, verifyAttestationToken } from '@skerry/guest'
import { decodeJwt } from 'jose'
import { describe, expect, it } from 'vitest'
import { createProvider } from '../../guest/src/testing/provider.ts'

/*
 * Tokens of the live service, verified as a relying party does at the time they were issued: by Azure's own key set where
 * that was recorded, too.
 */
const SHARED = new URL('../../../shared/vectors/', import.meta.url)
const present = existsSync(SHARED)
if (!present) console.log('skipped: the vectors are not beside this checkout (../shared/vectors)')

const read = (name: string) => readFileSync(new URL(name, SHARED), 'utf8')
const jsonOf = (name: string) => JSON.parse(read(name))

interface Recording {
  readonly exchanges: readonly { readonly url: string; readonly responseBody: { readonly token?: string } }[]
}

/** What the service published in July 2021: one region, one key, whichever provider is asked. */
const published = () => jsonOf('recordings/maa-certs-aad.json').exchanges[0].responseBody as object

/** Verifies at a moment of the token's life. */
const verify = (token: string, at: number, options: Partial<VerifyAttestationTokenOptions> = {}) =>
  verifyAttestationToken(token, {
    authority: String(decodeJwt(token).iss),
    fetch: async () => Response.json(published()),
    clock: { now: () => at * 1000, sleep: async () => undefined },
    ...options,
  })

describe.skipIf(!present)("Azure's tokens of enclaves", () => {
  const tokens = () =>
    (jsonOf('recordings/maa-attest-sgx.json') as Recording).exchanges.flatMap(({ responseBody }) =>
      responseBody.token === undefined ? [] : [responseBody.token],
    )

  it('are verified by the keys that it published, and are of the types that are promised', async () => {
    expect(tokens().length).toBeGreaterThan(3)
    for (const token of tokens()) {
      const { iat = 0 } = decodeJwt(token)
      const claims = await verify(token, iat, {
        claims: { 'x-ms-attestation-type': 'sgx', 'x-ms-sgx-is-debuggable': false, 'x-ms-sgx-svn': atLeast(1) },
      })
      expect(claims['x-ms-sgx-mrsigner']).toMatch(/^[0-9a-f]{64}$/)
    }
  })

  it('are refused for another provider, and when they have expired', async () => {
    const token = tokens()[0]!
    const { iat = 0, exp = 0 } = decodeJwt(token)
    const authority = 'other.wus.attest.azure.net'
    await expect(verify(token, iat, { authority })).rejects.toMatchObject({ code: 'ERR_TOKEN_ISSUER' })
    await expect(verify(token, exp + 60)).rejects.toMatchObject({ code: 'ERR_TOKEN_EXPIRED' })
  })

  it('are refused when a claim was changed', async () => {
    const [header, body, signature] = tokens()[0]!.split('.')
    const claims = JSON.parse(Buffer.from(body!, 'base64url').toString())
    const changed = Buffer.from(JSON.stringify({ ...claims, 'x-ms-sgx-svn': 9 })).toString('base64url')
    const forged = verify(`${header}.${changed}.${signature}`, claims.iat)
    await expect(forged).rejects.toMatchObject({ code: 'ERR_TOKEN_SIGNATURE' })
  })
})

describe.skipIf(!present)("Azure's tokens of guests", () => {
  it('lead to the key set of their authority, and are refused when it does not have their key', async () => {
    const token = read('snp/09-maa-token-pair-milan-v2/token.jwt').trim()
    const { iat = 0 } = decodeJwt(token)
    await expect(verify(token, iat)).rejects.toMatchObject({ code: 'ERR_TOKEN_KEY' })
  })

  it('say of a container group what a relying party asks for', async () => {
    // The service's own signature is not known of this one, so that the same claims are signed here.
    const { payload } = jsonOf('snp/10-maa-aci-token-documented/token.json')
    const provider = createProvider(new URL(payload.iss).host)
    const claims = {
      'x-ms-attestation-type': 'sevsnpvm',
      'x-ms-compliance-status': 'azure-compliant-uvm',
      'x-ms-sevsnpvm-vmpl': 0,
      'x-ms-sevsnpvm-hostdata': payload['x-ms-sevsnpvm-hostdata'],
      'x-ms-sevsnpvm-microcode-svn': atLeast(payload['x-ms-sevsnpvm-microcode-svn']),
      'x-ms-sevsnpvm-uvm-endorsement': { 'x-ms-sevsnpvm-guestsvn': atLeast(1) },
    }
    const options = {
      fetch: provider.fetch,
      claims,
      nonce: '3413764049005270139',
      runtimeData: readFileSync(new URL('snp/10-maa-aci-token-documented/runtime-data.bin', SHARED)),
    }
    await expect(verify(provider.token(payload), payload.iat, options)).resolves.toEqual(payload)
  })
})
