import { type Call, ok, type Reply } from '../call.ts'
import { badParameter } from '../errors.ts'

/** The default and the most that a page holds. */
const PAGE_SIZE = 25

/**
 * One page of a list that is sorted by `markerOf`, from the marker in `$skiptoken` on; `read` gives the first `limit` items
 * from a marker on. The next link is absolute and in the personality's form; it names the item that the next page starts
 * with.
 */
export function listPage<T>(
  call: Call,
  read: (from: string, limit: number) => readonly T[],
  markerOf: (item: T) => string,
  show: (item: T) => object,
): Reply {
  const maxResults = readMaxResults(call.query)
  const size = maxResults ?? PAGE_SIZE
  const items = read(readMarker(call.query.get('$skiptoken')) ?? '', size + 1)
  const next = items[size]
  const nextLink =
    next === undefined ? undefined : call.personality.nextLink(call, call.path, markerOf(next), maxResults)
  return ok(call.personality.page(items.slice(0, size).map(show), nextLink))
}

function readMaxResults(query: URLSearchParams): number | undefined {
  const text = query.get('maxresults')
  if (text === null) return undefined
  if (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= PAGE_SIZE) return Number(text)
  throw badParameter(`Invalid maxresults: ${text}. It must be from 1 to ${PAGE_SIZE}.`)
}

/** Either form of token: a vault's is JSON in base64, a managed HSM's the marker itself. */
function readMarker(token: string | null): string | undefined {
  if (token === null) return undefined
  // A plus sign in a query reads as a blank.
  const text = Buffer.from(token.replaceAll(' ', '+'), 'base64').toString('utf8')
  if (!text.startsWith('{')) return text
  try {
    const { NextMarker: marker } = JSON.parse(text) as { NextMarker?: unknown }
    if (typeof marker === 'string') return marker
  } catch {
    // Said below.
  }
  throw badParameter('Invalid $skiptoken')
}
