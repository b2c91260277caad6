import { existsSync, readFileSync } from 'node:fs'

/*
 * For tests: recorded traffic of the live Resource Manager (its README says from where), and what an answer differs in.
 * It lies beside the repository and not in it.
 */

const RECORDINGS = new URL('../../../../shared/vectors/recordings/', import.meta.url)

export const recordingsPresent = existsSync(RECORDINGS)

export interface Exchange {
  readonly method: string
  readonly url: string
  readonly requestBody: unknown
  readonly status: number
  readonly responseHeaders: Readonly<Record<string, string>>
  readonly responseBody: unknown
  /** The same request got the same answer so often while the client waited. */
  readonly repeated?: number
  /** A list was cut to its first items. */
  readonly cut?: boolean
}

export interface Recording {
  readonly exchanges: readonly Exchange[]
  readonly replay?: false
  readonly why?: string
}

export function readRecording(name: string): Recording {
  return JSON.parse(readFileSync(new URL(`${name}.json`, RECORDINGS), 'utf8')) as Recording
}

/** What a front end, a meter or a web server of those years adds; none of it is said by the service. */
const ADDED_ON_THE_WAY = [
  'content-length',
  'date',
  'server',
  'vary',
  'x-aspnet-version',
  'x-powered-by',
  'x-ms-request-charge',
  /^x-ms-ratelimit-remaining-/,
]

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

/** Every difference, as `where: what`. Values that the service makes up are compared by their type alone. */
export function differences(recorded: Exchange, answer: Answer): string[] {
  const found: string[] = []
  if (recorded.status !== answer.status) found.push(`status: ${answer.status} for ${recorded.status}`)
  for (const name of Object.keys(recorded.responseHeaders)) {
    const added = ADDED_ON_THE_WAY.some((known) => (typeof known === 'string' ? known === name : known.test(name)))
    if (!added && !answer.headers.has(name)) found.push(`header ${name}: missing`)
  }
  if (recorded.responseBody === null) {
    if (answer.body !== null) found.push('body: added')
  } else {
    compare(recorded.responseBody, answer.body, 'body', found, recorded.cut === true)
  }
  return found
}

/** Ends of paths whose values are made up: times, ids, hashes, tokens. */
const MADE_UP =
  /\.(?:created(?:On|By|DateTime)|updated(?:On|By)|lastActionDateTime|(?:deletion|scheduledPurge)Date|startTime|finishTime|timestamp|(?:first|last)Timestamp|duration|correlationId|operationId|trackingId|serviceRequestId|templateHash|principalId|clientId|tenantId|nextLink|password|webSocketUri|subscriptionPolicies\..*|displayName|description)$/

function compare(wanted: unknown, got: unknown, path: string, found: string[], cut: boolean): void {
  if (typeOf(wanted) !== typeOf(got)) {
    // A time or an id that is null on one side is a matter of who made it.
    found.push(`${path}: ${typeOf(got)} for ${typeOf(wanted)}`)
    return
  }
  if (Array.isArray(wanted) && Array.isArray(got)) {
    if (cut) {
      if (wanted.length > 0 && got.length > 0) compareMembers(wanted[0], got[0], `${path}[]`, found)
      return
    }
    if (wanted.length !== got.length) found.push(`${path}: ${got.length} items for ${wanted.length}`)
    wanted.slice(0, got.length).forEach((item, at) => {
      compare(item, got[at], `${path}[]`, found, cut)
    })
    return
  }
  if (isObject(wanted) && isObject(got)) {
    for (const member of Object.keys(wanted)) {
      if (member in got) compare(wanted[member], got[member], `${path}.${member}`, found, cut)
      else found.push(`${path}.${member}: missing`)
    }
    for (const member of Object.keys(got)) if (!(member in wanted)) found.push(`${path}.${member}: added`)
    return
  }
  if (wanted !== got && !MADE_UP.test(path)) found.push(`${path}: ${String(got)} for ${String(wanted)}`)
}

/** Of a list that was cut, the items are not the same; their members are. */
function compareMembers(wanted: unknown, got: unknown, path: string, found: string[]): void {
  if (typeOf(wanted) !== typeOf(got)) found.push(`${path}: ${typeOf(got)} for ${typeOf(wanted)}`)
  if (!isObject(wanted) || !isObject(got)) return
  for (const member of Object.keys(wanted)) {
    if (member in got) compareMembers(wanted[member], got[member], `${path}.${member}`, found)
    else found.push(`${path}.${member}: missing`)
  }
}

const typeOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value)

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
