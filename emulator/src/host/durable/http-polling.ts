import type { HttpAction } from './actions.ts'

export type NextHttpRequest = 'done' | 'stuck' | { readonly delayMs: number; readonly request: HttpAction }

/**
 * What callHttp does after an answer: on 202 with an absolute `Location`, wait `Retry-After` seconds (or the default)
 * and ask there. `stuck`: the extension and the library disagree about such an answer, and the orchestration would hang.
 */
export function nextHttpRequest(first: HttpAction, resultText: string | null, defaultSleepMs: number): NextHttpRequest {
  const result = JSON.parse(resultText ?? 'null') as {
    statusCode?: number
    headers?: Record<string, string | string[]>
  } | null
  if (result?.statusCode !== 202) return 'done'
  const location = header(result.headers, 'location')
  if (location === undefined) return 'done'
  const retryAfter = header(result.headers, 'retry-after')
  if (!URL.canParse(location) || (retryAfter !== undefined && !/^\d+$/.test(retryAfter))) return 'stuck'
  const headers = Object.fromEntries(
    Object.entries(first.headers ?? {}).filter(([name]) => name.toLowerCase() !== 'x-functions-key'),
  )
  return {
    delayMs: retryAfter === undefined ? defaultSleepMs : Number(retryAfter) * 1000,
    request: {
      method: 'GET',
      uri: location,
      headers,
      ...(first.tokenSource === undefined ? {} : { tokenSource: first.tokenSource }),
      asynchronousPatternEnabled: true,
    },
  }
}

function header(headers: Record<string, string | string[]> | undefined, name: string): string | undefined {
  for (const [key, value] of Object.entries(headers ?? {})) {
    if (key.toLowerCase() === name) return Array.isArray(value) ? value[0] : value
  }
  return undefined
}
