import { createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { issue } from '../testing/certificates.ts'
import { stillClock } from '../testing/clock.ts'
import { json } from '../testing/vault.ts'
import { verifyAttestationToken } from './verify.ts'

const MAA = 'contoso.weu.attest.azure.net'
const clock = stillClock('2026-01-01T00:00:00Z')
const now = clock.now() / 1000
const signer = issue({ name: `https://${MAA}`, key: 'rsa' })
const other = issue({ name: 'other', key: 'rsa' })
// As the service publishes them: no modulus, no algorithm.
const keys = [{ x5c: [Buffer.from(signer.der).toString('base64')], kid: 'a+/b=', kty: 'RSA' }]
const asked: string[] = []
const fetch = async (url: string) => {
  asked.push(url)
  return Response.json({ keys })
}

function token(
  claims: object = {},
  header: object = {},
  key: KeyObject = createPrivateKey(signer.privateKey.export({ format: 'pem', type: 'pkcs8' })),
): string {
  const signed = `${json({ alg: 'RS256', kid: 'a+/b=', typ: 'JWT', jku: 'https://elsewhere.example/certs', ...header })}.${json({ iss: `https://${MAA}`, nbf: now, exp: now + 28_800, ...claims })}`
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`
}

const verify = (text: string) => verifyAttestationToken(text, { maaEndpoint: MAA, fetch, clock })

describe('an attestation token', () => {
  it('is verified with the key that the provider publishes, wherever the token points', async () => {
    await expect(verify(token({ 'x-ms-ver': '1.0' }))).resolves.toMatchObject({ 'x-ms-ver': '1.0' })
    expect(new Set(asked)).toEqual(new Set([`https://${MAA}/certs`]))
  })

  it.each([
    ['another signer', () => token({}, {}, other.privateKey)],
    ['a kid that is not published', () => token({}, { kid: 'x' })],
    ['no algorithm', () => `${json({ alg: 'none', kid: 'a+/b=' })}.${json({ iss: `https://${MAA}` })}.`],
    ['another issuer', () => token({ iss: 'https://other.attest.azure.net' })],
    ['an expiry that has passed', () => token({ exp: now - 61 })],
    ['no expiry', () => token({ exp: undefined })],
    ['a beginning that is yet to come', () => token({ nbf: now + 61 })],
  ])('with %s is refused, and not repeated in the error', async (_what, make) => {
    const text = make()
    await expect(verify(text)).rejects.toMatchObject({
      code: 'ERR_ATTESTATION_TOKEN',
      message: expect.not.stringContaining('eyJ'),
    })
  })
})
