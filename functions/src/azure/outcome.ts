import { isRestError } from '@azure/core-rest-pipeline'

/**
 * What an activity answers. A refusal that will not change by asking again is a value, not an exception: it is not
 * repeated, and its code and reason reach the record as they are. Everything else is thrown, and Durable repeats it.
 */
export type Outcome<T> = { readonly ok: true; readonly value: T } | Refusal

export interface Refusal {
  readonly ok: false
  /** Azure's error code, or one of this app's (`ERR_…`). */
  readonly code: string
  readonly reason: string
}

export const done = <T>(value: T): Outcome<T> => ({ ok: true, value })
export const refused = (code: string, reason: string): Refusal => ({ ok: false, code, reason })

/** Codes that pass with time although their status says otherwise: directory replication, locks, throttling. */
const PASSING = new Set([
  'PrincipalNotFound',
  'AnotherOperationInProgress',
  'ContainerGroupTransitioning',
  'DeploymentActive',
])

/**
 * Runs one call to Azure; a lasting 4xx becomes a Refusal.
 * @throws whatever may pass: no connection, 408, 429, 5xx and the few codes above
 */
export async function askAzure<T>(call: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
  try {
    return await call()
  } catch (error) {
    const status = statusOf(error)
    const code = codeOf(error)
    if (status === undefined || status < 400 || status >= 500 || status === 408 || status === 429 || PASSING.has(code))
      throw error
    return refused(code, firstLine(error))
  }
}

/** The HTTP status of an Azure client's error, if it was one. */
export function statusOf(error: unknown): number | undefined {
  if (isRestError(error)) return error.statusCode
  return typeof error === 'object' && error !== null && 'statusCode' in error ? Number(error.statusCode) : undefined
}

export function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'ERR_AZURE'
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split(/\r?\n/, 1)[0]!.slice(0, 500)
}

/** `get`, or undefined when Azure answers 404. */
export async function found<T>(get: () => Promise<T>): Promise<T | undefined> {
  try {
    return await get()
  } catch (error) {
    if (statusOf(error) === 404) return undefined
    throw error
  }
}
