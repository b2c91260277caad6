import * as df from 'durable-functions'
import type { Activity } from '../activities/activity.ts'
import type { Outcome } from '../azure/outcome.ts'
import { ENTITY, REGISTRY_KEY } from '../deployment/names.ts'
import type { DeploymentRecord, Effects, Operation, Phase, Removable, Step } from '../deployment/record.ts'
import type { Pace } from '../settings.ts'
import { reasonOf } from './reason.ts'

/** What a generator of ours may yield, and what it returns. */
export type Steps<T> = Generator<df.Task, T, unknown>

/** A step that failed for good; the orchestration undoes what it made and records why. */
export class StepFailed extends Error {
  readonly step: string
  readonly code: string

  constructor(step: string, code: string, reason: string) {
    super(reason)
    this.name = 'StepFailed'
    this.step = step
    this.code = code
  }
}

/** The failure as the record tells it. */
export function failureOf({ step, code, message }: StepFailed): NonNullable<DeploymentRecord['failure']> {
  return { step, code, reason: message }
}

/** What `GET /api/deployments/{name}` shows while the orchestration runs. Kept small: Durable allows 16 KB. */
export interface Progress {
  readonly operation: Operation
  readonly phase: Phase
  readonly steps: readonly Step[]
}

/**
 * The thread of one operation on a deployment: its steps with their times, what they found or made, and the record at the
 * end. Takes time from the orchestration's context only, so that every replay tells the same story.
 */
export class Story {
  readonly #context: df.OrchestrationContext
  readonly #pace: Pace
  readonly #steps: Step[] = []
  #record: DeploymentRecord

  constructor(context: df.OrchestrationContext, pace: Pace, record: DeploymentRecord) {
    this.#context = context
    this.#pace = pace
    this.#record = record
  }

  get record(): DeploymentRecord {
    return this.#record
  }

  get effects(): Effects {
    return this.#record.effects
  }

  get pace(): Pace {
    return this.#pace
  }

  /** Keeps what was found or made, in the entity too: an orchestration that is ended by hand leaves word of it. */
  learn(effects: Partial<Effects>): void {
    this.#record = { ...this.#record, effects: { ...this.#record.effects, ...effects } }
    this.#context.df.signalEntity(this.#entity, 'learn', effects)
  }

  /** Notes that something was taken away again. */
  forget(name: Removable, effects: Partial<Effects> = {}): void {
    this.learn({ ...effects, gone: [...new Set([...(this.effects.gone ?? []), name])] })
  }

  amend(change: Partial<DeploymentRecord>): void {
    this.#record = { ...this.#record, ...change }
  }

  /** Runs `work` as one step of the story; `tell` puts its result in words. */
  *step<T>(name: string, work: Steps<Outcome<T>>, tell?: (value: T) => string): Steps<T> {
    const startedAt = this.#now()
    const finish = (outcome: Step['outcome'], detail?: string) => {
      this.#steps[this.#steps.length - 1] = {
        name,
        startedAt,
        endedAt: this.#now(),
        outcome,
        ...(detail && { detail }),
      }
      this.#show()
    }
    this.#steps.push({ name, startedAt, outcome: 'running' })
    this.#show()
    let outcome: Outcome<T>
    try {
      outcome = yield* work
    } catch (error) {
      if (error instanceof StepFailed) throw error
      outcome = { ok: false, code: 'ERR_ACTIVITY', reason: reasonOf(error) }
    }
    if (!outcome.ok) {
      finish('failed', outcome.reason)
      throw new StepFailed(name, outcome.code, outcome.reason)
    }
    finish('done', tell?.(outcome.value))
    return outcome.value
  }

  /** One activity, repeated by Durable when it fails for a passing reason. */
  *call<I, O>(activity: Activity<I, O>, input: I): Steps<Outcome<O>> {
    const retry = new df.RetryOptions(Math.max(1, this.#pace.retrySeconds * 1000), 4)
    retry.backoffCoefficient = 2
    return (yield this.#context.df.callActivityWithRetry(activity.name, retry, input)) as Outcome<O>
  }

  /** Waits one poll interval on a durable timer. */
  *pause(): Steps<void> {
    const due = new Date(this.#context.df.currentUtcDateTime.getTime() + Math.max(1, this.#pace.pollSeconds * 1000))
    yield this.#context.df.createTimer(due)
  }

  /** Whether `seconds` have passed since `since` on the orchestration's clock. */
  elapsed(since: Date, seconds: number): boolean {
    return this.#context.df.currentUtcDateTime.getTime() - since.getTime() >= seconds * 1000
  }

  now(): Date {
    return this.#context.df.currentUtcDateTime
  }

  /** Writes the record into the deployment's entity, and its name into the registry. */
  *save(): Steps<void> {
    this.#record = { ...this.#record, steps: [...this.#steps], updatedAt: this.#now() }
    const { name } = this.#record.spec
    yield this.#context.df.callEntity(this.#entity, 'put', this.#record)
    yield this.#context.df.callEntity(new df.EntityId(ENTITY.registry, REGISTRY_KEY), 'add', { name })
  }

  get #entity(): df.EntityId {
    return new df.EntityId(ENTITY.deployment, this.#record.spec.name)
  }

  #now(): string {
    return this.#context.df.currentUtcDateTime.toISOString()
  }

  #show(): void {
    const progress: Progress = { operation: this.#record.operation, phase: this.#record.phase, steps: [...this.#steps] }
    this.#context.df.setCustomStatus(progress)
  }
}
