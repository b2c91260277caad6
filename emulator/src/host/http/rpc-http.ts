import type { RpcHttpCookie, RpcHttpRequest, RpcHttpResponse, RpcTypedData } from '../app/rpc.ts'

/** A request as Azure's host hands it to the worker: names in lower case, repeated query keys joined with a comma. */
export async function toRpcHttp(request: Request, params: Readonly<Record<string, string>>): Promise<RpcHttpRequest> {
  const url = new URL(request.url)
  const query = new Map<string, string>()
  for (const [name, value] of url.searchParams) {
    const earlier = query.get(name)
    query.set(name, earlier === undefined ? value : `${earlier},${value}`)
  }
  const bytes = new Uint8Array(await request.arrayBuffer())
  return {
    method: request.method,
    url: request.url,
    nullableHeaders: wrap(Object.fromEntries(request.headers)),
    nullableQuery: wrap(Object.fromEntries(query)),
    nullableParams: wrap(params),
    ...(bytes.length > 0 ? { body: { bytes } } : {}),
  }
}

/** The answer of an HTTP function. No return value at all means 204. */
export function fromRpcHttp(value: RpcTypedData | null | undefined): Response {
  const http = value?.http as RpcHttpResponse | null | undefined
  if (http === null || http === undefined) return new Response(null, { status: 204 })
  const status = Number(http.statusCode ?? 200)
  const headers = new Headers(http.headers ?? {})
  for (const cookie of http.cookies ?? []) headers.append('set-cookie', cookieText(cookie))
  const body = bodyOf(http.body)
  const withoutBody = status === 204 || status === 205 || status === 304 || body.length === 0
  return new Response(withoutBody ? null : body, { status, headers })
}

function bodyOf(data: RpcTypedData | null | undefined): Uint8Array<ArrayBuffer> {
  if (data?.bytes) return new Uint8Array(data.bytes)
  const text = data?.string ?? data?.json
  return new Uint8Array(text === null || text === undefined ? [] : new TextEncoder().encode(text))
}

function cookieText(cookie: RpcHttpCookie): string {
  const parts = [`${cookie.name}=${encodeURIComponent(cookie.value)}`]
  if (cookie.expires !== undefined) parts.push(`expires=${new Date(cookie.expires.value).toUTCString()}`)
  if (cookie.maxAge !== undefined) parts.push(`max-age=${cookie.maxAge.value}`)
  if (cookie.domain !== undefined) parts.push(`domain=${cookie.domain.value}`)
  parts.push(`path=${cookie.path?.value ?? '/'}`)
  if (cookie.secure?.value === true) parts.push('secure')
  const sameSite = { lax: 'lax', strict: 'strict', explicitNone: 'none', none: undefined }[cookie.sameSite ?? 'none']
  if (sameSite !== undefined) parts.push(`samesite=${sameSite}`)
  if (cookie.httpOnly?.value === true) parts.push('httponly')
  return parts.join('; ')
}

function wrap(values: Readonly<Record<string, string>>): Record<string, { value: string }> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }]))
}
