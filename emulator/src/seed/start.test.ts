import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { TEST_CACHE_DIRECTORY as cacheDir } from '../core/test-context.ts'
import { createEmulator } from '../emulator.ts'
import { DEFAULT_SEED } from './default-document.ts'
import type { SeedDocument } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'skerry-sown-'))
afterAll(() => rmSync(folder, { recursive: true }))

const TENANT = '6f8d1a4e-3b52-4c0e-9d1b-7a5e2c90f104'
const vault = (name: string): SeedDocument => ({ vaults: [{ name, resourceGroup: 'r' }] })

async function vaultsOf(options: Parameters<typeof createEmulator>[0]): Promise<string[]> {
  await using emulator = await createEmulator({ cacheDir, ...options })
  return emulator.hostNames().filter((name) => name.endsWith('.vault.azure.net'))
}

describe('an emulator that is started with a seed', () => {
  it('has its tenant and administrator, and the settings that were not given otherwise', async () => {
    const seedDocument: SeedDocument = {
      tenantId: TENANT.toUpperCase(),
      admin: { clientSecret: 'a secret of the seed' },
      settings: {
        authorities: ['http://127.0.0.1:1'],
        authorityCheck: 'atCreation',
        releasePolicy: { nesting: 'refused', coercion: 'typed' },
      },
    }
    const settings = { authorities: ['http://127.0.0.1:2'], releasePolicy: { coercion: 'canonical' } } as const
    await using emulator = await createEmulator({ cacheDir, seedDocument, settings })
    const { seed, settings: found } = emulator.context
    expect(seed).toMatchObject({ tenantId: TENANT, admin: { clientSecret: 'a secret of the seed' } })
    expect(found.authorities).toEqual(['http://127.0.0.1:2', 'http://127.0.0.1:1'])
    expect(found.releasePolicy).toMatchObject({ nesting: 'refused', coercion: 'canonical', operators: 'all' })
    expect(found.authorityCheck).toBe('atCreation')
  })

  it('gains what another seed adds to its data directory, and refuses one of another tenant', async () => {
    const dataDir = join(folder, 'gains')
    expect(await vaultsOf({ dataDir, seedDocument: { ...vault('one'), tenantId: TENANT } })).toEqual([
      'one.vault.azure.net',
    ])
    expect(await vaultsOf({ dataDir, seedDocument: vault('two') })).toEqual([
      'one.vault.azure.net',
      'two.vault.azure.net',
    ])
    const other = { tenantId: TENANT.replace('6', '7'), ...vault('three') }
    await expect(vaultsOf({ dataDir, seedDocument: other })).rejects.toThrow(
      `/tenantId: the state that is there already has ${TENANT}`,
    )
    await expect(vaultsOf({ dataDir, seedDocument: { admin: { clientSecret: 'canary' } } })).rejects.toThrow(
      '/admin/clientSecret: the state that is there already has another one',
    )
    expect(await vaultsOf({ dataDir })).toHaveLength(2)
  })

  it('gets the default only where it never had another', async () => {
    const dataDir = join(folder, 'default')
    expect(await vaultsOf({ dataDir, seedDocument: vault('mine') })).toEqual(['mine.vault.azure.net'])
    expect(await vaultsOf({ dataDir, defaultSeed: DEFAULT_SEED })).toEqual(['mine.vault.azure.net'])
    expect(await vaultsOf({ defaultSeed: DEFAULT_SEED })).toEqual(['skerry.vault.azure.net'])
  })

  it('leaves its directory as it was when the seed cannot be', async () => {
    const seedDocument: SeedDocument = { keys: [{ vault: 'nowhere', name: 'k', kty: 'EC' }] }
    const [made, found] = [join(folder, 'made'), join(folder, 'found')]
    mkdirSync(found)
    for (const dataDir of [made, found]) {
      await expect(createEmulator({ dataDir, cacheDir, seedDocument })).rejects.toThrow(/^\/keys\/0: /)
    }
    expect(existsSync(made)).toBe(false)
    expect(readdirSync(found)).toEqual([])
  })
})
