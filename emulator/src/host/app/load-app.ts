import { existsSync, globSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { HostError, messageOf } from '../errors.ts'

interface PackageJson {
  readonly main?: string
  readonly type?: string
}

/** The files that `main` of the app's package.json names; it may be a glob, whose matches load in order. */
export function entryFiles(appDir: string): string[] {
  const manifest = join(appDir, 'package.json')
  if (!existsSync(manifest))
    throw new HostError('ERR_HOST_APP_NOT_FOUND', `no package.json in the app's folder ${appDir}`)
  const { main } = readManifest(manifest)
  if (typeof main !== 'string' || main === '') {
    throw new HostError(
      'ERR_HOST_APP_NOT_FOUND',
      `${manifest} has no "main": it names the file (or glob) that registers the functions`,
    )
  }
  const exact = resolve(appDir, main)
  if (existsSync(exact)) return [exact]
  const files = globSync(main, { cwd: appDir })
    .sort()
    .map((file) => resolve(appDir, file))
  if (files.length === 0) {
    throw new HostError(
      'ERR_HOST_APP_NOT_FOUND',
      `"main" of ${manifest} is ${JSON.stringify(main)}, and no file matches it (is the app built?)`,
    )
  }
  return files
}

/** Loads one file as Azure's worker does: `import` for an ES module, `require` otherwise. */
export async function loadEntry(file: string, appDir: string): Promise<void> {
  try {
    if (isEsModule(file, appDir)) await import(pathToFileURL(file).href)
    else createRequire(file)(file)
  } catch (error) {
    const told = error instanceof Error && error.stack !== undefined ? error.stack : messageOf(error)
    throw new HostError('ERR_HOST_APP_LOAD', `the app failed to load ${file}: ${told}`, {
      cause: error,
    })
  }
}

function isEsModule(file: string, appDir: string): boolean {
  const extension = extname(file)
  if (extension === '.mjs' || extension === '.mts') return true
  if (extension === '.cjs' || extension === '.cts') return false
  return readManifest(join(appDir, 'package.json')).type === 'module'
}

function readManifest(file: string): PackageJson {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as PackageJson
  } catch (error) {
    throw new HostError('ERR_HOST_APP_NOT_FOUND', `${file} is not JSON: ${messageOf(error)}`)
  }
}
