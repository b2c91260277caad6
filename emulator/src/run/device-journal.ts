import type { Journal } from '../core/journal.ts'
import type { RunnerOptions } from './runner.ts'

/** Has the journal tell what keeps the programs of container groups from a report and is no answer of the firmware. */
export function deviceJournal(journal: Journal): Required<Pick<RunnerOptions, 'onFault' | 'onUnreachable'>> {
  return {
    onFault: (error) =>
      journal.write({
        service: 'psp',
        operation: 'report',
        outcome: 'failed',
        summary: `A request to the device ended with EIO: ${error instanceof Error ? error.message : String(error)}`,
      }),
    onUnreachable: ({ code, message }) =>
      journal.write({ service: 'aci', operation: 'device', outcome: 'failed', summary: message, details: { code } }),
  }
}
