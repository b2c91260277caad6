import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seedResources } from './arm/index.ts'
import { DataDirectoryInUseError } from './core/index.ts'
import { TEST_CACHE_DIRECTORY as cacheDir } from './core/test-context.ts'
import { createEmulator, type Emulator, type WireEndpoint } from './emulator.ts'

/** A program of its own, as any client is: the environment is all that leads it to the emulator. */
const SDK_CLIENT = `
import { EnvironmentCredential } from '@azure/identity'
import { KeyClient } from '@azure/keyvault-keys'
const client = new KeyClient('https://v.vault.azure.net', new EnvironmentCredential())
const created = await client.createRsaKey('wire')
const found = await client.getKey('wire', { version: created.properties.version })
console.log(found.id)
`
const FETCH_CLIENT = `
const imds = await fetch('http://169.254.169.254/metadata/THIM/amd/certification', { headers: { Metadata: 'true' } })
const maa = await fetch('https://sharedweu.weu.attest.azure.net/certs')
const elsewhere = await fetch('https://example.com').then(() => 'forwarded', () => 'refused')
console.log(imds.status, maa.status, elsewhere)
`

describe('an emulator', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-emulator-'))
  const dataDir = join(folder, 'data')
  let emulator: Emulator
  let wire: WireEndpoint
  beforeAll(async () => {
    emulator = await createEmulator({ dataDir, cacheDir })
    seedResources(emulator.context, { vaults: [{ name: 'v', resourceGroup: 'r' }] })
    wire = await emulator.listen()
  })
  afterAll(async () => {
    await emulator.close()
    rmSync(folder, { recursive: true })
  })

  /** Run from within the checkout, so that it finds the SDKs. */
  const client = async (source: string) => {
    const env = { PATH: process.env.PATH, ...wire.environment }
    const options = { cwd: import.meta.dirname, env, timeout: 20_000 }
    return (await promisify(execFile)(process.execPath, ['--input-type=module', '-e', source], options)).stdout.trim()
  }

  it('is reached by the JS SDKs through its environment alone, with resource verification on', async () => {
    expect(await client(SDK_CLIENT)).toMatch(/^https:\/\/v\.vault\.azure\.net\/keys\/wire\/[0-9a-f]{32}$/)
  })

  it('is reached by fetch under NODE_USE_ENV_PROXY, and nothing else is', async () => {
    expect(await client(FETCH_CLIENT)).toBe('200 200 refused')
  })

  it('keeps tenant, keys and certificates in its data directory, away from others', async () => {
    for (const name of ['seed.json', 'state.sqlite', 'journal.jsonl', 'authority/ca.pem']) {
      expect(statSync(join(dataDir, name)).mode & 0o777, name).toBe(0o600)
    }
  })

  it('has its data directory for itself', async () => {
    await expect(createEmulator({ dataDir, cacheDir })).rejects.toThrow(DataDirectoryInUseError)
  })

  it('names for hosts files what exists now', () => {
    expect(emulator.hostNames()).toEqual(expect.arrayContaining(['v.vault.azure.net', 'login.microsoftonline.com']))
  })

  it('is the same after a restart: tenant, administrator, authority and what was created', async () => {
    const before = { seed: emulator.context.seed, ca: wire.caPem }
    await emulator.close()
    emulator = await createEmulator({ dataDir, cacheDir })
    wire = await emulator.listen()
    expect({ seed: emulator.context.seed, ca: wire.caPem }).toEqual(before)
    expect(emulator.hostNames()).toContain('v.vault.azure.net')
  })
})

describe('an emulator in memory', () => {
  it('has a tenant of its own and leaves nothing behind', async () => {
    const first = await createEmulator({ cacheDir, seed: { subscriptionId: '11111111-1111-4111-8111-111111111111' } })
    const second = await createEmulator({ cacheDir })
    expect(first.context.seed.subscriptionId).toBe('11111111-1111-4111-8111-111111111111')
    expect(second.context.seed.tenantId).not.toBe(first.context.seed.tenantId)
    await Promise.all([first.close(), second.close()])
    expect(() => statSync(first.caFile)).toThrow('ENOENT')
    await first.close()
  })
})
