/** What Entra's answers carry, whatever they say. */
export function securityHeaders(requestId: string, cacheControl: string): Record<string, string> {
  const uncached: Record<string, string> = cacheControl.startsWith('no-store')
    ? { Pragma: 'no-cache', Expires: '-1' }
    : {}
  return {
    'Cache-Control': cacheControl,
    ...uncached,
    'Content-Type': 'application/json; charset=utf-8',
    'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
    'X-Content-Type-Options': 'nosniff',
    'x-ms-ests-server': 'Skerry',
    'x-ms-request-id': requestId,
  }
}
