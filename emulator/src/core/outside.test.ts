import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { outsideFetch } from './outside.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('the way out', () => {
  it('leads to an origin that was named', async () => {
    const origin = await listen((_, response) => response.end('hello'))
    const answer = await outsideFetch([`${origin}/`])(new Request(`${origin}/any/path?of=it`))
    expect(await answer.text()).toBe('hello')
  })

  it('leads nowhere else: not to another port, name or scheme', async () => {
    let asked = 0
    const origin = await listen((_, response) => response.end(String(++asked)))
    const outside = outsideFetch(['https://attest.example', origin.replace('127.0.0.1', 'localhost')])
    for (const url of [origin, 'https://attest.example:8443/', 'http://attest.example/', 'https://a.attest.example/']) {
      await expect(outside(new Request(url))).rejects.toMatchObject({ code: 'ERR_ORIGIN_NOT_ALLOWED' })
    }
    expect(asked).toBe(0)
  })

  it('follows no redirect, not even to the same origin', async () => {
    let asked = 0
    const origin = await listen((request, response) => {
      asked += 1
      if (request.url === '/there') response.end('there')
      else response.writeHead(302, { location: '/there' }).end()
    })
    await expect(outsideFetch([origin])(new Request(`${origin}/`))).rejects.toThrow()
    expect(asked).toBe(1)
  })

  it('gives up on whoever does not answer, or does not come to an end', async () => {
    const silent = await listen(() => {})
    await expect(outsideFetch([silent], 20)(new Request(silent))).rejects.toMatchObject({ name: 'TimeoutError' })
    const endless = await listen((_, response) => response.writeHead(200).write('{'))
    const answer = await outsideFetch([endless], 50)(new Request(endless))
    await expect(answer.text()).rejects.toMatchObject({ name: 'TimeoutError' })
  })
})

describe('an origin', () => {
  it.each([
    'https://attest.example',
    'https://attest.example/',
    'https://attest.example:443',
    'HTTPS://Attest.Example:8443',
    'http://localhost:5000',
    'http://127.0.0.1:5000',
    'http://[::1]:5000',
  ])('may be %s', (origin) => {
    expect(() => outsideFetch([origin])).not.toThrow()
  })

  it.each([
    ['', 'is not an origin'],
    ['attest.example', 'is not an origin'],
    ['https://attest.example/path', 'is not an origin'],
    ['https://attest.example/?', 'is not an origin'],
    ['https://someone@attest.example', 'is not an origin'],
    ['https://*.attest.example', 'is not an origin'],
    ['file:///etc/passwd', 'is not an origin'],
    ['http://attest.example', 'must be https'],
    ['http://127.0.0.1.attest.example', 'must be https'],
    ['ftp://attest.example', 'must be https'],
  ])('is not %j', (origin, message) => {
    expect(() => outsideFetch([origin])).toThrow(message)
    expect(() => outsideFetch([origin])).toThrow(
      expect.objectContaining({ code: 'ERR_SETTINGS', setting: 'authorities' }),
    )
  })
})
