import type { DurableHttpAnswer, DurableHttpCall } from './messages.ts'

/** One request of an orchestrator's callHttp, made from the app's thread so that it takes the app's proxy and trust. */
export async function durableHttp(call: DurableHttpCall): Promise<DurableHttpAnswer> {
  const response = await fetch(call.uri, {
    method: call.method,
    ...(call.headers === undefined ? {} : { headers: call.headers }),
    ...(call.content === undefined || call.content === null ? {} : { body: call.content }),
    redirect: 'manual',
  })
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of response.headers) {
    const earlier = headers[name]
    if (earlier === undefined) headers[name] = value
    else headers[name] = [...(Array.isArray(earlier) ? earlier : [earlier]), value]
  }
  return { statusCode: response.status, headers, content: await response.text() }
}
