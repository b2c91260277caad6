import { app } from '@azure/functions'
import * as df from 'durable-functions'
import { ORCHESTRATION, SWEEP_INSTANCE_ID } from '../deployment/names.ts'
import { startOnce } from '../http/durable.ts'
import { Problem } from '../problem.ts'
import { readSettings } from '../settings.ts'

/** Sweeps over the recorded deployments and rotates what is due. One sweep at a time. */
app.timer('rotateDueKeys', {
  schedule: '%ROTATION_SCHEDULE%',
  extraInputs: [df.input.durableClient()],
  handler: async (_timer, context) => {
    const { pace, rotationAgeDays } = readSettings()
    const client = df.getClient(context)
    try {
      await startOnce(client, ORCHESTRATION.rotationSweep, SWEEP_INSTANCE_ID, { pace, rotationAgeDays }, 'The rotation')
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      context.log(`the last sweep still runs: ${error.message}`)
    }
  },
})
