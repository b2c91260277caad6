import * as df from 'durable-functions'
import { ORCHESTRATION } from '../deployment/names.ts'
import type { DeploymentRecord } from '../deployment/record.ts'
import type { Pace } from '../settings.ts'
import { failureOf, StepFailed, type Steps, Story } from './story.ts'
import { undo } from './undo.ts'

export interface TeardownInput {
  readonly record: DeploymentRecord
  readonly pace: Pace
  /** Purge the key too, for good. Default: it stays soft-deleted. */
  readonly purge: boolean
}

/** Group, key, role and identity, in that order, as far as the deployment made them; the record says what is left. */
export function* teardown(context: df.OrchestrationContext): Steps<{ phase: string }> {
  const { record, pace, purge } = context.df.getInput<TeardownInput>()!
  const { failure: _earlier, ...kept } = record
  const story = new Story(context, pace, { ...kept, phase: 'Deleting', operation: 'teardown' })
  yield* story.save()
  try {
    const remains = yield* undo(story, { purge })
    story.amend({ phase: 'Deleted', remains })
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error
    story.amend({ phase: 'Failed', failure: failureOf(error) })
  }
  yield* story.save()
  return { phase: story.record.phase }
}

df.app.orchestration(ORCHESTRATION.teardown, teardown)
