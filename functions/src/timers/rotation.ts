import { randomUUID } from 'node:crypto'
import { app } from '@azure/functions'
import * as df from 'durable-functions'
import { isDue } from '../deployment/due.ts'
import { ORCHESTRATION } from '../deployment/names.ts'
import { deploymentNames, recordOf, startOperation } from '../http/durable.ts'
import { Problem } from '../problem.ts'
import { readSettings } from '../settings.ts'

/**
 * Starts a rotation for every recorded deployment whose key is due. Each is an orchestration of its own, under the
 * deployment's instance id, so that a rotation never meets an upgrade or a teardown of the same group.
 */
app.timer('rotateDueKeys', {
  schedule: '%ROTATION_SCHEDULE%',
  extraInputs: [df.input.durableClient()],
  handler: async (_timer, context) => {
    const { pace, rotationAgeDays } = readSettings()
    const client = df.getClient(context)
    for (const name of await deploymentNames(client)) {
      const record = await recordOf(client, name)
      if (!record || !isDue(record, Date.now(), rotationAgeDays)) continue
      try {
        await startOperation(client, name, ORCHESTRATION.rotate, { record, pace, operation: randomUUID() })
        context.log(`rotation of ${name} started`)
      } catch (error) {
        // One busy deployment must not hold the others back; the next sweep finds it again.
        if (!(error instanceof Problem)) throw error
        context.log(`rotation of ${name} left for the next sweep: ${error.message}`)
      }
    }
  },
})
