import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** What the system knows of a process: proc(5). Undefined where there is no /proc. */

let ticks: number | undefined

/** Processor time of all of its threads so far, in milliseconds. */
export function cpuMilliseconds(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`)
  if (stat === undefined) return undefined
  // The second field is the program's name, in parentheses, and may hold blanks. utime and stime are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return ((Number(fields[11]) + Number(fields[12])) / ticks) * 1000
}

/** Resident memory in MiB, now and at its highest. */
export function residentMiB(pid: number): { readonly now: number; readonly highest: number } | undefined {
  const status = read(`/proc/${pid}/status`)
  if (status === undefined) return undefined
  const mebibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
  return { now: mebibytes('VmRSS'), highest: mebibytes('VmHWM') }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
