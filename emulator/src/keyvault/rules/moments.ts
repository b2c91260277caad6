import type { KeyRecord, KeyVersion } from '../state.ts'
import { addDuration, subtractDuration } from './duration.ts'
import { DEFAULT_NOTIFY, type LifetimeAction } from './rotation-policy.ts'

/** What time does to a key by itself. `at`: whole seconds since the epoch. */
export interface Moment {
  readonly what: 'nearExpiry' | 'expired' | 'rotate'
  readonly at: number
}

/**
 * The next thing that time does to a key, or should have done already; undefined: nothing, as long as the key stays as it
 * is. Notices are of vaults only. Of what comes at one time, notices about the old version come before the new version.
 */
export function nextMoment(key: KeyRecord, where: 'vault' | 'managedHsm', now: number): Moment | undefined {
  if (key.deleted !== undefined) return undefined
  const latest = key.versions.at(-1)!
  const notice = where === 'vault' ? noticeOf(key, latest, now) : undefined
  const at = rotationDue(key, latest)
  if (at === undefined) return notice
  return notice !== undefined && notice.at <= at ? notice : { what: 'rotate', at }
}

/**
 * When the policy has the next version made. Three kinds of keys are left alone, of which the documentation says nothing
 * certain: one that was imported, since the next version would not come from where this one did; one whose latest version
 * is disabled, since a person took it out of use (enabled again, it is due at once); and one timed before an expiry that
 * it does not have, which the documentation asks for ("Configure cryptographic key auto-rotation in Azure Key Vault").
 */
function rotationDue(key: KeyRecord, latest: KeyVersion): number | undefined {
  const { timeAfterCreate, timeBeforeExpiry } = actionOf(key, 'Rotate') ?? {}
  if (!latest.enabled || latest.imported) return undefined
  if (timeAfterCreate !== undefined) return addDuration(latest.created, timeAfterCreate)
  if (timeBeforeExpiry === undefined || latest.expires === undefined) return undefined
  return subtractDuration(latest.expires, timeBeforeExpiry)
}

function noticeOf(key: KeyRecord, latest: KeyVersion, now: number): Moment | undefined {
  const { expires, version } = latest
  if (expires === undefined) return undefined
  const { told } = key
  const said = told?.version === version && told.expires === expires ? told.what : undefined
  if (said === 'expired') return undefined
  const { timeBeforeExpiry = 'P30D' } = actionOf(key, 'Notify') ?? DEFAULT_NOTIFY
  // What has expired is not about to.
  if (said === undefined && now < expires) {
    return { what: 'nearExpiry', at: Math.min(subtractDuration(expires, timeBeforeExpiry), expires) }
  }
  return { what: 'expired', at: expires }
}

const actionOf = (key: KeyRecord, type: LifetimeAction['type']): LifetimeAction | undefined =>
  key.rotationPolicy?.lifetimeActions.find((action) => action.type === type)
