import { pointerOf } from '../core/json-pointer.ts'

/** Thrown for a seed that cannot be used, before anything of it exists. The message quotes no secret. */
export class SeedError extends Error {
  readonly code = 'ERR_SEED'
  /** JSON Pointer (RFC 6901) of the place; empty for the document as a whole. */
  readonly pointer: string
  constructor(path: readonly (string | number)[], message: string) {
    const pointer = pointerOf(path)
    super(pointer === '' ? message : `${pointer}: ${message}`)
    this.name = 'SeedError'
    this.pointer = pointer
  }
}
