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

  it('serves who came first, and makes no more at a time than it may', async () => {
    const makers: ((key: WrappingKey) => void)[] = []
    const keys = createWrappingKeys({
      size: 1,
      parallel: 2,
      create: () => new Promise((resolve) => makers.push(resolve)),
    })
    const taken = [keys.take(), keys.take(), keys.take()]
    expect(makers).toHaveLength(2)
    for (let made = 0; made < 4; made += 1) {
      makers[made]!({ kid: `${made}` } as WrappingKey)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect((await Promise.all(taken)).map(({ kid }) => kid)).toEqual(['0', '1', '2'])
    expect(makers).toHaveLength(4)
    await expect(keys.take()).resolves.toMatchObject({ kid: '3' })
  })

  it('goes on after a key that could not be made', async () => {
    let tries = 0
    const keys = createWrappingKeys({
      parallel: 1,
      create: async () => {
        tries += 1
        if (tries === 1) throw new Error('no entropy')
        return { kid: `${tries}` } as WrappingKey
      },
    })
    const [first, second] = await Promise.allSettled([keys.take(), keys.take()])
    expect([first.status, second.status]).toEqual(['rejected', 'fulfilled'])
  })

  it('tells whoever takes a key when none can be made', async () => {
    const keys = createWrappingKeys({ create: () => Promise.reject(new Error('no entropy')) })
    keys.fill()
    await expect(keys.take()).rejects.toThrow('no entropy')
  })
})
