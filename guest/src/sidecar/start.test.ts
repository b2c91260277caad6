import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { certificationOf, deviceWith, TCB } from '../testing/chip.ts'
import { stillClock } from '../testing/clock.ts'
import { type StartSidecarOptions, startSidecar } from './start.ts'

const options = (lines: string[] = []): StartSidecarOptions => ({
  port: 0,
  device: deviceWith(TCB),
  securityContext: { source: 'a test', certification: certificationOf(TCB) },
  credential: { getToken: async () => null },
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

  it('says that its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as import('node:net').AddressInfo
    await expect(startSidecar({ ...options(), port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    other.close()
  })
})
