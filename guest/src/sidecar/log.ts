import { appendFileSync, closeSync, openSync } from 'node:fs'
import type { Clock } from '../clock.ts'

/** Most severe first, as logrus names them. */
export const LOG_LEVELS = ['panic', 'fatal', 'error', 'warning', 'info', 'debug', 'trace'] as const
/** From the quietest to the loudest. */
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Takes what happened, and how severe it is; never a key or a token. */
export type Log = (level: LogLevel, message: string) => void

/** Where its lines go, by level. */
export interface LogOptions {
  /** Less severe lines are left out. Default `warning`. */
  readonly level?: LogLevel
  /** Gets whole lines without their end. */
  readonly write: (line: string) => void
  readonly clock: Clock
}

/**
 * Lines as the original sidecar's users read and search them: `level=debug msg=Releasing key blob: {name}`, here with the
 * time in front. Line ends inside a message are written as blanks, so that no answer of a service can forge a line.
 */
export function createLog({ level = 'warning', write, clock }: LogOptions): Log {
  const least = LOG_LEVELS.indexOf(level)
  return (at, message) => {
    if (LOG_LEVELS.indexOf(at) > least) return
    const time = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
    write(`time="${time}" level=${at} msg=${message.replaceAll(/[\u0000-\u001f\u007f\u2028\u2029]+/g, ' ')}`)
  }
}

/**
 * Writes to a file, only for its owner to read, or to standard error when there is none. A line that the file cannot take
 * (the disk is full, its folder has gone) goes to standard error, too: no request fails for want of a log.
 * @throws an error of the file system when the file cannot be opened to begin with
 */
export function logSink(file?: string): (line: string) => void {
  const toStandardError = (line: string) => void process.stderr.write(`${line}\n`)
  if (file === undefined) return toStandardError
  closeSync(openSync(file, 'a', 0o600))
  return (line) => {
    try {
      appendFileSync(file, `${line}\n`, { mode: 0o600 })
    } catch (error) {
      toStandardError(`${line} (not in the log file: ${(error as NodeJS.ErrnoException).code})`)
    }
  }
}
