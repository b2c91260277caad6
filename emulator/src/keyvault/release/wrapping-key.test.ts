import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { chooseWrappingKey } from './wrapping-key.ts'

const pair = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength })
const first = pair(2048)
const second = pair(2048).publicKey.export({ format: 'jwk' })
const jwk = (more: object = {}) => ({ ...first.publicKey.export({ format: 'jwk' }), kid: 'first', use: 'enc', ...more })
const choose = (...keys: unknown[]) => chooseWrappingKey({ 'x-ms-runtime': { keys } })
const wide = (bytes: number) => Buffer.alloc(bytes, 0xff).toString('base64url')
const evenModulus = () => {
  const bytes = Buffer.from(jwk().n!, 'base64url')
  bytes[bytes.length - 1]! &= 0xfe
  return bytes.toString('base64url')
}

describe('the wrapping key', () => {
  it('is the first that is fit, though others are', () => {
    const { chosen, condition } = choose(null, 'key', jwk({ use: 'sig' }), jwk(), { ...second, kid: '2', use: 'enc' })
    expect(chosen?.kid).toBe('first')
    expect(condition).toEqual({
      name: 'x-ms-runtime.keys',
      wanted: 'an RSA key for encryption of at least 2048 bits, with a kid',
      found: 'first',
      met: true,
    })
  })

  it('needs a kid: one without is passed over', () => {
    expect(
      choose(jwk({ kid: undefined }), jwk({ kid: 5 }), jwk({ kid: '' }), { ...second, kid: '2', use: 'enc' }),
    ).toMatchObject({
      chosen: { kid: '2' },
    })
  })

  it('may be of 2048 bits, 3072 or 4096', () => {
    for (const size of [2048, 3072, 4096]) {
      const { publicKey } = pair(size)
      const { chosen } = choose({ ...publicKey.export({ format: 'jwk' }), kid: 'k', key_ops: ['wrapKey', 'encrypt'] })
      expect(chosen?.key.asymmetricKeyDetails?.modulusLength).toBe(size)
    }
  })

  it('is public, whatever a token gives away', () => {
    const { chosen } = choose({ ...first.privateKey.export({ format: 'jwk' }), kid: 'k', use: 'enc' })
    expect(chosen?.key.type).toBe('public')
  })

  it.each<[string, object, string]>([
    ['few bits', { n: pair(1024).publicKey.export({ format: 'jwk' }).n }, 'has 1024 bits, fewer than 2048'],
    ['very few bits', { n: 'Aw' }, 'has 2 bits, fewer than 2048'],
    ['no bits', { n: '' }, 'has 0 bits, fewer than 2048'],
    ['too many bits', { n: wide(20_000) }, 'is larger than 8192 bits'],
    ['an even modulus', { n: evenModulus() }, 'has an even modulus'],
    ['an exponent of 0', { e: 'AA' }, 'no exponent of RSA'],
    ['an exponent of 1', { e: 'AQ' }, 'no exponent of RSA'],
    ['an exponent of 2', { e: 'Ag' }, 'no exponent of RSA'],
    ['a huge exponent', { e: wide(64) }, 'no exponent of RSA'],
    ['an exponent that is a number', { e: 65537 }, 'has no n and e that make a key'],
    ['no modulus', { n: undefined }, 'has no n and e that make a key'],
    ['a certificate that is none', { x5c: ['AAAA'] }, 'has an x5c that cannot be read'],
    ['certificates that are none', { x5c: [] }, 'has an x5c that cannot be read'],
  ])('with %s is refused, and the next one is not taken in its place', (_, more, problem) => {
    const { chosen, condition } = choose(jwk(more), { ...second, kid: '2', use: 'enc' })
    expect(chosen).toBeUndefined()
    expect(condition).toMatchObject({
      met: false,
      found: [{ kid: 'first', problem: expect.stringContaining(problem) }],
    })
    expect(condition.hint).toContain('runtime data')
  })

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'keys'],
    ['no list', { keys: { 0: jwk(), length: 1 } }],
    ['an empty list', { keys: [] }],
  ])('is not in %s', (_, runtime) => {
    expect(chooseWrappingKey({ 'x-ms-runtime': runtime })).toMatchObject({
      chosen: undefined,
      condition: { found: null, met: false },
    })
  })
})
