import * as v from 'valibot'
import { RunnerError } from '../errors.ts'

/**
 * What a runtime leaves at `listenerPath` (OCI runtime-spec, "Container process state"): JSON, and beside it the
 * descriptors that `fds` names, in that order.
 */
const State = v.object({
  ociVersion: v.string(),
  fds: v.array(v.string()),
  /** Of the container's process, as the runtime's PID namespace counts. */
  pid: v.pipe(v.number(), v.integer()),
  metadata: v.optional(v.string(), ''),
  state: v.object({ id: v.string(), status: v.string(), bundle: v.optional(v.string(), '') }),
})

export interface ContainerState {
  readonly id: string
  readonly pid: number
  readonly metadata: string
  /** Where in the list of descriptors the seccomp listener is. */
  readonly listenerAt: number
}

/** @throws RunnerError ERR_CONTAINER_STATE: the message says what is missing */
export function parseContainerState(text: string): ContainerState {
  const parsed = v.safeParse(State, json(text))
  if (!parsed.success) {
    throw new RunnerError(
      'ERR_CONTAINER_STATE',
      `a runtime's container process state is none: ${v.summarize(parsed.issues)}`,
    )
  }
  const { fds, pid, metadata, state } = parsed.output
  const listenerAt = fds.indexOf('seccompFd')
  if (listenerAt < 0) {
    throw new RunnerError('ERR_CONTAINER_STATE', `the state of container ${state.id} names no seccompFd among its fds`)
  }
  return { id: state.id, pid, metadata, listenerAt }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
