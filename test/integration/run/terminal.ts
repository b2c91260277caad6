import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'vitest'

/** A program at a terminal, and its user. */
export interface Terminal {
  type(text: string): void
  resize(rows: number, columns: number): void
  /** Resolves when the terminal has shown this after what was waited for before. Rejects when the program ends first. */
  shows(pattern: RegExp): Promise<void>
  /** What it has shown. */
  readonly shown: string
  /** The program's exit code; negative: the signal that ended it. */
  readonly ended: Promise<number | null>
  readonly child: ChildProcessWithoutNullStreams
}

const SCRIPT = fileURLToPath(new URL('terminal.py', import.meta.url))
const PYTHON = 'python3'

/** Ends a test on a machine that cannot make terminals, and says why. */
export function needTerminal(ctx: TestContext): void {
  try {
    execFileSync(PYTHON, ['-c', 'import pty'], { stdio: 'ignore' })
  } catch {
    ctx.skip('no python3 on this machine, which makes the terminal')
  }
}

export function openTerminal(command: readonly string[], env: NodeJS.ProcessEnv): Terminal {
  const child = spawn(PYTHON, [SCRIPT, '24', '80', ...command], { env })
  let shown = ''
  let from = 0
  let running = true
  const waiting = new Set<() => void>()
  const look = () => {
    for (const each of waiting) each()
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
    look()
  })
  const ended = once(child, 'close').then(([code]) => {
    running = false
    look()
    return code === null || code < 128 ? (code as number | null) : (code as number) - 256
  })
  const say = (what: object) => child.stdin.write(`${JSON.stringify(what)}\n`)
  return {
    child,
    ended,
    get shown() {
      return shown
    },
    type: (text) => say({ type: text }),
    resize: (rows, columns) => say({ size: [rows, columns] }),
    shows: (pattern) =>
      new Promise((resolve, reject) => {
        const each = () => {
          const found = pattern.exec(shown.slice(from))
          if (found === null && running) return
          waiting.delete(each)
          if (found === null) return reject(new Error(`ended without showing ${pattern}:\n${shown}`))
          from += found.index + found[0].length
          resolve()
        }
        waiting.add(each)
        each()
      }),
  }
}
