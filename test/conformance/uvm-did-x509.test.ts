import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { decodeBase64Url } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { resolveDidX509 } from '../../emulator/src/maa/evidence/did-x509.ts'

/*
 * The published test vectors of the did:x509 method (github.com/microsoft/did-x509), beside the repository if at all; and
 * what the resolver inside a utility VM answers to each, which differs from the method in six.
 */
const VECTORS = fileURLToPath(new URL('../../../shared/vectors/aci/didx509/', import.meta.url))
const present = existsSync(VECTORS)
if (!present) console.log('skipped: the did:x509 vectors are not beside this checkout (../shared/vectors/aci/didx509)')

interface DidCase {
  readonly id: string
  readonly input: { readonly did: string; readonly chain: readonly string[] }
  readonly output: { readonly document?: unknown; readonly error?: string }
}

interface Outcome {
  readonly id: string
  readonly specAccepts: boolean
  readonly agree: boolean
}

const read = <T>(file: string): T => JSON.parse(readFileSync(`${VECTORS}${file}`, 'utf8')) as T
const cases = present ? read<DidCase[]>('test-vectors.json') : []

describe.skipIf(!present)('a did:x509 resolves as published', () => {
  it.each(cases.map(({ id, input, output }) => [id, input, output] as const))(
    '%s',
    async (_, { did, chain }, wanted) => {
      const resolved = await resolveDidX509(
        did,
        chain.map((text) => decodeBase64Url(text)),
      ).then(
        (document) => ({ document }),
        (error: Error) => ({ error: error.message }),
      )
      expect(resolved).toEqual(wanted)
    },
  )

  it('all 58 of them, and to the outcomes that the method has in the list of the utility VM’s resolver', () => {
    const outcomes = read<Outcome[]>('uvm-resolver-outcomes.json')
    expect(cases).toHaveLength(58)
    const accepted = new Set(cases.flatMap(({ id, output }) => (output.error === undefined ? [id] : [])))
    expect(outcomes.map(({ id, specAccepts }) => [id, specAccepts])).toEqual(
      outcomes.map(({ id }) => [id, accepted.has(id)]),
    )
    expect(outcomes.filter(({ agree }) => !agree)).toHaveLength(6)
  })
})
