import { describe, expect, it } from 'vitest'
import { matchDidX509, parseDidX509 } from './did-x509.ts'
import type { WireError } from './errors.ts'

const BASE = 'did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s'

describe('a did:x509', () => {
  it('has an algorithm, a fingerprint and predicates', () => {
    expect(parseDidX509(`${BASE}::eku:1.3.6.1.4.1.311.76.59.1.2`)).toEqual({
      algorithm: 'sha256',
      fingerprint: 'I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s',
      predicates: [{ name: 'eku', oid: '1.3.6.1.4.1.311.76.59.1.2' }],
    })
  })

  it('has percent-encoded values, and loses its fragment', () => {
    expect(
      parseDidX509(`${BASE}::subject:CN:Contoso%20Ltd.:C:US::san:uri:https%3A%2F%2Fa.example#0`).predicates,
    ).toEqual([
      {
        name: 'subject',
        attributes: [
          ['CN', 'Contoso Ltd.'],
          ['C', 'US'],
        ],
      },
      { name: 'san', type: 'uri', value: 'https://a.example' },
    ])
  })

  it.each([
    ['did:web:a', 'prefix'],
    ['did:x509:1:sha256:AA::eku:1.2', 'prefix'],
    ['did:x509:0:sha1:AA::eku:1.2', 'algorithm'],
    ['did:x509:0:sha256:A+::eku:1.2', 'fingerprint'],
    [BASE, 'predicate'],
    [`${BASE}::key:1`, 'predicate'],
    [`${BASE}::eku:one`, 'predicate'],
    [`${BASE}::subject:CN`, 'predicate'],
    [`${BASE}::subject:CN:a:CN:b`, 'subject'],
    [`${BASE}::subject:DC:a`, 'subject'],
    [`${BASE}::san:ip:1`, 'predicate'],
    [`${BASE}::san:dns:a~b`, 'predicate'],
    [`${BASE}::eku:1.2/path`, 'path'],
    [`${BASE}::eku:1.2?query`, 'query'],
  ])('%s is refused for its %s', (did, at) => {
    expect(() => parseDidX509(did)).toThrow(expect.objectContaining({ code: 'ERR_DID_X509', at }) as WireError)
  })

  it('names no chain of one certificate', async () => {
    await expect(matchDidX509(`${BASE}::eku:1.2`, [Uint8Array.of(1)])).rejects.toMatchObject({ at: 'chain' })
  })

  it('names no chain without the certificate of its fingerprint', async () => {
    await expect(matchDidX509(`${BASE}::eku:1.2`, [Uint8Array.of(1), Uint8Array.of(2)])).rejects.toMatchObject({
      at: 'fingerprint',
    })
  })
})
