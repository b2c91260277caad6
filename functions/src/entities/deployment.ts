import * as df from 'durable-functions'
import { ENTITY } from '../deployment/names.ts'
import type { DeploymentRecord, Effects } from '../deployment/record.ts'

/**
 * What is known of one deployment between its orchestrations. Operations: `put` (the whole record), `learn` (effects to
 * add to it), `get`.
 */
df.app.entity<DeploymentRecord | null>(ENTITY.deployment, (context) => {
  const { operationName } = context.df
  if (operationName === 'put') context.df.setState(context.df.getInput<DeploymentRecord>() ?? null)
  const state = context.df.getState(() => null)
  if (operationName === 'learn' && state) {
    context.df.setState({ ...state, effects: { ...state.effects, ...context.df.getInput<Partial<Effects>>() } })
  }
  context.df.return(context.df.getState(() => null))
})
