/** A promise that settles in the same call: replay must see effects in the order of the history, never "a tick later". */
export class ShimTask {
  done = false
  failed = false
  /** The JSON text with which it completed, where there is one. */
  result: string | null = null
  #listeners: (() => void)[] = []

  settle(failed = false, result: string | null = null): void {
    if (this.done) return
    this.done = true
    this.failed = failed
    this.result = result
    const listeners = this.#listeners
    this.#listeners = []
    for (const listener of listeners) listener()
  }

  onDone(listener: () => void): void {
    if (this.done) listener()
    else this.#listeners.push(listener)
  }
}

/** A piece of the shim that waits: yields the task it waits for; returns true when what it did failed. */
export type Routine = Generator<ShimTask, boolean | undefined, undefined>

/** Drives a routine as far as its tasks allow, now and whenever one of them settles. */
export function start(routine: Routine): ShimTask {
  const whole = new ShimTask()
  const step = (): void => {
    const next = routine.next()
    if (next.done) whole.settle(next.value === true)
    else next.value.onDone(step)
  }
  step()
  return whole
}

/** Done with the first of them. */
export function anyOf(tasks: readonly ShimTask[]): ShimTask {
  const whole = new ShimTask()
  for (const task of tasks) task.onDone(() => whole.settle(task.failed))
  return whole
}

/** Done when all are, whether they failed or not. */
export function allOf(tasks: readonly ShimTask[]): ShimTask {
  const whole = new ShimTask()
  let open = tasks.length
  if (open === 0) whole.settle()
  for (const task of tasks) {
    task.onDone(() => {
      open -= 1
      if (open === 0) whole.settle(tasks.some(({ failed }) => failed))
    })
  }
  return whole
}
