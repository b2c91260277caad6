import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { catalogueOf } from '../../emulator/src/aci/index.ts'
import { TEST_CACHE_DIRECTORY as cacheDir } from '../../emulator/src/core/test-context.ts'
import { createEmulator, type Emulator } from '../../emulator/src/emulator.ts'
import { needDevice } from '../support/need-device.ts'

/*
 * A hostile container: what it finds of the emulator that runs it. Its key reaches it by attestation or not at all.
 */

const ID =
  '/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/rg/providers/Microsoft.ContainerInstance/containerGroups'

describe.each(['in a data directory', 'in memory'])('a container of an emulator that keeps its state %s', (where) => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-test-group-'))
  const dataDir = join(folder, 'data')
  const secrets = join(folder, 'host')
  let emulator: Emulator
  beforeAll(async () => {
    mkdirSync(secrets)
    writeFileSync(join(secrets, 'Skerry.sqlite'), 'function keys')
    const images = catalogueOf([
      { repository: 'test/hostile', programs: { '/run': { command: ['/bin/sh', '-c', 'eval "$SCRIPT"'] } } },
    ])
    emulator = await createEmulator({
      cacheDir,
      images,
      hidden: [secrets],
      ...(where === 'in a data directory' && { dataDir }),
    })
    await emulator.listen()
  })
  afterAll(async () => {
    await emulator.close()
    rmSync(folder, { recursive: true })
  })

  let count = 0
  /** What the script prints when it is a container's program. */
  async function inContainer(text: string): Promise<string[]> {
    count += 1
    const id = `${ID}/hostile${count}`
    const container = {
      name: 'c',
      properties: {
        image: 'test/hostile',
        command: ['/run'],
        resources: { requests: { cpu: 1, memoryInGB: 1 } },
        environmentVariables: [{ name: 'SCRIPT', value: `${text}; echo the end; exec sleep 60` }],
      },
    }
    const properties = {
      sku: 'Confidential',
      osType: 'Linux',
      restartPolicy: 'Never',
      confidentialComputeProperties: { ccePolicy: Buffer.from('package policy\n').toString('base64') },
      containers: [container],
    }
    const { done } = await emulator.containerGroups.put(id, { location: 'westeurope', properties })
    expect(await done).toEqual({ status: 'Succeeded' })
    for (;;) {
      const lines = emulator.containerGroups.logs(id, 'c').trimEnd().split('\n')
      if (lines.at(-1) === 'the end') {
        await emulator.containerGroups.delete(id)
        return lines.slice(0, -1)
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  it('finds of its files the certificate to trust and its own security context, and nothing else', async (ctx) => {
    await needDevice(ctx)
    const { notices } = emulator
    if ((await notices()).some((notice) => /mount namespace/.test(notice))) ctx.skip((await notices()).join(' '))
    expect(readdirSync(cacheDir).length).toBeGreaterThan(0)
    const ours = where === 'in a data directory' ? dataDir : '$(dirname $SSL_CERT_FILE)'
    const found = await inContainer(`find ${ours} $UVM_SECURITY_CONTEXT_DIR ${secrets} ${cacheDir} -type f`)
    const files = [...new Set(found)].map((path) => path.split('/').at(-1))
    expect(files.toSorted()).toEqual([
      'ca.pem',
      'host-amd-cert-base64',
      'reference-info-base64',
      'security-policy-base64',
      'transparent-reference-info-base64',
    ])
    const [head] = await inContainer('head -n 1 $SSL_CERT_FILE')
    expect(head).toBe('-----BEGIN CERTIFICATE-----')
  })

  it('has none of the environment of the emulator, whatever token that holds', async (ctx) => {
    await needDevice(ctx)
    process.env.AWS_SECRET_ACCESS_KEY = 'canary'
    try {
      const names = (await inContainer('env')).map((line) => line.split('=')[0])
      expect(names).not.toContain('AWS_SECRET_ACCESS_KEY')
      expect(names).not.toContain('HOME')
    } finally {
      delete process.env.AWS_SECRET_ACCESS_KEY
    }
  })
})
