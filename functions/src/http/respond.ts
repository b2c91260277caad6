import type { HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions'
import { MAX_BODY_BYTES } from '../deployment/request.ts'
import { Problem, problemResponse } from '../problem.ts'
import { SettingError } from '../settings.ts'
import { jsonFaultPosition } from './json-position.ts'

/** Runs a handler; what it throws becomes `application/problem+json`. */
export async function respond(
  context: InvocationContext,
  handler: () => Promise<HttpResponseInit>,
): Promise<HttpResponseInit> {
  try {
    return await handler()
  } catch (error) {
    if (error instanceof Problem) return problemResponse(error)
    // The message of an unforeseen error may repeat what was sent: it is logged by its name only.
    context.error(`unexpected ${error instanceof Error ? error.name : typeof error}`)
    if (error instanceof SettingError) return problemResponse(new Problem(500, error.code, error.message))
    return problemResponse(new Problem(500, 'ERR_UNEXPECTED', 'The request failed for a reason that is in the log.'))
  }
}

/**
 * The body as JSON.
 * @throws Problem 413, 415, 400 ERR_JSON (with the position, never the text) or ERR_TOO_DEEP
 */
export async function readJson(request: HttpRequest): Promise<unknown> {
  const type = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== undefined && type !== 'application/json')
    throw new Problem(415, 'ERR_CONTENT_TYPE', 'Send application/json.')
  const text = await request.text()
  if (Buffer.byteLength(text) > MAX_BODY_BYTES)
    throw new Problem(413, 'ERR_TOO_LARGE', `The body is larger than ${MAX_BODY_BYTES} bytes.`)
  try {
    const value: unknown = JSON.parse(text)
    if (depthOf(value, MAX_DEPTH) < MAX_DEPTH) return value
  } catch {
    // Not the parser's own words: for most faults they repeat what was sent.
    throw new Problem(400, 'ERR_JSON', `The body is not JSON: ${jsonFaultPosition(text)} does not fit.`, [
      { code: 'ERR_JSON', pointer: '', detail: `is not JSON at ${jsonFaultPosition(text)}` },
    ])
  }
  throw new Problem(400, 'ERR_TOO_DEEP', `The body is nested in ${MAX_DEPTH} levels or more.`)
}

/** Deeper than any template; what walks a body further on may recurse. */
const MAX_DEPTH = 100

/** Levels of nesting, counted up to `limit`. */
function depthOf(value: unknown, limit: number): number {
  let level = [value]
  for (let depth = 0; ; depth += 1) {
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []))
    if (level.length === 0 || depth === limit) return depth
  }
}
