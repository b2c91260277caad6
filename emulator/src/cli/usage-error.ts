import { InvalidArgumentError } from 'commander'

/** What was typed cannot be meant: exit code 2. The message names the flag. */
export class UsageError extends Error {
  readonly code = 'ERR_USAGE'
}

/** A file that a flag names and that cannot be read. */
export function unreadable(flag: string, file: string, error: unknown): UsageError {
  const { code } = error as NodeJS.ErrnoException
  return new UsageError(
    `${flag}${flag && ' '}${file}: ${code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`}`,
  )
}

/** For `--port`. */
export function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('a port is a number from 0 to 65535.')
  return port
}
