import type { DeploymentRecord } from './record.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** Whether the key version in use is old enough to be replaced. */
export function isDue(record: DeploymentRecord, nowMs: number, rotationAgeDays: number): boolean {
  if (record.phase !== 'Running' || record.keyVersionSince === undefined) return false
  return nowMs - Date.parse(record.keyVersionSince) >= rotationAgeDays * DAY_MS
}
