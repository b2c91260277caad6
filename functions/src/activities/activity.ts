import { askAzure, type Outcome } from '../azure/outcome.ts'

/**
 * An activity: a name, and one operation on Azure that is safe to repeat. Durable delivers it at least once, so each one
 * looks for its own effect before it makes one.
 */
export interface Activity<Input, Output> {
  readonly name: string
  /** A lasting refusal of Azure's is a value; what may pass is thrown, and Durable repeats it. */
  readonly run: (input: Input) => Promise<Outcome<Output>>
}

export function activity<Input, Output>(
  name: string,
  run: (input: Input) => Promise<Outcome<Output>>,
): Activity<Input, Output> {
  return { name, run: (input) => askAzure(() => run(input)) }
}
