import { timingSafeEqual } from 'node:crypto'
import type { FetchHandler } from './listener.ts'

/**
 * Answers 404 to whoever does not know the path. For the app's local RPC, whose client takes a base URL and sends no key:
 * the path is the key.
 * @param base path that holds a random part, without a slash at its end
 */
export function onlyBelow(base: string, handler: FetchHandler): FetchHandler {
  const wanted = Buffer.from(`${base}/`)
  return async (request) => {
    const path = Buffer.from(new URL(request.url).pathname)
    const known = path.length >= wanted.length && timingSafeEqual(path.subarray(0, wanted.length), wanted)
    return known ? await handler(request) : new Response(null, { status: 404 })
  }
}
