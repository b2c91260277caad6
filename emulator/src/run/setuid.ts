import { accessSync, constants, type Stats, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { RunnerError } from './errors.ts'

const SETUID = 0o4000
const SETGID = 0o2000

/**
 * A seccomp filter of an ordinary user goes with no_new_privs: such a program would run without the privilege that it
 * relies on, and fail in its own words. Only the command itself is looked at, not what it starts.
 * @param path the program's PATH
 * @throws RunnerError ERR_SETUID_PROGRAM
 */
export function refuseSetuid(program: string, cwd: string, path: string | undefined): void {
  const found = lookUp(program, cwd, path)
  if (found === undefined) return
  const { mode, uid, gid } = found.stat
  const gains =
    ((mode & SETUID) !== 0 && uid !== process.geteuid?.()) || ((mode & SETGID) !== 0 && gid !== process.getegid?.())
  if (!gains) return
  const kind = (mode & SETUID) === 0 ? 'setgid' : 'setuid'
  const words = `${found.file} is a ${kind} program, and below the SNP device no program gains privilege (no_new_privs)`
  throw new RunnerError('ERR_SETUID_PROGRAM', `${words}: run what it would start directly`)
}

function lookUp(program: string, cwd: string, path = '/usr/local/bin:/usr/bin:/bin') {
  const files = program.includes('/') ? [program] : path.split(delimiter).map((folder) => join(folder || '.', program))
  for (const file of files.map((name) => (name.startsWith('/') ? name : join(cwd, name)))) {
    const stat = executable(file)
    if (stat !== undefined) return { file, stat }
  }
  return undefined
}

function executable(file: string): Stats | undefined {
  try {
    accessSync(file, constants.X_OK)
    const stat = statSync(file)
    return stat.isFile() ? stat : undefined
  } catch {
    return undefined
  }
}
