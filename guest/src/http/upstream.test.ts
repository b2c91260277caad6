import { describe, expect, it } from 'vitest'
import { reasonOf, requestJson, withoutTokens } from './upstream.ts'

const answer = (body: BodyInit | null, init?: ResponseInit) => async () => new Response(body, init)
const ask = (fetch: (url: string, init?: RequestInit) => Promise<Response>) =>
  requestJson(fetch, 'MAA x', 'https://x/', {})

describe('a request to a service', () => {
  it('gives the JSON of a success', async () => {
    await expect(ask(answer('{"a":1}'))).resolves.toEqual({ a: 1 })
  })

  it('has a time limit and follows no redirect', async () => {
    const seen: (RequestInit | undefined)[] = []
    await ask(async (_url, init) => {
      seen.push(init)
      return new Response('{}')
    })
    expect(seen[0]).toMatchObject({ redirect: 'error', signal: expect.any(AbortSignal) })
  })

  it.each([
    [
      '{"error":{"code":"Forbidden","message":"no"}}',
      { upstreamCode: 'Forbidden', upstreamMessage: 'no', message: 'MAA x: 403 Forbidden: no' },
    ],
    [
      '{"error":"invalid_resource","error_description":"x"}',
      { upstreamCode: 'invalid_resource', message: 'MAA x: 403 invalid_resource' },
    ],
    ['<html>', { message: 'MAA x: 403' }],
    ['', { message: 'MAA x: 403' }],
  ])('that is refused with %s gives the service, the status and its words', async (body, expected) => {
    await expect(ask(answer(body, { status: 403 }))).rejects.toMatchObject({
      code: 'ERR_UPSTREAM_STATUS',
      status: 403,
      ...expected,
    })
  })

  it('whose answer is not JSON is refused', async () => {
    await expect(ask(answer('hello'))).rejects.toMatchObject({ code: 'ERR_UPSTREAM_BODY' })
  })

  it('whose answer is longer than a megabyte is refused', async () => {
    await expect(ask(answer('x'.repeat(1024 * 1024 + 1)))).rejects.toMatchObject({ code: 'ERR_UPSTREAM_BODY' })
  })

  it('that gets no answer gives the innermost reason', async () => {
    const failing = () =>
      Promise.reject(
        new TypeError('fetch failed', {
          cause: Object.assign(new Error('connect 10.0.0.1:443'), { code: 'ECONNREFUSED' }),
        }),
      )
    await expect(ask(failing)).rejects.toMatchObject({
      code: 'ERR_UPSTREAM_UNREACHABLE',
      message: 'MAA x: ECONNREFUSED: connect 10.0.0.1:443',
    })
  })
})

describe('what is said of an error', () => {
  it('holds no token', () => {
    expect(withoutTokens('Bearer eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln was refused')).toBe('Bearer (token) was refused')
    expect(reasonOf('eyJhbGciOiJub25lIn0.e30.')).toBe('(token)')
  })
})
