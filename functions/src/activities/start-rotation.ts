import { randomUUID } from 'node:crypto'
import type * as df from 'durable-functions'
import { ORCHESTRATION } from '../deployment/names.ts'
import { recordOf, startOperation } from '../http/durable.ts'
import { Problem } from '../problem.ts'
import type { Pace } from '../settings.ts'

export const START_ROTATION = 'startRotation'

/**
 * Starts the rotation of one deployment; false when it is busy with something else, or gone. Repeated after its effect, it
 * finds the rotation running under the deployment's instance id and starts no second one.
 */
export async function startRotation(
  client: df.DurableClient,
  { name, pace }: { name: string; pace: Pace },
): Promise<boolean> {
  const record = await recordOf(client, name)
  if (!record) return false
  try {
    await startOperation(client, name, ORCHESTRATION.rotate, { record, pace, operation: randomUUID() })
    return true
  } catch (error) {
    if (error instanceof Problem) return false
    throw error
  }
}
