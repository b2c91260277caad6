import { constants } from 'node:os'
import type { Clock } from '../core/index.ts'
import type { ConfidentialProcess } from '../run/types.ts'
import type { ContainerLog } from './log.ts'
import type { ContainerEvent, ContainerState, ContainerView, RestartPolicy } from './types.ts'

/** How long a container that was asked to end may take before it is killed. */
const GRACE_MS = 5_000
/** Back-off between restarts: none, then 10 s, doubled up to 5 min; forgotten after 10 min of running (kubelet's rule). */
const FIRST_BACK_OFF_MS = 10_000
const LONGEST_BACK_OFF_MS = 300_000
const CALM_MS = 600_000

export interface ContainerRunOptions {
  readonly clock: Clock
  readonly name: string
  readonly image: string
  readonly restartPolicy: RestartPolicy
  readonly log: ContainerLog
  /** Starts the program once; lines it writes go to `line`. */
  readonly start: (line: (text: string) => void) => Promise<ConfidentialProcess>
  /** What is shown of the container from the start, after a restart in place for one. */
  readonly view?: ContainerView
  /** Told of every change. */
  readonly changed: (view: ContainerView) => void
}

/** One container: its program, started again as the restart policy says. */
export interface ContainerRun {
  /** Resolves when the program was started the first time; rejects when it could not be. */
  readonly started: Promise<void>
  /** The exit code of the last program when it will not be started again; undefined when stopped from outside. */
  readonly ended: Promise<number | undefined>
  /** Asks the program to end, kills it when it does not; `hard` kills at once. */
  stop(hard?: boolean): Promise<void>
}

export function runContainer(options: ContainerRunOptions): ContainerRun {
  const { clock, image, restartPolicy, log, changed } = options
  const time = () => new Date(clock.now()).toISOString()
  const stopping = new AbortController()
  const started = Promise.withResolvers<void>()
  let current: ConfidentialProcess | undefined
  let view: ContainerView = options.view ?? { restartCount: 0, events: [] }

  const show = (change: Partial<ContainerView>) => {
    view = { ...view, ...change }
    changed(view)
  }
  const event = (name: string, message: string, type: ContainerEvent['type'] = 'Normal') => {
    show({ events: withEvent(view.events, { name, message, type }, time()) })
  }
  const enter = (currentState: ContainerState) => {
    const { currentState: previousState } = view
    show({ currentState, ...(previousState !== undefined && { previousState }) })
  }

  const runOnce = async (): Promise<number> => {
    log.clear()
    event('Created', 'Created container')
    const process = await options.start((text) => log.append(time(), text))
    current = process
    if (stopping.signal.aborted) process.kill('SIGKILL')
    const startTime = time()
    event('Started', 'Started container')
    enter({ state: 'Running', startTime, detailStatus: '' })
    started.resolve()
    const exitCode = exitCodeOf(await process.exit)
    current = undefined
    const detailStatus = exitCode === 0 ? 'Completed' : 'Error'
    enter({ state: 'Terminated', startTime, exitCode, finishTime: time(), detailStatus })
    return exitCode
  }

  const loop = async (): Promise<number | undefined> => {
    let backOffMs = 0
    event('Pulling', `pulling image "${image}"`)
    event('Pulled', `Successfully pulled image "${image}"`)
    for (;;) {
      const startedAt = clock.now()
      const exitCode = await runOnce()
      if (stopping.signal.aborted) return undefined
      if (restartPolicy === 'Never' || (restartPolicy === 'OnFailure' && exitCode === 0)) {
        log.shrink()
        return exitCode
      }
      if (clock.now() - startedAt >= CALM_MS) backOffMs = 0
      if (backOffMs > 0) {
        event('BackOff', 'Back-off restarting failed container', 'Warning')
        enter({ state: 'Waiting', detailStatus: 'CrashLoopBackOff' })
        await clock.sleep(backOffMs, stopping.signal).catch(() => undefined)
      }
      if (stopping.signal.aborted) return undefined
      backOffMs = Math.min(Math.max(backOffMs * 2, FIRST_BACK_OFF_MS), LONGEST_BACK_OFF_MS)
      show({ restartCount: view.restartCount + 1 })
    }
  }

  const ended = loop().catch((error: unknown) => {
    event('Failed', `Error: Failed to start container ${options.name}, Error response: ${messageOf(error)}`, 'Warning')
    enter({ state: 'Terminated', exitCode: 7147, finishTime: time(), detailStatus: 'Error' })
    started.reject(error)
    return 7147
  })
  started.promise.catch(() => undefined)

  return {
    started: started.promise,
    ended,
    async stop(hard = false) {
      if (!stopping.signal.aborted) {
        if (view.currentState?.state === 'Running') event('Killing', `Killing container ${options.name}`)
        stopping.abort()
      }
      if (hard) current?.kill('SIGKILL')
      else if (current !== undefined) await endGently(current, clock)
      await ended
      started.reject(new Error('stopped before it was started'))
    },
  }
}

async function endGently(process: ConfidentialProcess, clock: Clock): Promise<void> {
  process.kill('SIGTERM')
  const waited = new AbortController()
  const grace = clock.sleep(GRACE_MS, waited.signal).then(
    () => process.kill('SIGKILL'),
    () => undefined,
  )
  await process.exit
  waited.abort()
  await grace
}

/** Adds an event, or counts it when it is the last one again. */
export function withEvent(
  events: readonly ContainerEvent[],
  event: Pick<ContainerEvent, 'name' | 'message' | 'type'>,
  time: string,
): readonly ContainerEvent[] {
  const at = events.findIndex((known) => known.name === event.name && known.message === event.message)
  const known = events[at]
  if (known === undefined) return [...events, { count: 1, firstTimestamp: time, lastTimestamp: time, ...event }]
  return events.with(at, { ...known, count: known.count + 1, lastTimestamp: time })
}

/** As a shell writes it: 128 and the signal's number for a program that a signal ended. */
function exitCodeOf({
  code,
  signal,
}: {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal])
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
