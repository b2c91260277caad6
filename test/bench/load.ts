import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Place, Question } from './connection.ts'
import { cpuMilliseconds } from './process-figures.ts'

export interface LoadJob {
  readonly place: Place
  readonly clients: number
  readonly warmUp: number
  readonly count: number
  readonly question: Question
}

/** Milliseconds. */
export interface LoadResult {
  readonly latencies: readonly number[]
  readonly elapsed: number
}

export interface Load extends LoadResult {
  /** Milliseconds from one answer to the next. */
  readonly each: number
  /** Milliseconds of the server's processor time for one answer; undefined where the system does not say. */
  readonly cpu: number | undefined
}

const PROCESS = fileURLToPath(new URL('./load-process.ts', import.meta.url))

/** Loads a server from a process of its own. `pid` is the server's. */
export async function load(pid: number, job: LoadJob): Promise<Load> {
  const child = fork(PROCESS, { stdio: 'inherit' })
  try {
    const ended = once(child, 'exit').then(() => {
      throw new Error('the loading process ended without a result')
    })
    ended.catch(() => undefined)
    const said = async () => (await Promise.race([once(child, 'message'), ended]))[0] as unknown
    child.send(job)
    const begin = await said()
    if (begin !== 'begin') throw new Error((begin as { error: string }).error)
    const before = cpuMilliseconds(pid)
    const result = (await said()) as LoadResult & { error?: string }
    const after = cpuMilliseconds(pid)
    if (result.error !== undefined) throw new Error(result.error)
    const cpu = before === undefined || after === undefined ? undefined : (after - before) / job.count
    return { ...result, each: result.elapsed / job.count, cpu }
  } finally {
    child.kill('SIGKILL')
  }
}
