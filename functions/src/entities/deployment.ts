import * as df from 'durable-functions'
import { ENTITY } from '../deployment/names.ts'
import type { DeploymentRecord } from '../deployment/record.ts'

/** What is known of one deployment between its orchestrations. Operations: `put` (the whole record), `get`. */
df.app.entity<DeploymentRecord | null>(ENTITY.deployment, (context) => {
  if (context.df.operationName === 'put') context.df.setState(context.df.getInput<DeploymentRecord>() ?? null)
  context.df.return(context.df.getState(() => null))
})
