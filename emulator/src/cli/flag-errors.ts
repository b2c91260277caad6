import { ControlError } from '../control/client.ts'
import { UsageError, unreadable } from './usage-error.ts'

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

/** What is wrong with a state file, with its name; other errors as they are. */
export function stateFileError(flag: string, file: string, error: unknown): unknown {
  const { code, message, syscall } = error as NodeJS.ErrnoException
  const name = flag === '' ? file : `${flag} ${file}`
  if (code === 'ERR_STATE' || code === 'ERR_STATE_EXISTS') return new UsageError(`${name}: ${message}`)
  return syscall === undefined ? error : unreadable(flag, file, error)
}

/** What is wrong with a seed file, with the flag that named it; other errors as they are. */
export function seedFileError(file: string, error: unknown): unknown {
  const { code, message, syscall } = error as NodeJS.ErrnoException
  if (code === 'ERR_SEED') return new UsageError(`--seed ${file}: ${message}`)
  return syscall === undefined ? error : unreadable('--seed', file, error)
}

/** What an instance refused, without the request that it was, and what would help. */
export function explainRefusal(error: unknown, help: string): unknown {
  if (!(error instanceof ControlError) || error.answer === undefined) return error
  return new Error(`${error.answer.message}${error.answer.status === 409 ? `; ${help}` : ''}`)
}
