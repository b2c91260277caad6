import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Clock } from '../clock.ts'
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

describe('a stock of wrapping keys between releases', () => {
  const settle = () => new Promise((resolve) => setImmediate(resolve))

  /** Keys that are made at once, and moments that pass when the test says so. */
  function world(size: number) {
    let made = 0
    const sleeping: (() => void)[] = []
    const clock: Clock = {
      now: () => 0,
      sleep: () => new Promise((resolve) => sleeping.push(resolve)),
    }
    const create = async () => ({ kid: `${++made}` }) as WrappingKey
    const keys = createWrappingKeys({ size, create, clock })
    const moment = async () => {
      sleeping.shift()?.()
      await settle()
    }
    return { keys, made: () => made, moment, sleeping }
  }

  async function filled(size: number) {
    const it = world(size)
    it.keys.fill()
    await settle()
    return it
  }

  it('is refilled when nothing has happened for a moment, not during a release', async () => {
    const { keys, made, moment } = await filled(4)
    await keys.take()
    await moment()
    await moment()
    expect(made()).toBe(4)
    keys.done()
    await moment()
    expect(made(), 'the release has ended in this moment').toBe(4)
    await moment()
    expect(made()).toBe(5)
  })

  it('is not refilled while release follows on release', async () => {
    const { keys, made, moment } = await filled(4)
    for (let at = 0; at < 3; at += 1) {
      await keys.take()
      keys.done()
      await moment()
    }
    expect(made()).toBe(4)
    await moment()
    expect(made()).toBe(7)
  })

  it('does not wait for a release that takes two seconds, or whose end nobody tells', async () => {
    const { keys, made, moment } = await filled(4)
    await keys.take()
    for (let at = 1; at < 40; at += 1) await moment()
    expect(made()).toBe(4)
    await moment()
    expect(made()).toBe(5)
  })

  it('has one key made at once when the last one is given out', async () => {
    const { keys, made } = await filled(2)
    await keys.take()
    expect(made()).toBe(2)
    await keys.take()
    await settle()
    expect(made()).toBe(3)
  })

  it('becomes as large as the largest burst, up to a bound', async () => {
    const { keys, made, moment } = await filled(2)
    const rest = async () => {
      await moment()
      await moment()
    }
    const burst = async (clients: number) => {
      await Promise.all(Array.from({ length: clients }, () => keys.take()))
      for (let at = 0; at < clients; at += 1) keys.done()
      await rest()
    }
    const stocks: number[] = []
    let taken = 0
    for (const clients of [1, 5, 3, 40]) {
      await burst(clients)
      taken += clients
      stocks.push(made() - taken)
    }
    expect(stocks).toEqual([2, 5, 5, 16])
  })

  it('does not keep a process from ending', async () => {
    const asked: unknown[] = []
    const clock: Clock = {
      now: () => 0,
      sleep: (_ms, _signal, options) => {
        asked.push(options)
        return new Promise(() => undefined)
      },
    }
    const keys = createWrappingKeys({ size: 2, clock, create: async () => ({}) as WrappingKey })
    await keys.take()
    await settle()
    expect(asked).toEqual([{ keepsAlive: false }])
  })
})
