import { isDeepStrictEqual } from 'node:util'
import { InvalidArgumentError } from '../http/endpoint.ts'
import { AttestationTokenError } from './token-error.ts'

/** What one claim must be. */
export type ClaimRequirement =
  /** Exactly this. */
  | string
  | number
  | boolean
  /** One of these. */
  | readonly (string | number | boolean)[]
  /** An object that has at least these members. */
  | RequiredClaims
  | ClaimTest

/** A test of one's own; `wanted` says in words what passes. */
export interface ClaimTest {
  (value: unknown): boolean
  /** For the message of the refusal. */
  readonly wanted?: string
}

/** By the claims' names. */
export interface RequiredClaims {
  readonly [claim: string]: ClaimRequirement
}

/**
 * A version that is at least this one: an integer, or the decimal text that endorsements have.
 * @throws InvalidArgumentError for a minimum that is no integer
 */
export function atLeast(minimum: number): ClaimTest {
  if (!Number.isInteger(minimum)) throw new InvalidArgumentError('minimum', `must be an integer, not ${minimum}`)
  const test = (value: unknown) => {
    const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
    return typeof number === 'number' && Number.isInteger(number) && number >= minimum
  }
  return Object.assign(test, { wanted: `at least ${minimum}` })
}

/** @throws AttestationTokenError `ERR_TOKEN_CLAIM` for the first that is missing or different */
export function requireClaims(claims: Readonly<Record<string, unknown>>, required: RequiredClaims, at = ''): void {
  for (const [name, requirement] of Object.entries(required)) {
    const claim = at === '' ? name : `${at}.${name}`
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined
    if (value === undefined) throw refused(claim, 'is missing', requirement)
    if (isNested(requirement)) {
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw refused(claim, 'is not an object', requirement)
      requireClaims(value as Record<string, unknown>, requirement, claim)
    } else if (!fits(value, requirement)) {
      throw refused(claim, `is ${shown(value)}`, requirement)
    }
  }
}

function fits(value: unknown, requirement: Exclude<ClaimRequirement, RequiredClaims>): boolean {
  // Exactly: the promise of a test that is asynchronous by mistake is no consent.
  if (typeof requirement === 'function') return requirement(value) === true
  if (Array.isArray(requirement)) return requirement.some((one) => isDeepStrictEqual(value, one))
  return isDeepStrictEqual(value, requirement)
}

function isNested(requirement: ClaimRequirement): requirement is RequiredClaims {
  return typeof requirement === 'object' && requirement !== null && !Array.isArray(requirement)
}

function refused(claim: string, found: string, requirement: ClaimRequirement): AttestationTokenError {
  return new AttestationTokenError(
    'ERR_TOKEN_CLAIM',
    `the claim ${claim} ${found}; required is ${wanted(requirement)}`,
    {
      claim,
    },
  )
}

function wanted(requirement: ClaimRequirement): string {
  if (typeof requirement === 'function') return requirement.wanted ?? 'what passes a test'
  if (Array.isArray(requirement)) return `one of ${requirement.map(shown).join(', ')}`
  return isNested(requirement) ? 'an object' : shown(requirement)
}

/** Claims are no secrets, but a whole document of them is no message either. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined'
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
