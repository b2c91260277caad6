import { type ChildProcess, spawn } from 'node:child_process'
import { isatty } from 'node:tty'
import { EXIT, exitCodeOfSignal } from './exit-code.ts'

export interface ChildOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Passed on as descriptor 3. */
  readonly fd?: number
  /** Told in words why the program did not start. */
  readonly explain?: (message: string) => void
}

/** What a supervisor of this process sends: passed on. Those that a terminal sends reach the program by themselves. */
const FORWARDED: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT', 'SIGWINCH']
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT']

/**
 * Runs a program in the place of this one: its input, output and terminal, signals passed on.
 * @returns what the program exited with, 128 and its number for a signal, 126 or 127 when it could not be run
 */
export function runChild(command: readonly string[], options: ChildOptions): Promise<number> {
  const [program = '', ...args] = command
  return new Promise((resolve) => {
    let child: ChildProcess | undefined
    const forward = (signal: NodeJS.Signals) => void child?.kill(signal)
    const leave = () => undefined
    // Input and output may be files while a terminal still sends its signals to both.
    const onTerminal = [0, 1, 2].some((fd) => isatty(fd)) ? leave : forward
    // Before there is a program: what comes while it starts is for it, too.
    for (const signal of FORWARDED) process.on(signal, forward)
    for (const signal of FROM_TERMINAL) process.on(signal, onTerminal)
    const end = (code: number) => {
      for (const signal of FORWARDED) process.off(signal, forward)
      for (const signal of FROM_TERMINAL) process.off(signal, onTerminal)
      resolve(code)
    }
    child = spawn(program, args, {
      stdio: ['inherit', 'inherit', 'inherit', ...(options.fd === undefined ? [] : [options.fd])],
      env: { ...options.env },
    })
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (child?.pid !== undefined) return
      options.explain?.(`${program} cannot be run: ${error.code ?? error.message}`)
      end(error.code === 'ENOENT' ? EXIT.notFound : EXIT.notExecutable)
    })
    child.on('exit', (code, signal) => end(signal === null ? (code ?? EXIT.failed) : exitCodeOfSignal(signal)))
  })
}
