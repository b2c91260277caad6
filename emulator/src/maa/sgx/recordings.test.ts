import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createReplay, type Exchange, NO_RECORDINGS, RECORDINGS, type Recording } from '../test-recordings.ts'

/*
 * What Microsoft's SDK tests recorded of the live service: real quotes of July 2021, sent at their own date. What differs
 * is named here with its reason.
 */

const files = ['maa-attest-sgx.json', 'maa-attest-openenclave.json'].filter((name) =>
  existsSync(new URL(name, RECORDINGS)),
)
if (files.length === 0) console.log(NO_RECORDINGS)

/** Of the time and of the instance. */
const OF_A_RUN = ['exp', 'iat', 'nbf', 'iss', 'jti']
/** There since version 1.11 of the service (2023); the recorded one is 1.10. */
const SINCE_THEN = ['x-ms-policy', 'x-ms-sgx-tcbidentifier']
/** The shared provider's default policy is another since then, and so is its hash. */
const DEFAULT_POLICY = ['x-ms-policy-hash']

describe.skipIf(files.length === 0)('quotes of real enclaves, sent as they were to the live service', () => {
  it.each(files)('%s', async (file) => {
    const recording = JSON.parse(readFileSync(new URL(file, RECORDINGS), 'utf8')) as Recording
    const { setup = [], exchanges } = recording
    const issuedAt = partOf(exchanges[0]!.responseBody.token!.split('.')[1]!).iat as number
    const send = await createReplay(recording, issuedAt * 1000, { attestation: { trust: 'both', endorsers: [] } })
    for (const request of setup) expect((await send(request)).status).toBe(200)
    expect(exchanges.length).toBeGreaterThan(0)
    for (const exchange of exchanges) {
      const answer = await send(exchange)
      expect(answer.status).toBe(exchange.status)
      expect([...answer.headers.keys()]).toEqual(
        expect.arrayContaining(Object.keys(exchange.responseHeaders).filter((name) => name !== 'date')),
      )
      expect(answer.headers.get('content-type')).toBe(exchange.responseHeaders['content-type'])
      expect(Object.keys(answer.body)).toEqual(Object.keys(exchange.responseBody))
      expect(describeToken(answer.body.token!, exchange)).toEqual(describeToken(exchange.responseBody.token!, exchange))
    }
  })
})

/** What must be equal: header members, claims with their types, and the values that come from the evidence. */
function describeToken(token: string, { provider }: Exchange) {
  const [head, payload] = token.split('.').slice(0, 2).map(partOf) as [Part, Part]
  const loose = [...OF_A_RUN, ...(provider === 'shared' ? DEFAULT_POLICY : [])]
  const claims = Object.entries(payload)
    .filter(([name]) => !SINCE_THEN.includes(name))
    .map(([name, value]) => {
      if (loose.includes(name)) return [name, typeof value]
      return [name, name.endsWith('collateral') ? collateralOf(value as Record<string, string>) : value]
    })
  return { head: { ...head, kid: typeof head.kid, jku: typeof head.jku }, claims }
}

/**
 * Only the quote's hash is ours to have: Intel's collateral of July 2021 is not, it is not evaluated, and the other
 * hashes are those of nothing, in the same form.
 */
function collateralOf(hashes: Record<string, string>) {
  return Object.entries(hashes).map(([name, hash]) => {
    if (name === 'quotehash') return [name, hash]
    expect(hash).toMatch(/^[0-9a-f]{64}$/)
    return [name, 'a hash']
  })
}

type Part = Record<string, unknown>
const partOf = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString()) as Part
