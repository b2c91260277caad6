import { InvalidArgumentError } from 'commander'
import { DURATION_FORMS, parseDuration } from '../core/duration.ts'

/** For an argument that another program takes as it is: it must only be one. */
export function parseDurationArgument(text: string): string {
  if (parseDuration(text, 0) === undefined) throw new InvalidArgumentError(`it must be ${DURATION_FORMS}.`)
  return text
}
