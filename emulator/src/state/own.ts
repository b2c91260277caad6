import { systemClock } from '../core/index.ts'
import type { StateDocument } from './document.ts'

/*
 * What the store knows of the instance itself, in collections of its own. They are no part of an exported state, which says
 * the same in its other members.
 */

/** Under `offsetMs`: by how many milliseconds the clock is ahead of the machine's. */
export const CLOCK = 'skerry.clock'
/** Under `sown`: that a seed, or a state in its place, was put in. */
export const SEED = 'skerry.seed'

/** The collections with which an instance goes on from a state. */
export function continued(state: StateDocument): StateDocument['collections'] {
  return {
    ...state.collections,
    containerGroups: Object.fromEntries(
      Object.entries(state.collections.containerGroups ?? {}).map(([id, group]) => [id, stopped(group as object)]),
    ),
    [CLOCK]: { offsetMs: resumedOffset(state) },
    [SEED]: { sown: true },
  }
}

/** As far ahead as it was; further where this machine's clock is behind the one of the export. */
function resumedOffset({ clock }: StateDocument): number {
  return Math.max(clock.offsetMs, Date.parse(clock.time) - systemClock().now())
}

const ENDED: ReadonlySet<unknown> = new Set(['Stopped', 'Succeeded', 'Failed'])

/** The programs of a container group did not come along: it is as after its stop, and can be started. */
function stopped(group: { readonly state?: unknown; readonly ip?: unknown }): object {
  if (ENDED.has(group.state)) return group
  const { ip: _released, ...kept } = group
  return { ...kept, state: 'Stopped', provisioningState: 'Succeeded' }
}
