import type { Clock, Random } from '../../core/index.ts'
import { executionStarted, type ParentInstance } from './events.ts'
import type { Hub, Instance } from './hub.ts'

/** An execution's id: 32 hexadecimal digits, as DurableTask.Core writes it. */
export function executionId(random: Random): string {
  return random.uuid().replaceAll('-', '')
}

/** Puts a new instance and the message that starts it. A finished one of that id is replaced. Call it in a transaction. */
export function createInstance(
  { hub, clock, random }: { readonly hub: Hub; readonly clock: Clock; readonly random: Random },
  options: {
    readonly id: string
    readonly name: string
    readonly version: string
    /** JSON text. */
    readonly input: string | null
    readonly parent: ParentInstance | null
  },
): Instance {
  const execution = executionId(random)
  const now = clock.now()
  const instance: Instance = {
    ...options,
    execution,
    status: 'Pending',
    output: null,
    customStatus: null,
    created: now,
    updated: now,
  }
  hub.deleteInstance(options.id)
  hub.putInstance(instance)
  hub.sendEvent(
    options.id,
    execution,
    executionStarted({ ...options, instanceId: options.id, executionId: execution }),
    now,
  )
  return instance
}

/** Why an instance id is refused (docs: "Orchestrator identities"); undefined: it is fine. */
export function refuseInstanceId(id: string): string | undefined {
  if (id.startsWith('@')) return 'Instance IDs must not start with "@".'
  if (id.length > 256) return 'Instance IDs must not be longer than 256 characters.'
  for (const char of id) {
    const code = char.charCodeAt(0)
    if ('/\\#?'.includes(char) || code < 0x20 || (code >= 0x7f && code <= 0x9f)) {
      return 'Instance IDs must not contain /, \\, #, ?, or control characters.'
    }
  }
  return undefined
}
