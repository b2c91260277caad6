import { badParameter } from '../errors.ts'
import { daysOf, readDuration } from './duration.ts'

/** A rotation policy as kept: durations are ISO 8601 in the form they were given, times whole seconds. */
export interface RotationPolicy {
  readonly lifetimeActions: readonly LifetimeAction[]
  /** How long after its creation a rotated version expires. */
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

/**
 * In days, of "Configure cryptographic key auto-rotation in Azure Key Vault" and its counterpart for Managed HSM. On both
 * an automatic rotation leaves every version `interval` days before the next; `beforeExpiry` is the least that a version
 * must have left when a vault makes the next one.
 */
const LEAST = {
  vault: { interval: 7, beforeExpiry: 7, expiryTime: 28 },
  managedHsm: { interval: 28, beforeExpiry: 0, expiryTime: 28 },
} as const

/**
 * Settles a policy that was put: at most one of each action, exactly one trigger each, Rotate before Notify, a notice
 * always on a vault and never on a managed HSM.
 * @throws KeyVaultError 400 `BadParameter` that names the member; Azure's own words for it are not known
 */
export function settleRotationPolicy(
  wanted: WantedRotationPolicy,
  where: 'vault' | 'managedHsm',
  times: { readonly created: number; readonly updated: number },
): RotationPolicy {
  const { expiryTime } = wanted
  if (expiryTime !== undefined) {
    requireDuration(expiryTime, 'attributes.expiryTime')
    requireDays('attributes.expiryTime', daysOf(expiryTime), LEAST[where].expiryTime, '')
  }
  const actions = wanted.lifetimeActions.map((action, index) => settleAction(action, index, where, expiryTime))
  for (const type of ['Rotate', 'Notify'] as const) {
    if (actions.filter((action) => action.type === type).length > 1) {
      throw badParameter(`Property lifetimeActions has more than one ${type} action`)
    }
  }
  if (where === 'vault' && !actions.some((action) => action.type === 'Notify')) actions.push(DEFAULT_NOTIFY)
  actions.sort((a, b) => (a.type === b.type ? 0 : a.type === 'Rotate' ? -1 : 1))
  return { lifetimeActions: actions, ...(expiryTime === undefined ? {} : { expiryTime }), ...times }
}

function settleAction(
  action: WantedRotationPolicy['lifetimeActions'][number],
  index: number,
  where: 'vault' | 'managedHsm',
  expiryTime: string | undefined,
): LifetimeAction {
  const at = `lifetimeActions[${index}]`
  const type = action.type.toLowerCase()
  if (type !== 'rotate' && type !== 'notify') throw badParameter(`Property ${at}.action.type has invalid value`)
  if (type === 'notify' && where === 'managedHsm') {
    throw badParameter(`Property ${at}.action.type has invalid value: a managed HSM does not notify`)
  }
  // Templates of Microsoft's own leave the other trigger empty.
  const timeAfterCreate = action.timeAfterCreate || undefined
  const timeBeforeExpiry = action.timeBeforeExpiry || undefined
  if (timeAfterCreate !== undefined && timeBeforeExpiry === undefined) {
    const field = `${at}.trigger.timeAfterCreate`
    if (type === 'notify') throw badParameter(`Property ${field} is for rotation only`)
    requireDuration(timeAfterCreate, field)
    requireAfterCreate(field, daysOf(timeAfterCreate), where, expiryTime)
    return { type: 'Rotate', timeAfterCreate }
  }
  if (timeBeforeExpiry !== undefined && timeAfterCreate === undefined) {
    const field = `${at}.trigger.timeBeforeExpiry`
    requireDuration(timeBeforeExpiry, field)
    if (type === 'notify') return { type: 'Notify', timeBeforeExpiry }
    requireBeforeExpiry(field, daysOf(timeBeforeExpiry), where, expiryTime)
    return { type: 'Rotate', timeBeforeExpiry }
  }
  throw badParameter(`Property ${at}.trigger must have exactly one of timeAfterCreate and timeBeforeExpiry`)
}

function requireAfterCreate(field: string, days: number, where: keyof typeof LEAST, expiryTime?: string): void {
  const { interval, beforeExpiry } = LEAST[where]
  requireDays(field, days, interval, ' after creation')
  if (expiryTime !== undefined && beforeExpiry > 0) {
    requireDays(field, daysOf(expiryTime) - days, beforeExpiry, ' before attributes.expiryTime is over')
  }
}

function requireBeforeExpiry(field: string, days: number, where: keyof typeof LEAST, expiryTime?: string): void {
  if (expiryTime === undefined) {
    throw badParameter('Property attributes.expiryTime is required for a rotation that is timed before expiry')
  }
  const { interval, beforeExpiry } = LEAST[where]
  requireDays(field, days, beforeExpiry, ' before expiry')
  requireDays(field, daysOf(expiryTime) - days, interval, ' after creation, of attributes.expiryTime')
}

function requireDuration(text: string, field: string): void {
  if (readDuration(text) === undefined) {
    throw badParameter(`Property ${field} is not an ISO 8601 duration of days, weeks, months or years`)
  }
}

function requireDays(field: string, days: number, least: number, what: string): void {
  if (days < least) throw badParameter(`Property ${field} has invalid value: at least ${least} days${what}`)
}
