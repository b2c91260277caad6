import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { directoryKeyCache, keyCacheOver, memoryKeyCache, withMachineKeys } from './keys.ts'
import { directoryFiles, disposableFiles, memoryFiles } from './private-files.ts'

const MODE = 0o777

describe('the key cache', () => {
  let folder: string
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'skerry-keys-')), 'keys')
  })
  afterEach(() => rmSync(join(folder, '..'), { recursive: true }))

  it('gives the same key again, in this process and in the next one', async () => {
    const first = await directoryKeyCache(folder).ec('vcek', 'P-384')
    const again = await directoryKeyCache(folder).ec('vcek', 'P-384')
    expect(again.equals(first)).toBe(true)
  })

  it('keeps PKCS#8 in PEM that only its owner can read', async () => {
    await directoryKeyCache(folder).ec('vcek', 'P-256')
    const [name] = readdirSync(folder)
    expect(readFileSync(join(folder, name!), 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)
    expect(statSync(join(folder, name!)).mode & MODE).toBe(0o600)
    expect(statSync(folder).mode & MODE).toBe(0o700)
  })

  it('keeps keys in memory where its directory cannot be one, and says so once', async () => {
    writeFileSync(folder, 'a file')
    const reasons: string[] = []
    const cache = keyCacheOver(disposableFiles(join(folder, 'keys'), (reason) => reasons.push(reason)))
    const first = await cache.ec('vcek', 'P-384')
    expect((await cache.ec('vcek', 'P-384')).equals(first)).toBe(true)
    await cache.ec('other', 'P-384')
    expect(reasons).toEqual([`${join(folder, 'keys')} cannot be used (ENOTDIR)`])
  })

  it('makes a key once for all who ask at the same time', async () => {
    const cache = directoryKeyCache(folder)
    const [a, b] = await Promise.all([cache.rsa('signer', 2048), cache.rsa('signer', 2048)])
    expect(a).toBe(b)
  })

  it('lets the first of two processes win', async () => {
    const [a, b] = await Promise.all([
      directoryKeyCache(folder).ec('k', 'P-256'),
      directoryKeyCache(folder).ec('k', 'P-256'),
    ])
    expect(a.equals(b)).toBe(true)
    expect(readdirSync(folder)).toHaveLength(1)
  })

  it('tells keys of the same name and another kind apart', async () => {
    const cache = memoryKeyCache()
    expect((await cache.ec('k', 'P-256')).asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' })
    expect((await cache.ec('k', 'P-384')).asymmetricKeyDetails).toEqual({ namedCurve: 'secp384r1' })
  })

  it('makes a file once and keeps it', async () => {
    let made = 0
    const make = async () => `content ${++made}`
    const cache = directoryKeyCache(folder)
    expect(await Promise.all([cache.file('a.pem', make), cache.file('a.pem', make)])).toEqual([
      'content 1',
      'content 1',
    ])
    expect(await directoryKeyCache(folder).file('a.pem', make)).toBe('content 1')
  })

  it('tries again after a making that failed', async () => {
    const cache = memoryKeyCache()
    await expect(cache.file('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await cache.file('a', async () => 'now')).toBe('now')
  })

  it('cannot be led out of its directory by a name', async () => {
    await directoryKeyCache(folder).file('../../evil', async () => 'x')
    expect(readdirSync(folder)).toEqual(['%2E.%2F..%2Fevil'])
  })

  it('takes long RSA keys from the machine and short ones from the instance', async () => {
    const [own, machine] = [memoryFiles(), memoryFiles()]
    const cache = keyCacheOver(withMachineKeys(own, machine, 2048))
    await cache.rsa('k', 2048)
    await cache.ec('k', 'P-256')
    expect(await machine.names()).toEqual(['k-rsa-2048.pem'])
    expect(await own.names()).toEqual(['k-ec-p-256.pem'])
  })

  it('names of the machine’s keys those that it uses, and those of the processor', async () => {
    const machine = memoryFiles({ 'other-rsa-2048.pem': '', 'psp-ark-rsa-4096.pem': '', 'psp-note.txt': '' })
    const files = withMachineKeys(memoryFiles({ own: '' }), machine, 2048)
    await keyCacheOver(files).rsa('k', 2048)
    expect(await files.names()).toEqual(['k-rsa-2048.pem', 'own', 'psp-ark-rsa-4096.pem'])
  })

  it('prefers a long RSA key that the instance brought with it', async () => {
    const brought = memoryFiles()
    const key = await keyCacheOver(brought).rsa('k', 2048)
    await keyCacheOver(withMachineKeys(brought, memoryFiles(), 2048)).rsa('k', 2048)
    const cache = keyCacheOver(withMachineKeys(brought, memoryFiles({ 'k-rsa-2048.pem': 'not read' }), 2048))
    expect((await cache.rsa('k', 2048)).equals(key)).toBe(true)
  })
})

describe('private files', () => {
  it('name what is there, and what was removed no more', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'skerry-files-'))
    for (const files of [directoryFiles(join(folder, 'new')), memoryFiles()]) {
      expect(await files.names()).toEqual([])
      await files.write('*.b', '')
      await files.writeOnce('a', '')
      expect(await files.names()).toEqual(['*.b', 'a'])
      await files.remove('a')
      await files.remove('a')
      expect(await files.names()).toEqual(['*.b'])
    }
    rmSync(folder, { recursive: true })
  })
})
