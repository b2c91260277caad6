import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http'
import { createServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CertificateAuthority } from '../core/index.ts'
import { createTestContext } from '../core/test-context.ts'
import { startTestHost, type TestHost } from './testing/test-host.ts'

const HOST = 'contoso.vault.azure.net'

describe('the network of a hosted app', () => {
  let authority: CertificateAuthority
  let server: Server
  let proxy: Server
  const asked: string[] = []
  const hosts: TestHost[] = []
  const portOf = (of: Server) => (of.address() as AddressInfo).port

  beforeAll(async () => {
    authority = createTestContext().ctx.authority
    server = createServer(await authority.tlsFor(HOST), (_request, response) => response.end('from the vault'))
    // Ends every tunnel at that server, whatever host is asked for: what the emulator's proxy does.
    proxy = createHttpServer().on('connect', (request: IncomingMessage, socket: Socket) => {
      asked.push(request.url ?? '')
      const upstream = connect(portOf(server), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        socket.pipe(upstream).pipe(socket)
      })
      for (const end of [socket, upstream]) end.on('error', () => socket.destroy())
    })
    for (const listener of [server, proxy])
      await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  })
  afterAll(async () => {
    for (const { host } of hosts) await host.stop()
    for (const listener of [server, proxy]) {
      listener.close()
      listener.closeAllConnections()
    }
  })

  const fetchFromApp = async (test: TestHost, url: string) => {
    hosts.push(test)
    return await (await test.fetch('/api/fetch', { method: 'POST', body: url })).json()
  }
  const proxied = () => ({ HTTPS_PROXY: `http://user:secret@127.0.0.1:${portOf(proxy)}`, NODE_USE_ENV_PROXY: '1' })

  it('goes through the proxy of its environment, and trusts the authority that it was given', async () => {
    const test = await startTestHost({ env: proxied(), caPem: authority.rootPem })
    expect(await fetchFromApp(test, `https://${HOST}/keys`)).toEqual({ status: 200, body: 'from the vault' })
    expect(asked).toEqual([`${HOST}:443`])
  })

  it('reaches its own host without the proxy', async () => {
    const test = await startTestHost({ env: { ...proxied(), HTTP_PROXY: proxied().HTTPS_PROXY } })
    expect(await test.client('startNew', 'Fan', { instanceId: 'direct' })).toBe('direct')
    expect(await fetchFromApp(test, `${test.host.url}/api/silent`)).toMatchObject({ status: 204 })
  })

  it('does not trust an authority that nobody gave', async () => {
    const test = await startTestHost({ env: proxied() })
    expect(await fetchFromApp(test, `https://${HOST}/keys`)).toEqual({
      failed: expect.stringMatching(/CERT|SELF_SIGNED|ISSUER/),
    })
  })
})
