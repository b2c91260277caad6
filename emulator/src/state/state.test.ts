import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DataDirectoryInUseError } from '../core/index.ts'
import { TEST_CACHE_DIRECTORY as cacheDir } from '../core/test-context.ts'
import { createEmulator, type Emulator } from '../emulator.ts'
import type { SeedDocument } from '../seed/index.ts'
import { announceImport, importState } from './import.ts'
import { StateBusyError, type StateDocument, StateError } from './index.ts'
import { exportDirectory } from './offline.ts'
import { parseState, readStateFile } from './parse.ts'
import { writeStateFile } from './write.ts'

const folder = mkdtempSync(join(tmpdir(), 'skerry-state-'))
afterAll(() => rmSync(folder, { recursive: true }))

const seedOf = (name: string): SeedDocument => ({
  vaults: [{ name, resourceGroup: 'tests' }],
  keys: [{ vault: name, name: 'k', kty: 'EC' }],
})

async function stateOf(seedDocument: SeedDocument): Promise<StateDocument> {
  await using emulator = await createEmulator({ cacheDir, seedDocument })
  return await emulator.exportState()
}

/** Without what differs from one export to the next. */
const lasting = ({ seed, collections, files }: StateDocument) => ({ seed, collections, files })

let alpha: StateDocument
let beta: StateDocument
beforeAll(async () => {
  alpha = await stateOf(seedOf('alpha'))
  beta = await stateOf(seedOf('beta'))
})

describe('a state file', () => {
  it('is JSON or gzip by its name, of mode 0600, and comes back as it was', () => {
    for (const name of ['plain.json', 'packed.json.gz']) {
      const file = join(folder, name)
      writeStateFile(file, alpha)
      writeStateFile(file, beta)
      expect(statSync(file).mode & 0o777).toBe(0o600)
      expect(readStateFile(file)).toEqual(beta)
    }
    expect(readFileSync(join(folder, 'plain.json'), 'utf8')).toMatch(
      /^\{\n {2}"format": "skerry-state",\n {2}"version": 1,/,
    )
    expect(JSON.parse(gunzipSync(readFileSync(join(folder, 'packed.json.gz'))).toString())).toEqual(beta)
    expect(readdirSync(folder).sort()).toEqual(['packed.json.gz', 'plain.json'])
  })

  it('holds what an emulator keeps, keys included, and neither its certificate authority nor its clock’s collection', () => {
    expect(Object.keys(alpha.collections)).toEqual(
      expect.arrayContaining(['vaults', 'servicePrincipals', 'roleAssignments', 'keyvault.keys', 'keyvault.material']),
    )
    expect(Object.keys(alpha.collections)).not.toContain('skerry.clock')
    expect(Object.keys(alpha.files).some((name) => name.startsWith('psp-'))).toBe(true)
    expect(JSON.stringify(alpha)).not.toContain('intermediate')
  })
})

describe('a state that cannot be used is refused whole, with the place and what was wanted there', () => {
  const VAULT = 'alpha.vault.azure.net'
  /** The text of the document with another value at that place; undefined takes the member away. */
  const changed = (path: readonly string[], value: unknown): string => {
    const copy = structuredClone(alpha) as unknown as Record<string, unknown>
    let at = copy
    for (const name of path.slice(0, -1)) at = at[name] as Record<string, unknown>
    at[path.at(-1)!] = value
    return JSON.stringify(copy)
  }

  it.each<[string, readonly string[], unknown, RegExp]>([
    ['of another program', ['format'], 'x', /^\/format: wanted "skerry-state"/],
    ['of a later version', ['version'], 2, /^\/version: wanted 1, the version that this Skerry reads$/],
    ['with a member more', ['more'], 1, /^\/more: wanted no such member$/],
    ['without a tenant', ['seed', 'tenantId'], undefined, /^\/seed\/tenantId: wanted this member$/],
    ['with a clock behind', ['clock', 'offsetMs'], -1, /^\/clock\/offsetMs: wanted not negative$/],
    ['with a clock beyond all time', ['clock', 'offsetMs'], 1e300, /offsetMs: wanted at most a hundred years$/],
    ['with a collection that is none', ['collections', 'vaults'], 3, /^\/collections\/vaults: wanted an object$/],
    [
      'with a name no collection has',
      ['collections', '../x'],
      {},
      /^\/collections\/\.\.~1x: wanted the name of a coll/,
    ],
    [
      'with a vault of no host',
      ['collections', 'vaults', VAULT, 'host'],
      'a b',
      /host: wanted a host name in lower case$/,
    ],
    [
      'with a key of no version',
      ['collections', 'keyvault.keys', `${VAULT}/k`, 'versions'],
      [],
      /~1k\/versions: wanted at/,
    ],
    [
      'with a rotation policy that is none',
      ['collections', 'keyvault.keys', `${VAULT}/k`, 'rotationPolicy'],
      { lifetimeActions: [{ type: 'Rotate', timeAfterCreate: 'often' }], created: 0, updated: 0 },
      /rotationPolicy\/lifetimeActions\/0\/timeAfterCreate: wanted an ISO 8601 duration/,
    ],
    ['with a key of no secret', ['collections', 'keyvault.material'], {}, /~1k: wanted the material of every version/],
    [
      'with a file that leaves its folder',
      ['files', '../.ssh/id'],
      '',
      /^\/files\/\.\.~1\.ssh~1id: wanted the name of a/,
    ],
    [
      'with a key file that is none',
      ['files', 'a-rsa-2048.pem'],
      'x',
      /2048\.pem: wanted a private key: PKCS#8 in PEM$/,
    ],
    [
      'with a file too large',
      ['files', 'a.txt'],
      'x'.repeat(65_537),
      /^\/files\/a\.txt: wanted at most 65536 characters$/,
    ],
  ])('%s', (_what, path, value, message) => {
    const bytes = Buffer.from(changed(path, value))
    expect(() => parseState(bytes)).toThrow(StateError)
    expect(() => parseState(bytes)).toThrow(message)
  })

  it.each([
    ['null', /^wanted an object$/],
    ['[]', /^\/format: wanted/],
    ['"skerry-state"', /^wanted an object$/],
  ])('%s', (text, message) => {
    expect(() => parseState(Buffer.from(text))).toThrow(message)
  })

  it.each(['collections', 'files'])('with a prototype in the place of one of its %s', (member) => {
    const text = JSON.stringify(alpha).replace(`"${member}":{`, `"${member}":{"__proto__":{"length":1},`)
    expect(() => parseState(Buffer.from(text))).toThrow(/^\/\w+\/__proto__: wanted the name of a (collection|file)$/)
  })

  it('bytes that are no document', () => {
    expect(() => parseState(Buffer.from('{"seed": "canary'))).toThrow(/^is neither JSON nor gzip of JSON$/)
    expect(() => parseState(gzipSync(JSON.stringify(alpha)).subarray(0, 100))).toThrow('is a damaged gzip file')
    expect(() => parseState(Buffer.from('['.repeat(1_000_000)))).toThrow(/nested deeper/)
    expect(() => parseState(gzipSync(Buffer.alloc(257 * 2 ** 20)))).toThrow('is larger than 256 MiB')
  })
})

describe.each<[string, (name: string) => string | undefined]>([
  ['in memory', () => undefined],
  ['with a data directory', (name) => join(folder, name)],
])('a running emulator %s', (_where, dataDirOf) => {
  const start = (name: string) => {
    const dataDir = dataDirOf(name)
    return createEmulator({ cacheDir, seedDocument: seedOf('own'), ...(dataDir !== undefined && { dataDir }) })
  }
  const hasVault = (emulator: Emulator, name: string) => emulator.hostNames().includes(`${name}.vault.azure.net`)

  it('takes another state, behind the same door, with the authority that its clients trust', async () => {
    await using emulator = await start('takes')
    await using wire = await emulator.listen()
    const authority = emulator.context.authority.rootPem
    await emulator.importState(beta)
    expect(lasting(await emulator.exportState())).toEqual(lasting(beta))
    expect([hasVault(emulator, 'beta'), hasVault(emulator, 'own')]).toEqual([true, false])
    expect(emulator.context.authority.rootPem).toBe(authority)
    expect((await fetch(`${wire.url}/.skerry/status`, bearer(emulator))).status).toBe(200)
    await emulator.importState(alpha)
    expect(lasting(await emulator.exportState())).toEqual(lasting(alpha))
  })

  it('keeps its own when the other cannot be used, or while a guest runs on it', async () => {
    await using emulator = await start('keeps')
    await using wire = await emulator.listen()
    await expect(emulator.importState({ ...beta, version: 7 as 1 })).rejects.toThrow(StateError)
    const launched = await fetch(`${wire.url}/.skerry/psp/guests`, { ...bearer(emulator), method: 'POST', body: '{}' })
    const { id } = (await launched.json()) as { id: string }
    await expect(emulator.importState(beta)).rejects.toThrow(StateBusyError)
    await expect(emulator.importState(beta)).rejects.toThrow(/guest [0-9a-f]{8} \(skerry run\)/)
    await expect(emulator.advance(1000)).rejects.toMatchObject({ code: 'ERR_CLOCK_IN_USE' })
    await emulator.advance(1000, { force: true })
    expect(hasVault(emulator, 'own')).toBe(true)
    await fetch(`${wire.url}/.skerry/psp/guests/${id}`, { ...bearer(emulator), method: 'DELETE' })
    await emulator.importState(beta)
    expect(hasVault(emulator, 'beta')).toBe(true)
  })
})

const bearer = (emulator: Emulator) => ({
  headers: { authorization: `Bearer ${emulator.credential.controlToken}` },
})

describe('an import into a data directory', () => {
  const read = async (dataDir: string) => lasting(await exportDirectory(dataDir, cacheDir))

  it('makes the directory, and replaces what one holds', async () => {
    const dataDir = join(folder, 'imported')
    await importState(dataDir, alpha)
    expect(await read(dataDir)).toEqual(lasting(alpha))
    await importState(dataDir, beta)
    expect(await read(dataDir)).toEqual(lasting(beta))
    for (const name of readdirSync(join(dataDir, 'keys'))) {
      expect(statSync(join(dataDir, 'keys', name)).mode & 0o777).toBe(0o600)
    }
  })

  it('is refused while an instance has it', async () => {
    const dataDir = join(folder, 'held')
    await using _emulator = await createEmulator({ dataDir, cacheDir })
    await expect(importState(dataDir, alpha)).rejects.toThrow(DataDirectoryInUseError)
    await expect(exportDirectory(dataDir, cacheDir)).rejects.toThrow(DataDirectoryInUseError)
  })

  it('that was cut short after it was decided on is finished by whoever opens the directory next', async () => {
    const dataDir = join(folder, 'cut')
    await importState(dataDir, alpha)
    await announceImport(dataDir, beta)
    writeFileSync(join(dataDir, 'seed.json'), JSON.stringify(beta.seed))
    writeFileSync(join(dataDir, 'keys', '.half-written'), 'x')
    await using emulator = await createEmulator({ dataDir, cacheDir })
    expect(lasting(await emulator.exportState())).toEqual(lasting(beta))
    expect(existsSync(join(dataDir, 'import.json'))).toBe(false)
  })

  it('is there whole or not at all after a kill -9 at any moment', async () => {
    const dataDir = join(folder, 'killed')
    await importState(dataDir, alpha)
    const files = [alpha, beta].map((state, at) => {
      const file = join(folder, `${at}.json`)
      writeStateFile(file, state)
      return file
    })
    const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href)
    const source = `
      const { importState } = await import(${module('import.ts')})
      const { readStateFile } = await import(${module('parse.ts')})
      const states = ${JSON.stringify(files)}.map(readStateFile)
      for (let n = 0; ; n += 1) {
        await importState(${JSON.stringify(dataDir)}, states[n % 2])
        process.stdout.write('.')
      }`
    for (const wanted of [1, 2, 3, 4]) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let done = 0
      child.stdout.on('data', (dots: Buffer) => {
        done += dots.length
        if (done >= wanted) child.kill('SIGKILL')
      })
      await once(child, 'close')
      const found = await read(dataDir)
      const which = found.seed.tenantId === alpha.seed.tenantId ? alpha : beta
      expect(found).toEqual(lasting(which))
    }
  })
})
