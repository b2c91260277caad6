import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stillClock } from '../testing/clock.ts'
import { createProvider, MAA } from '../testing/provider.ts'
import { json } from '../testing/vault.ts'
import { createSigningKeys } from './signing-keys.ts'
import { AttestationTokenError } from './token-error.ts'
import { verifyAttestationToken } from './verify.ts'

const provider = createProvider()
const clock = stillClock()
const keys = createSigningKeys({ fetch: provider.fetch, clock })
const verify = (token: string) => verifyAttestationToken(token, { authority: MAA, keys, clock })
const refusal = async (token: string) => {
  const error = await verify(token).catch((thrown) => thrown)
  expect(error).toBeInstanceOf(AttestationTokenError)
}

describe('whatever is sent for an attestation token', () => {
  it('is refused with a typed error', async () => {
    await fc.assert(fc.asyncProperty(fc.string({ unit: 'binary' }), refusal), { numRuns: 200 })
  })

  it('in three parts of JSON is, too', async () => {
    const header = fc.record(
      { alg: fc.constantFrom('RS256', 'none', 7), kid: fc.json(), b64: fc.boolean(), crit: fc.json() },
      { requiredKeys: [] },
    )
    const claims = fc.oneof(
      fc.json(),
      fc.record({ iss: fc.constant(`https://${MAA}`), exp: fc.anything({ maxDepth: 1 }) }),
    )
    await fc.assert(
      fc.asyncProperty(header, claims, fc.base64String(), (head, body, signature) =>
        refusal(
          `${json(head)}.${typeof body === 'string' ? Buffer.from(body).toString('base64url') : json(body)}.${signature}`,
        ),
      ),
      { numRuns: 200 },
    )
  })

  it('is refused when one character of a good token was changed', async () => {
    const good = provider.token({ nonce: '1' })
    await expect(verify(good)).resolves.toBeDefined()
    // The last one has bits that base64url does not use.
    const places = fc.integer({ min: 0, max: good.length - 2 })
    await fc.assert(
      fc.asyncProperty(places, fc.constantFrom(...'AZaz09-_.'), async (at, character) => {
        if (good[at] === character) return
        await refusal(good.slice(0, at) + character + good.slice(at + 1))
      }),
      { numRuns: 300 },
    )
  })
})
