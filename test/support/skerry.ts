import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TEST_CACHE_HOME } from '../../emulator/src/core/test-context.ts'

/** The repository's root. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const BIN = join(ROOT, 'emulator/bin/skerry.mjs')

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A `skerry` command as a process of its own, as a person would run it. */
export interface Command {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<Ended>
  /** Resolves with the first line of standard output that matches. */
  line(pattern: RegExp): Promise<string>
}

export function skerry(args: readonly string[], env: NodeJS.ProcessEnv = process.env, cwd = ROOT): Command {
  const child = spawn(process.execPath, [BIN, ...args], { cwd, env: { ...env, NO_COLOR: '1' } })
  let stdout = ''
  let stderr = ''
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const look of waiting) look()
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    wake()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<Ended>((done) => {
    child.on('close', (code, signal) => {
      done({ code, signal, stdout, stderr })
      wake()
    })
  })
  return {
    child,
    ended,
    line: (pattern) =>
      new Promise((found, failed) => {
        const look = () => {
          const complete = stdout.slice(0, stdout.lastIndexOf('\n') + 1)
          const match = complete.split('\n').find((candidate) => pattern.test(candidate))
          if (match === undefined && child.exitCode === null && child.signalCode === null) return
          waiting.delete(look)
          if (match === undefined) failed(new Error(`ended without a line like ${pattern}:\n${stdout}\n${stderr}`))
          else found(match)
        }
        waiting.add(look)
        look()
      }),
  }
}

/** A folder that is gone after the test. */
export function temporaryFolder(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'skerry-test-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** The environment of a person of their own: nothing of this one's home, but the keys that tests keep between runs. */
export function homeIn(folder: string): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: folder, XDG_RUNTIME_DIR: folder, XDG_CACHE_HOME: TEST_CACHE_HOME }
}
