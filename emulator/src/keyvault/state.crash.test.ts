import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { manualClock } from '../core/clock.ts'
import { openStore } from '../core/store.ts'
import { createKeyState, type KeyRecord, type KeyVersion, type StoredMaterial } from './state.ts'

// A process of its own works on a store and is killed in the middle of a change: between the record of a key and the
// secret of its version. What is in the file afterwards is what the change found, or what it leaves.

const HOST = 'v.vault.azure.net'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skerry-state-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** `keys` and `version(id)` are there; the process ends itself at the `killAt`th write of `keyvault.material`. */
async function killedAfter(script: string, killAt: number): Promise<{ signal: string | null; said: string }> {
  const source = `
    import { openStore } from ${JSON.stringify(urlOf('../core/store.ts'))}
    import { manualClock } from ${JSON.stringify(urlOf('../core/clock.ts'))}
    import { createKeyState } from ${JSON.stringify(urlOf('./state.ts'))}
    const store = openStore(${JSON.stringify(join(folder, 'state.sqlite'))})
    let writes = 0
    const fatal = (collection) => {
      const count = () => { if ((writes += 1) === ${killAt}) process.kill(process.pid, 'SIGKILL') }
      return {
        ...collection,
        put(key, value) { count(); collection.put(key, value) },
        delete(key) { count(); return collection.delete(key) },
      }
    }
    const collection = (name) => name === 'keyvault.material' ? fatal(store.collection(name)) : store.collection(name)
    const keys = createKeyState({ ...store, collection }, manualClock())
    const version = (id) => ({ version: id, kty: 'oct-HSM', keyOps: [], publicJwk: {}, enabled: true, created: 0, updated: 0 })
    const add = (id) => keys.addVersion('${HOST}', 'k', version(id), { form: 'raw', data: id }, (key) => ({
      host: '${HOST}', name: 'k', exportable: false, versions: [...(key?.versions ?? []), version(id)],
    }))
    ${script}
    process.stdout.write('went on')`
  const child = spawn(process.execPath, ['-C', 'skerry-source', '--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  return await new Promise((done) => child.on('close', (_code, signal) => done({ signal, said })))
}

const urlOf = (path: string) => new URL(path, import.meta.url).href

/** Ids of the versions in the records, and of the secrets. */
function kept(): { readonly versions: string[]; readonly materials: string[] } {
  const store = openStore(join(folder, 'state.sqlite'))
  try {
    const records = store.collection<KeyRecord>('keyvault.keys').values()
    const versions = records.flatMap((key) => key.versions.map(({ version }: KeyVersion) => version))
    const materials = store.collection<StoredMaterial>('keyvault.material').values()
    return { versions, materials: materials.map(({ data }) => data) }
  } finally {
    store.close()
  }
}

describe('a process that is killed between the record of a key and its secret', () => {
  it('in a new key leaves no key', async () => {
    expect(await killedAfter('add("one")', 1)).toEqual({ signal: 'SIGKILL', said: '' })
    expect(kept()).toEqual({ versions: [], materials: [] })
  })

  it('in a new version leaves the versions before it', async () => {
    await killedAfter('add("one"); add("two"); add("three")', 3)
    expect(kept()).toEqual({ versions: ['one', 'two'], materials: ['one', 'two'] })
  })

  it('in a purge leaves all of the key', async () => {
    await killedAfter(`add("one"); add("two"); keys.purge(keys.find('${HOST}', 'k'))`, 4)
    expect(kept()).toEqual({ versions: ['one', 'two'], materials: ['one', 'two'] })
  })

  it('in a restore leaves none of it', async () => {
    const restore = `
      const key = { host: '${HOST}', name: 'k', exportable: false, versions: [version('one'), version('two')] }
      keys.restore(key, { one: { form: 'raw', data: 'one' }, two: { form: 'raw', data: 'two' } })`
    await killedAfter(restore, 2)
    expect(kept()).toEqual({ versions: [], materials: [] })
  })

  it('after it went through leaves what it did', async () => {
    expect(await killedAfter('add("one"); process.kill(process.pid, "SIGKILL")', 99)).toMatchObject({
      signal: 'SIGKILL',
    })
    expect(kept()).toEqual({ versions: ['one'], materials: ['one'] })
    const store = openStore(join(folder, 'state.sqlite'))
    const keys = createKeyState(store, manualClock())
    const key = keys.find(HOST, 'K')!
    expect(keys.material(key, key.versions[0]!)).toEqual({ form: 'raw', data: 'one' })
    store.close()
  })
})
