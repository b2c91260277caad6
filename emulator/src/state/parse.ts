import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { DEEPEST_JSON, isNestedDeeper } from '../core/json-depth.ts'
import { checkState } from './check.ts'
import type { StateDocument } from './document.ts'
import { StateError } from './error.ts'
import { LARGEST_STATE } from './limits.ts'

/**
 * Reads a state from a file. @throws StateError, or the file system's own error
 */
export function readStateFile(file: string): StateDocument {
  return parseState(readBounded(file))
}

/** JSON in UTF-8, or gzip of it (RFC 1952); the whole document is checked. @throws StateError */
export function parseState(bytes: Uint8Array): StateDocument {
  const text = new TextDecoder().decode(isGzip(bytes) ? unpack(bytes) : bytes)
  if (bytes.length > LARGEST_STATE) throw tooLarge()
  if (isNestedDeeper(text, DEEPEST_JSON)) throw new StateError(`is nested deeper than ${DEEPEST_JSON} levels`)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // The parser's message quotes what it read, which may be a key.
    throw new StateError('is neither JSON nor gzip of JSON')
  }
  return checkState(json)
}

function readBounded(file: string): Buffer {
  // Without waiting: a pipe that nobody writes to would stop the whole instance.
  const fd = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const status = fstatSync(fd)
    if (!status.isFile() && !status.isDirectory()) throw new StateError('is a device or a pipe, and not a file')
    if (status.size > LARGEST_STATE) throw tooLarge()
    return readFileSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** RFC 1952, section 2.3.1: every member starts with these two bytes, which no JSON does. */
function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b
}

function unpack(bytes: Uint8Array): Buffer {
  try {
    return gunzipSync(bytes, { maxOutputLength: LARGEST_STATE })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge()
    throw new StateError('is a damaged gzip file')
  }
}

function tooLarge(): StateError {
  return new StateError(`is larger than ${LARGEST_STATE / 2 ** 20} MiB`)
}
