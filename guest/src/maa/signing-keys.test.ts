import { describe, expect, it } from 'vitest'
import { parseEndpoint } from '../http/endpoint.ts'
import { issue } from '../testing/certificates.ts'
import { createProvider, entry, MAA } from '../testing/provider.ts'
import { createSigningKeys } from './signing-keys.ts'

const authority = parseEndpoint('authority', MAA)
const HOUR = 3_600_000

function world() {
  const provider = createProvider()
  const at = { ms: 0 }
  const clock = { now: () => at.ms, sleep: async () => undefined }
  const keys = createSigningKeys({ fetch: provider.fetch, clock })
  return { provider, at, key: (kid: string) => keys.keyOf(authority, kid), asked: provider.asked }
}

describe("a provider's keys", () => {
  it('are asked for once for all tokens of an hour', async () => {
    const { key, asked, at } = world()
    await key('a+/b=')
    at.ms = HOUR
    await key('a+/b=')
    expect(asked).toHaveLength(1)
    at.ms = HOUR + 1
    await key('a+/b=')
    expect(asked).toHaveLength(2)
  })

  it('are asked for once by tokens that come together', async () => {
    const { key, asked } = world()
    await Promise.all([1, 2, 3].map(() => key('a+/b=')))
    expect(asked).toHaveLength(1)
  })

  it('are asked for again for a key that is new', async () => {
    const { provider, key, asked, at } = world()
    await key('a+/b=')
    provider.publish(provider.entry('new'))
    at.ms = 30_000
    await expect(key('new')).resolves.toBeDefined()
    expect(asked).toHaveLength(2)
  })

  it('are not asked for by every token with a key that nobody published', async () => {
    const { key, asked, at } = world()
    await key('a+/b=')
    for (const kid of ['x', 'y', 'z']) await expect(key(kid)).rejects.toMatchObject({ code: 'ERR_TOKEN_KEY' })
    expect(asked).toHaveLength(1)
    at.ms = 30_000
    await expect(key('x')).rejects.toMatchObject({ code: 'ERR_TOKEN_KEY' })
    await expect(key('y')).rejects.toMatchObject({ code: 'ERR_TOKEN_KEY' })
    expect(asked).toHaveLength(2)
  })

  it('serve for a day while the provider is out of reach, and not longer', async () => {
    const { provider, key, at } = world()
    await key('a+/b=')
    provider.fail()
    at.ms = 24 * HOUR
    await expect(key('a+/b=')).resolves.toBeDefined()
    at.ms = 24 * HOUR + 1
    await expect(key('a+/b=')).rejects.toMatchObject({ code: 'ERR_UPSTREAM_STATUS', status: 503 })
  })

  it('cannot be had while the provider fails, which is not asked by every token', async () => {
    const { provider, key, asked, at } = world()
    provider.fail()
    for (let tries = 0; tries < 3; tries += 1) await expect(key('a+/b=')).rejects.toMatchObject({ status: 503 })
    expect(asked).toHaveLength(1)
    provider.fail(false)
    at.ms = 30_000
    await expect(key('a+/b=')).resolves.toBeDefined()
  })

  it('that are withdrawn count no more', async () => {
    const { provider, key, at } = world()
    await key('a+/b=')
    provider.publish(provider.entry('new'))
    at.ms = HOUR + 1
    await expect(key('a+/b=')).rejects.toMatchObject({ code: 'ERR_TOKEN_KEY' })
  })

  it('are those of its certificates; entries of another kind are passed over', async () => {
    const { provider, key } = world()
    const elliptic = issue({ name: 'ec' })
    provider.publish(
      entry(elliptic.der, 'ec'),
      { kid: 'none' },
      { x5c: ['!'], kid: 'bad' },
      7 as never,
      provider.entry('good'),
    )
    await expect(key('good')).resolves.toMatchObject({ type: 'public' })
    for (const kid of ['ec', 'none', 'bad']) await expect(key(kid)).rejects.toMatchObject({ code: 'ERR_TOKEN_KEY' })
  })
})
