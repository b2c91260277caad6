import { UsageError } from './usage-error.ts'

/** What is wrong with a data directory, with the flag that named it; other errors as they are. */
export function dataError(flag: string, directory: string, error: unknown): unknown {
  const { code, path, message } = error as NodeJS.ErrnoException
  if (code === 'ERR_DATA_IN_USE') return error
  if (path?.startsWith(directory)) return new UsageError(`--data ${flag}: cannot be used as a directory (${code})`)
  if (code === 'ERR_SQLITE_ERROR') return new Error(`--data ${flag}: state.sqlite cannot be opened: ${message}`)
  return error
}

/** What is wrong with the folder of a Functions app, with the flag that named it; other errors as they are. */
export function appError(flag: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ERR_HOST_APP_NOT_FOUND') return new UsageError(`--app ${flag}: ${message}`)
  if (/^ERR_HOST_(APP|CONFIG|NOT_COVERED|SCHEDULE)/.test(code ?? '')) return new Error(`--app ${flag}: ${message}`)
  return error
}
