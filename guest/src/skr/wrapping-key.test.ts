import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createWrappingKey, createWrappingKeys, type WrappingKey } from './wrapping-key.ts'

describe('a wrapping key', () => {
  it('is shown to the attestation service with its thumbprint as kid, for encryption', async () => {
    const { kid, runtimeData } = await createWrappingKey()
    const [jwk] = JSON.parse(Buffer.from(runtimeData).toString()).keys
    expect(Object.keys(jwk).sort()).toEqual(['e', 'key_ops', 'kid', 'kty', 'n'])
    expect(jwk).toMatchObject({ kty: 'RSA', e: 'AQAB', key_ops: ['encrypt'], kid })
    const canonical = `{"e":"${jwk.e}","kty":"RSA","n":"${jwk.n}"}`
    expect(kid).toBe(createHash('sha256').update(canonical).digest('base64url'))
  })
})

describe('the stock of wrapping keys', () => {
  const counted = () => {
    let made = 0
    return { made: () => made, create: async () => ({ kid: `${++made}` }) as WrappingKey }
  }

  it('gives each key once', async () => {
    const { create } = counted()
    const keys = createWrappingKeys({ size: 2, create })
    const taken = await Promise.all(Array.from({ length: 20 }, () => keys.take()))
    expect(new Set(taken.map(({ kid }) => kid)).size).toBe(20)
  })

  it('is filled ahead of the first use and not beyond its size', async () => {
    const { create, made } = counted()
    const keys = createWrappingKeys({ size: 2, create })
    keys.fill()
    await new Promise((resolve) => setImmediate(resolve))
    expect(made()).toBe(2)
    await expect(keys.take()).resolves.toMatchObject({ kid: '1' })
  })

  it('tells whoever takes a key when none can be made', async () => {
    const keys = createWrappingKeys({ create: () => Promise.reject(new Error('no entropy')) })
    keys.fill()
    await expect(keys.take()).rejects.toThrow('no entropy')
  })
})
