import * as df from 'durable-functions'
import { ENTITY } from '../deployment/names.ts'

/** The names of all deployments, since Durable's client cannot list entities. Operations: `add` `{name}`, `names`. */
df.app.entity<{ names: string[] }>(ENTITY.registry, (context) => {
  const state = context.df.getState(() => ({ names: [] })) ?? { names: [] }
  const name = context.df.getInput<{ name: string }>()?.name
  if (context.df.operationName === 'add' && name !== undefined && !state.names.includes(name)) {
    context.df.setState({ names: [...state.names, name].sort() })
  }
  if (context.df.operationName === 'names') context.df.return(state.names)
})
