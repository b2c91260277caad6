import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type DemoOptions, runDemo } from '../../emulator/src/cli/demo/index.ts'
import { createRunner } from '../../emulator/src/run/index.ts'
import { ROOT, temporaryFolder } from '../support/skerry.ts'

// The flow on a machine where nothing can stand below the system call: no Linux, or no seccomp user notification.

const EXAMPLE = join(ROOT, 'examples', 'skr-aci')

interface Template {
  resources: { type: string; properties: { containers?: { properties: { environmentVariables?: object[] } }[] } }[]
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The example on another port: here its containers share the machine's loopback with whatever else runs. */
async function templateOnItsOwnPort(folder: string): Promise<string> {
  const template = JSON.parse(readFileSync(join(EXAMPLE, 'template.json'), 'utf8')) as Template
  const port = { name: 'Port', value: String(await freePort()) }
  for (const { properties } of template.resources) {
    for (const container of properties.containers ?? []) {
      const { environmentVariables = [] } = container.properties
      container.properties.environmentVariables = [...environmentVariables, port]
    }
  }
  const file = join(folder, 'template.json')
  writeFileSync(file, JSON.stringify(template))
  return file
}

async function demo(more: Partial<DemoOptions> = {}): Promise<{ code: number; output: string }> {
  using data = temporaryFolder()
  let output = ''
  const code = await runDemo({
    template: await templateOnItsOwnPort(data.path),
    config: join(EXAMPLE, 'importkeyconfig.json'),
    data: data.path,
    app: ROOT,
    runner: createRunner({ device: 'none' }),
    write: (text) => {
      output += text
    },
    ...more,
  })
  return { code, output }
}

describe('the flow without a device below the system call', () => {
  it('brings the key into the container all the same, and says that the device is injected in process', async () => {
    const { code, output } = await demo()
    expect(output).toContain('The device is injected in process')
    expect(output).toMatch(/other local users could reach its ports/)
    expect(output).toContain('The key reached the attested container, and nowhere else.')
    expect(new Set(output.match(/sha256=[0-9a-f]{64}/g)).size).toBe(2)
    expect(code).toBe(0)
  })

  it('keeps the key from a debuggable guest all the same', async () => {
    const { code, output } = await demo({ tamper: 'debug' })
    expect(output).toContain('x-ms-sevsnpvm-is-debuggable')
    expect(output).not.toMatch(/sha256=[0-9a-f]{64}/)
    expect(code).toBe(4)
  })
})
