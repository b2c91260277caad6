import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { KeyCache } from './context.ts'
import { directoryFiles, layeredFiles, memoryFiles, type PrivateFiles } from './private-files.ts'

const generate = promisify(generateKeyPair)

/** Keys (PKCS#8 in PEM) and small files in a directory that only this user may read. */
export function directoryKeyCache(directory: string): KeyCache {
  return keyCacheOver(directoryFiles(directory))
}

/** Keys that are gone with the process. */
export function memoryKeyCache(): KeyCache {
  return keyCacheOver(memoryFiles())
}

/**
 * The key files of one instance, where RSA keys of `fromLength` bits and more are the machine's: they take long to make. A
 * new data directory then starts as fast as an old one.
 */
export function withMachineKeys(own: PrivateFiles, machine: PrivateFiles, fromLength: number): PrivateFiles {
  return layeredFiles(own, machine, {
    shared: (name) => Number(/-rsa-(\d+)\.pem$/.exec(name)?.[1] ?? 0) >= fromLength,
    // The processor, and who measures its guests, are the machine's own.
    always: (name) => /^(psp|uvm)-/.test(name),
  })
}

export function keyCacheOver(files: PrivateFiles, certificates: PrivateFiles = files): KeyCache {
  const keys = new Map<string, Promise<KeyObject>>()
  const texts = new Map<string, Promise<string>>()

  const key = (name: string, make: () => Promise<KeyObject>) =>
    shared(keys, name, async () => {
      const kept = await files.read(`${name}.pem`)
      if (kept !== undefined) return createPrivateKey(kept)
      const made = (await make()).export({ type: 'pkcs8', format: 'pem' }) as string
      return createPrivateKey(await files.writeOnce(`${name}.pem`, made))
    })

  return {
    rsa: (name, modulusLength) =>
      key(`${name}-rsa-${modulusLength}`, async () => (await generate('rsa', { modulusLength })).privateKey),
    ec: (name, namedCurve) =>
      key(`${name}-ec-${namedCurve.toLowerCase()}`, async () => (await generate('ec', { namedCurve })).privateKey),
    file: (name, make) =>
      shared(
        texts,
        name,
        async () => (await certificates.read(name)) ?? (await certificates.writeOnce(name, await make())),
      ),
  }
}

/** Concurrent asks share one making; a failed one is forgotten, so that the next ask tries again. */
function shared<T>(pending: Map<string, Promise<T>>, name: string, make: () => Promise<T>): Promise<T> {
  const known = pending.get(name)
  if (known !== undefined) return known
  const started = make()
  pending.set(name, started)
  started.catch(() => pending.delete(name))
  return started
}
