import { ClientError, type DurableClient } from './client.ts'
import { ApiError, type ApiRequest, flagQuery, jsonBody, numberQuery, timeQuery } from './client-api-request.ts'
import { parseSchedulerId } from './entity-messages.ts'
import { wholeSeconds } from './status.ts'

/** `entities/…`: read, list, signal, delete. `$` stands for an empty key when reading. */
export async function handleEntities(client: DurableClient, api: ApiRequest): Promise<Response | undefined> {
  const [, name, key, ...more] = api.path
  if (more.length > 0) return undefined
  if (api.method === 'GET' && key === undefined) return list(client, api, name)
  if (!name || key === undefined) return undefined
  switch (api.method) {
    case 'GET': {
      const entity = client.entity(name, key === '$' ? '' : key)
      if (entity?.present !== true || entity.state === null) return new Response(null, { status: 404 })
      return new Response(entity.state, { headers: { 'content-type': 'application/json; charset=utf-8' } })
    }
    case 'POST':
      return signal(client, name, key, api.query('op') ?? '', await content(api.request))
    case 'DELETE':
      return signal(client, name, key, 'delete', null)
    default:
      return undefined
  }
}

function signal(client: DurableClient, name: string, key: string, operation: string, input: string | null): Response {
  try {
    client.signalEntity(name, key, operation, input)
  } catch (error) {
    if (error instanceof ClientError) throw new ApiError(400, error.message)
    throw error
  }
  return new Response(null, { status: 202 })
}

/** JSON where the content type says so, else the text as a JSON string. */
async function content(request: Request): Promise<string | null> {
  if (/^application\/json\b/i.test(request.headers.get('content-type') ?? '')) return (await jsonBody(request)) ?? null
  const text = await request.text()
  return text === '' ? null : JSON.stringify(text)
}

function list(client: DurableClient, api: ApiRequest, name: string | undefined): Response {
  const from = timeQuery(api, 'lastOperationTimeFrom') ?? Number.NEGATIVE_INFINITY
  const to = timeQuery(api, 'lastOperationTimeTo') ?? Number.POSITIVE_INFINITY
  const fetchState = flagQuery(api, 'fetchState', false)
  const token = Buffer.from(api.request.headers.get('x-ms-continuation-token') ?? '', 'base64').toString()
  const top = Math.max(1, Math.trunc(numberQuery(api, 'top') ?? 100))
  const found = client.hub
    .entities(name ? `@${name.toLowerCase()}@` : '@')
    .filter(({ id, present, lastOperation }) => present && id > token && lastOperation >= from && lastOperation <= to)
  const page = found.slice(0, top)
  const next = found.length > top ? Buffer.from(page.at(-1)?.id ?? '').toString('base64') : ''
  return Response.json(
    page.map(({ id, state, lastOperation }) => ({
      entityId: parseSchedulerId(id),
      lastOperationTime: wholeSeconds(lastOperation),
      ...(fetchState ? { state: JSON.parse(state ?? 'null') as unknown } : {}),
    })),
    { headers: { 'x-ms-continuation-token': next } },
  )
}
