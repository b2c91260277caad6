import { createServer } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { createWrappingKeys } from '../skr/wrapping-key.ts'
import { certificationOf, deviceWith, TCB } from '../testing/chip.ts'
import { stillClock } from '../testing/clock.ts'
import { type StartSidecarOptions, startSidecar } from './start.ts'

/** One for all: most of a start is the making of these. */
const wrappingKeys = createWrappingKeys({ size: 1, parallel: 1 })

const options = (lines: string[] = []): StartSidecarOptions => ({
  port: 0,
  logLevel: 'info',
  device: deviceWith(TCB),
  securityContext: { source: 'a test', certification: certificationOf(TCB) },
  credential: { getToken: async () => null },
  wrappingKeys,
  clock: stillClock(),
  write: (line) => lines.push(line),
})

describe('a started sidecar', () => {
  it('answers on the loopback address and ends when it is stopped', async () => {
    const lines: string[] = []
    const sidecar = await startSidecar(options(lines))
    const answer = await fetch(`http://127.0.0.1:${sidecar.port}/status`)
    expect(await answer.json()).toEqual({ message: 'Status OK' })
    await sidecar.stop()
    await expect(fetch(`http://127.0.0.1:${sidecar.port}/status`)).rejects.toThrow()
    expect(lines[0]).toContain('Security context from a test')
  })

  it('gives a report through HTTP', async () => {
    await using sidecar = await startSidecar(options())
    const answer = await fetch(`http://localhost:${sidecar.port}/attest/raw`, {
      method: 'POST',
      body: '{"runtime_data":"aGVsbG8="}',
    })
    expect(((await answer.json()) as { report: string }).report).toHaveLength(2368)
  })

  it('names itself to the attestation service by what its identity says of it, once it knows', async () => {
    const agents: (string | null)[] = []
    const claims = Buffer.from('{"appid":"the-client"}').toString('base64url')
    const asked = (userAgent?: string) =>
      startSidecar({
        ...options(),
        credential: { getToken: async () => ({ token: `e30.${claims}.c2ln` }) },
        fetch: async (_url, init) => {
          agents.push(new Headers(init?.headers).get('user-agent'))
          return new Response('{"token":"a.b.c"}')
        },
        ...(userAgent && { userAgent }),
      })
    const body = JSON.stringify({ maa_endpoint: 'm.attest.azure.net', runtime_data: 'e30=' })
    for (const userAgent of [undefined, 'mine']) {
      await using sidecar = await asked(userAgent)
      const answer = await fetch(`http://localhost:${sidecar.port}/attest/maa`, { method: 'POST', body })
      expect(await answer.json()).toEqual({ token: 'a.b.c' })
    }
    expect(agents).toEqual(['ConfidentialSkrContainer client_id=the-client', 'mine'])
  })

  it('asks for certificates anew when it was told to begin with some that fit no report', async () => {
    let asked = 0
    await using sidecar = await startSidecar({
      ...options(),
      mismatchedTcb: true,
      fetch: async () => {
        asked += 1
        return Response.json(certificationOf(TCB))
      },
    })
    const answer = await fetch(`http://localhost:${sidecar.port}/attest/combined`, {
      method: 'POST',
      body: '{"runtime_data":"aGVsbG8="}',
    })
    expect(await answer.json()).toMatchObject({ endorsed_tcb: certificationOf(TCB).tcbm })
    expect(asked).toBe(1)
  })

  it('starts with certificates that nobody can read, says so, and asks for others', async () => {
    const lines: string[] = []
    const { securityContext: _, ...others } = options(lines)
    vi.stubEnv('UVM_SECURITY_CONTEXT_DIR', '/no-such-directory')
    vi.stubEnv('UVM_HOST_AMD_CERTIFICATE', 'e30=')
    try {
      await using sidecar = await startSidecar({ ...others, fetch: async () => Response.json(certificationOf(TCB)) })
      const body = '{"runtime_data":"aGVsbG8="}'
      const answer = await fetch(`http://localhost:${sidecar.port}/attest/combined`, { method: 'POST', body })
      expect(answer.status).toBe(200)
    } finally {
      vi.unstubAllEnvs()
    }
    expect(lines.join('')).toMatch(/level=warning msg=.*UVM_HOST_AMD_CERTIFICATE/)
  })

  it('asks the certificate cache that its settings name', async () => {
    const asked: string[] = []
    await using sidecar = await startSidecar({
      ...options(),
      mismatchedTcb: true,
      certCache: { endpoint_type: 'LocalTHIM', endpoint: 'thim.example/certification' },
      fetch: async (url) => {
        asked.push(url)
        return Response.json(certificationOf(TCB))
      },
    })
    const body = '{"runtime_data":"aGVsbG8="}'
    const answer = await fetch(`http://localhost:${sidecar.port}/attest/combined`, { method: 'POST', body })
    expect(answer.status).toBe(200)
    expect(asked).toEqual(['http://thim.example/certification'])
  })

  it('does not start with a certificate cache of a kind that there is not', async () => {
    const starting = startSidecar({ ...options(), certCache: { endpoint_type: 'Other', endpoint: 'x' } })
    await expect(starting).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT', field: 'certcache.endpoint_type' })
  })

  it('says that its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as import('node:net').AddressInfo
    await expect(startSidecar({ ...options(), port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    other.close()
  })
})
