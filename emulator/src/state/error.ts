/** Thrown for a state file that cannot be used. The message names the place in it and quotes no value. */
export class StateError extends Error {
  readonly code = 'ERR_STATE'
  /** JSON Pointer (RFC 6901) into the document; absent where it is no document at all. */
  readonly pointer?: string
  constructor(message: string, pointer?: string) {
    super(pointer === undefined || pointer === '' ? message : `${pointer}: ${message}`)
    this.name = 'StateError'
    if (pointer !== undefined) this.pointer = pointer
  }
}

/** Thrown when an instance cannot take another state now. */
export class StateBusyError extends Error {
  readonly code = 'ERR_STATE_BUSY'
}

/** Thrown when a data directory that is to start from a state has one. */
export class StateExistsError extends Error {
  readonly code = 'ERR_STATE_EXISTS'
  constructor(dataDir: string) {
    super(`${dataDir} holds a state already; import into it to replace that one`)
  }
}

/** Thrown when the clock cannot be moved because programs of others run on its time. */
export class ClockInUseError extends Error {
  readonly code = 'ERR_CLOCK_IN_USE'
  constructor(dependents: readonly string[]) {
    super(`these run on the present time, and their own clocks would not move: ${dependents.join(', ')}`)
  }
}

/** Thrown when the clock is to be moved further than an instance can be ahead. */
export class ClockRangeError extends Error {
  readonly code = 'ERR_CLOCK_RANGE'
  constructor() {
    super('the clock of an instance may be at most a hundred years ahead')
  }
}
