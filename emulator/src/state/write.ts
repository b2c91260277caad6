import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import type { StateDocument } from './document.ts'

/** Writes a state into a file of mode 0600, whole or not at all; gzipped when its name ends in `.gz`. */
export function writeStateFile(file: string, state: StateDocument): void {
  const compact = file.endsWith('.gz')
  // Readable, and one member a line, where it may be looked at and kept under version control.
  const text = Buffer.from(compact ? JSON.stringify(state) : `${JSON.stringify(state, null, 2)}\n`)
  const beside = `${file}.${randomUUID()}`
  try {
    writeWhole(beside, compact ? gzipSync(text) : text)
    renameSync(beside, file)
  } finally {
    text.fill(0)
    rmSync(beside, { force: true })
  }
}

function writeWhole(file: string, bytes: Uint8Array): void {
  const fd = openSync(file, 'wx', 0o600)
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
