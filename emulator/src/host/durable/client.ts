import type { Clock, Random } from '../../core/index.ts'
import type { AppRuntime } from '../app/runtime.ts'
import type { HostSettings } from '../host-json.ts'
import { type EntityRequest, schedulerId } from './entity-messages.ts'
import type { HistoryEvent } from './events.ts'
import { EventType, isFinished, type PendingEvent } from './events.ts'
import type { EntityRow, Hub, Instance, InstanceFilter } from './hub.ts'
import { createInstance, executionId, refuseInstanceId } from './instances.ts'

/** What a client of the task hub can do. Each change is committed before it returns. */
export interface DurableClient {
  readonly hub: Hub
  readonly clock: Clock
  readonly settings: HostSettings
  /** Starts an instance; throws {@link ClientError}. */
  start(options: { name: string; id?: string; input: string | null; version?: string }): Instance
  status(id: string): Instance | undefined
  history(id: string): HistoryEvent[]
  raiseEvent(id: string, name: string, input: string | null): SendResult
  terminate(id: string, reason: string): SendResult
  suspend(id: string, reason: string): SendResult
  resume(id: string, reason: string): SendResult
  /** Only finished instances are removed. */
  purge(id: string): boolean
  purgeBy(filter: InstanceFilter): number
  restart(id: string, withNewId: boolean): Instance
  signalEntity(name: string, key: string, operation: string, input: string | null): void
  entity(name: string, key: string): EntityRow | undefined
  entityNames(): string[]
  urlsOf(instanceId: string, origin: string): Record<string, string>
}

export type SendResult = 'accepted' | 'unknown' | 'finished' | 'wrongState'

export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly reason: 'unknownFunction' | 'badId' | 'exists' | 'unknownInstance'

  constructor(reason: ClientError['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}

export interface DurableClientOptions {
  readonly hub: Hub
  readonly app: () => AppRuntime
  readonly clock: Clock
  readonly random: Random
  readonly settings: HostSettings
  readonly urlsOf: (instanceId: string, origin: string) => Record<string, string>
  /** Something was sent: look for work. */
  readonly pump: () => void
}

export function createDurableClient(options: DurableClientOptions): DurableClient {
  const { hub, clock, settings, pump } = options
  const namesOf = (trigger: string) =>
    options
      .app()
      .functions.filter(({ name }) => options.app().find(name, trigger) !== undefined)
      .map(({ name }) => name)

  const sendTo = (
    id: string,
    event: PendingEvent,
    allowed: (instance: Instance) => boolean = () => true,
  ): SendResult => {
    const result = hub.transaction((): SendResult => {
      const instance = hub.instance(id)
      if (instance === undefined) return 'unknown'
      if (isFinished(instance.status)) return 'finished'
      if (!allowed(instance)) return 'wrongState'
      hub.sendEvent(id, null, event, clock.now())
      return 'accepted'
    })
    pump()
    return result
  }

  const client: DurableClient = {
    hub,
    clock,
    settings,
    urlsOf: options.urlsOf,
    start({ name, id = executionId(options.random), input, version = settings.defaultVersion }) {
      const metadata = options.app().find(name, 'orchestrationTrigger')
      if (metadata === undefined) {
        const known = namesOf('orchestrationTrigger').map((known) => `'${known}'`)
        throw new ClientError(
          'unknownFunction',
          `The function '${name}' doesn't exist, is disabled, or is not an orchestrator function. Additional info: The following are the known orchestrator functions: ${known.join(', ')}.`,
        )
      }
      const refused = refuseInstanceId(id)
      if (refused !== undefined) throw new ClientError('badId', refused)
      const instance = hub.transaction(() => {
        const existing = hub.instance(id)
        if (
          existing !== undefined &&
          !isFinished(existing.status) &&
          settings.overridableExistingInstanceStates !== 'AnyState'
        ) {
          throw new ClientError(
            'exists',
            `An Orchestration instance with the status ${existing.status} already exists.`,
          )
        }
        return createInstance(options, { id, name: metadata.name, version, input, parent: null })
      })
      pump()
      return instance
    },
    status: (id) => hub.instance(id),
    history: (id) => hub.history(id),
    raiseEvent: (id, name, input) =>
      sendTo(id, { EventType: EventType.EventRaised, EventId: -1, Name: name, Input: input }),
    terminate: (id, reason) => sendTo(id, { EventType: EventType.ExecutionTerminated, EventId: -1, Input: reason }),
    suspend: (id, reason) =>
      sendTo(
        id,
        { EventType: EventType.ExecutionSuspended, EventId: -1, Reason: reason },
        ({ status }) => status !== 'Suspended',
      ),
    resume: (id, reason) =>
      sendTo(
        id,
        { EventType: EventType.ExecutionResumed, EventId: -1, Reason: reason },
        ({ status }) => status === 'Suspended',
      ),
    purge: (id) =>
      hub.transaction(() => {
        const instance = hub.instance(id)
        if (instance === undefined || !isFinished(instance.status)) return false
        hub.deleteInstance(id)
        return true
      }),
    purgeBy: (filter) =>
      hub.transaction(() => {
        const finished = hub.instances(filter).filter(({ status }) => isFinished(status))
        for (const { id } of finished) hub.deleteInstance(id)
        return finished.length
      }),
    restart(id, withNewId) {
      const earlier = hub.instance(id)
      if (earlier === undefined) throw new ClientError('unknownInstance', `An instanceId of '${id}' was not found.`)
      const { name, version } = earlier
      // continueAsNew replaces the input; what the instance was first started with is not kept beside it.
      return client.start({ name, version, input: earlier.input, ...(withNewId ? {} : { id }) })
    },
    signalEntity(name, key, operation, input) {
      if (options.app().find(name, 'entityTrigger') === undefined) {
        throw new ClientError(
          'unknownFunction',
          `The function '${name}' doesn't exist, is disabled, or is not an entity function.`,
        )
      }
      const request: EntityRequest = { op: operation, signal: true, input, id: options.random.uuid() }
      const payload = JSON.stringify(request)
      hub.send({
        kind: 'entity',
        target: schedulerId({ name, key }),
        execution: null,
        taskId: null,
        visibleAt: clock.now(),
        payload,
      })
      pump()
    },
    entity: (name, key) => hub.entity(schedulerId({ name, key })),
    entityNames: () => namesOf('entityTrigger'),
  }
  return client
}
