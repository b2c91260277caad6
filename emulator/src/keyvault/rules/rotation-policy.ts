import { badParameter } from '../errors.ts'

/** A rotation policy as kept: durations are ISO 8601, times whole seconds. */
export interface RotationPolicy {
  readonly lifetimeActions: readonly LifetimeAction[]
  readonly expiryTime?: string
  readonly created: number
  readonly updated: number
}

export interface LifetimeAction {
  readonly type: 'Rotate' | 'Notify'
  readonly timeAfterCreate?: string
  readonly timeBeforeExpiry?: string
}

export interface WantedRotationPolicy {
  readonly lifetimeActions: readonly {
    readonly type: string
    readonly timeAfterCreate?: string | undefined
    readonly timeBeforeExpiry?: string | undefined
  }[]
  readonly expiryTime?: string | undefined
}

/** What a vault does when nobody said otherwise: a notice 30 days before expiry. It is always there. */
export const DEFAULT_NOTIFY: LifetimeAction = { type: 'Notify', timeBeforeExpiry: 'P30D' }

const DURATION = /^P(?=\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?$/

/** Settles a policy that was put: at most one of each action, exactly one trigger each, Rotate before Notify. */
export function settleRotationPolicy(
  wanted: WantedRotationPolicy,
  where: 'vault' | 'managedHsm',
  times: { readonly created: number; readonly updated: number },
): RotationPolicy {
  const actions = wanted.lifetimeActions.map((action, index) => settleAction(action, index, where))
  for (const type of ['Rotate', 'Notify'] as const) {
    if (actions.filter((action) => action.type === type).length > 1) {
      throw badParameter(`Property lifetimeActions has more than one ${type} action`)
    }
  }
  if (where === 'vault' && !actions.some((action) => action.type === 'Notify')) actions.push(DEFAULT_NOTIFY)
  actions.sort((a, b) => (a.type === b.type ? 0 : a.type === 'Rotate' ? -1 : 1))
  const { expiryTime } = wanted
  if (expiryTime !== undefined) {
    requireDuration(expiryTime, 'attributes.expiryTime')
    if (addDuration(0, expiryTime) < 28 * 86_400) {
      throw badParameter('Property attributes.expiryTime has invalid value: at least 28 days')
    }
  } else if (actions.some((action) => action.type === 'Rotate' && action.timeBeforeExpiry !== undefined)) {
    throw badParameter('Property attributes.expiryTime is required for a rotation that is timed before expiry')
  }
  return { lifetimeActions: actions, ...(expiryTime === undefined ? {} : { expiryTime }), ...times }
}

function settleAction(
  action: WantedRotationPolicy['lifetimeActions'][number],
  index: number,
  where: 'vault' | 'managedHsm',
): LifetimeAction {
  const at = `lifetimeActions[${index}]`
  const type = action.type.toLowerCase()
  if (type !== 'rotate' && type !== 'notify') throw badParameter(`Property ${at}.action.type has invalid value`)
  if (type === 'notify' && where === 'managedHsm') {
    throw badParameter(`Property ${at}.action.type has invalid value: a managed HSM does not notify`)
  }
  const { timeAfterCreate, timeBeforeExpiry } = action
  if ((timeAfterCreate === undefined) === (timeBeforeExpiry === undefined)) {
    throw badParameter(`Property ${at}.trigger must have exactly one of timeAfterCreate and timeBeforeExpiry`)
  }
  if (timeAfterCreate !== undefined) {
    if (type === 'notify') throw badParameter(`Property ${at}.trigger.timeAfterCreate is for rotation only`)
    requireDuration(timeAfterCreate, `${at}.trigger.timeAfterCreate`)
    return { type: 'Rotate', timeAfterCreate }
  }
  requireDuration(timeBeforeExpiry!, `${at}.trigger.timeBeforeExpiry`)
  return { type: type === 'rotate' ? 'Rotate' : 'Notify', timeBeforeExpiry: timeBeforeExpiry! }
}

function requireDuration(text: string, field: string): void {
  if (!DURATION.test(text)) throw badParameter(`Property ${field} is not an ISO 8601 duration of days, months or years`)
}

/** `seconds` since the epoch plus an ISO 8601 duration; years and months by the calendar, in UTC. */
export function addDuration(seconds: number, duration: string): number {
  const [, years = '0', months = '0', weeks = '0', days = '0'] = DURATION.exec(duration) ?? []
  const date = new Date(seconds * 1000)
  date.setUTCMonth(date.getUTCMonth() + Number(years) * 12 + Number(months))
  return Math.floor(date.getTime() / 1000) + (Number(weeks) * 7 + Number(days)) * 86_400
}
