import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import * as v from 'valibot'
import { DEEPEST_JSON, isNestedDeeper } from '../core/json-depth.ts'
import { firstIssue } from '../core/json-pointer.ts'
import { checkReferences } from './check.ts'
import { SeedError } from './error.ts'
import { type SeedDocument, SeedSchema } from './schema.ts'

/** A seed whose shape and references are in order, with the files that it names. */
export interface ParsedSeed {
  readonly document: SeedDocument
  /** Texts of the files that the document names, by the place of the name (JSON Pointer). */
  readonly files: ReadonlyMap<string, string>
  /** What a person should know about it, in words. */
  readonly warnings: readonly string[]
}

/** Bytes of a seed file, and of a file that it names. */
const LARGEST_SEED = 16 * 2 ** 20
const LARGEST_NAMED_FILE = 65_536

/** @throws SeedError, or the file system's own error about the seed file itself */
export function readSeedFile(file: string): ParsedSeed {
  const { text, isPrivate } = readBounded(file, LARGEST_SEED)
  if (isNestedDeeper(text, DEEPEST_JSON)) throw new SeedError([], `is nested deeper than ${DEEPEST_JSON} levels`)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new SeedError([], `is not JSON${placeOf(error)}`)
  }
  const parsed = parseSeed(json, dirname(resolve(file)))
  const exposed = !isPrivate && holdsSecrets(parsed.document)
  return exposed ? { ...parsed, warnings: [exposure(file), ...parsed.warnings] } : parsed
}

/**
 * @param folder from where the paths in it go; absent: it may name no files
 * @throws SeedError
 */
export function parseSeed(json: unknown, folder?: string): ParsedSeed {
  if (Array.isArray(json)) throw new SeedError([], 'wanted an object')
  const result = v.safeParse(SeedSchema, json, { abortEarly: true })
  if (!result.success) {
    const { path, wanted } = firstIssue(result.issues)
    throw new SeedError(path, `wanted ${wanted}`)
  }
  const document = result.output
  const warnings: string[] = []
  const files = new Map<string, string>()
  for (const { path, file, secret } of namedFiles(document)) {
    if (folder === undefined) throw new SeedError(path, 'wanted the content: only a seed file may name other files')
    const { text, isPrivate } = readNamed(path, resolve(folder, file))
    if (secret && !isPrivate) warnings.push(exposure(file))
    files.set(keyOfPath(path), text)
  }
  checkReferences(document)
  return { document, files, warnings }
}

export const keyOfPath = (path: readonly (string | number)[]): string => path.join('/')

/** PEM (RFC 7468) is text between lines that begin like this; a path is not. */
export const isPem = (text: string): boolean => text.trimStart().startsWith('-----BEGIN ')

function namedFiles({ applications = [], keys = [] }: SeedDocument) {
  const certificates = applications.flatMap(({ certificates = [] }, at) =>
    certificates.flatMap((file, which) =>
      isPem(file) ? [] : [{ path: ['applications', at, 'certificates', which], file, secret: false }],
    ),
  )
  const imports = keys.flatMap(({ importFrom }, at) =>
    importFrom === undefined ? [] : [{ path: ['keys', at, 'importFrom'], file: importFrom, secret: true }],
  )
  return [...certificates, ...imports]
}

function readNamed(path: readonly (string | number)[], file: string) {
  try {
    return readBounded(file, LARGEST_NAMED_FILE)
  } catch (error) {
    if (error instanceof SeedError) throw new SeedError(path, `the file ${error.message}`)
    const { code } = error as NodeJS.ErrnoException
    throw new SeedError(path, code === 'ENOENT' ? 'there is no such file' : `the file cannot be read (${code})`)
  }
}

function readBounded(file: string, most: number): { readonly text: string; readonly isPrivate: boolean } {
  const fd = openSync(file, 'r')
  try {
    const { size, mode } = fstatSync(fd)
    if (size > most) throw new SeedError([], `is larger than ${most} bytes`)
    // Where a system has no such modes, they say nothing.
    const isPrivate = process.getuid === undefined || (mode & 0o077) === 0
    return { text: readFileSync(fd, 'utf8'), isPrivate }
  } finally {
    closeSync(fd)
  }
}

function holdsSecrets({ admin, applications = [], users = [] }: SeedDocument): boolean {
  return (
    admin?.clientSecret !== undefined ||
    applications.some(({ secret }) => secret !== undefined) ||
    users.some(({ password }) => password !== undefined)
  )
}

const exposure = (file: string) => `${file} holds secrets and can be read by other users of this machine (chmod 600)`

/** V8 says where, and quotes what it found there, which may be a secret. */
function placeOf(error: unknown): string {
  const [, line, column] = /\(line (\d+) column (\d+)\)/.exec((error as Error).message) ?? []
  return line === undefined ? '' : ` (line ${line}, column ${column})`
}
