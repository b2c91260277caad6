import { systemClock } from '../core/index.ts'
import type { StateDocument } from './document.ts'

/** The collection that says, under `offsetMs`, by how many milliseconds an instance's clock is ahead of the machine's. */
export const CLOCK = 'skerry.clock'

/** As far ahead as it was; further where this machine's clock is behind the one of the export. */
export function resumedOffset({ clock }: StateDocument): number {
  return Math.max(clock.offsetMs, Date.parse(clock.time) - systemClock().now())
}
