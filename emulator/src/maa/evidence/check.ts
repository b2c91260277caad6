import { WireError } from '@skerry/guest/wire'
import type { JournalCondition } from '../../core/index.ts'

/** One check of a piece of evidence, as the journal tells it. */
export type Check = JournalCondition

/** The hint is kept only for a check that was not met. */
export function check(name: string, wanted: unknown, found: unknown, met: boolean, hint: string): Check {
  return { name, wanted, found, met, ...(!met && { hint }) }
}

/** A check that failed because something does not have its form. */
export function malformed(name: string, wanted: unknown, error: unknown, hint: string): Check {
  if (!(error instanceof WireError)) throw error
  const found = error.at === undefined || error.at === '' ? error.message : `${error.message} (${error.at})`
  return check(name, wanted, found, false, hint)
}

export function allMet(checks: readonly Check[]): boolean {
  return checks.every(({ met }) => met)
}
