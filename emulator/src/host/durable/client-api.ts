import { messageOf } from '../errors.ts'
import type { FetchHandler } from '../http/listener.ts'
import type { DurableClient } from './client.ts'
import { handleEntities } from './client-api-entities.ts'
import { handleInstances } from './client-api-instances.ts'
import { ApiError, type ApiRequest } from './client-api-request.ts'
import { handleStart } from './client-api-start.ts'

/** The extension's HTTP management API below `base`: the webhooks of the public address, and the app's local RPC. */
export function createClientApi(client: DurableClient, base: string): FetchHandler {
  return async (request) => {
    const url = new URL(request.url)
    const query = new Map([...url.searchParams].map(([name, value]) => [name.toLowerCase(), value]))
    let path: string[]
    try {
      path = url.pathname
        .slice(base.length)
        .replace(/^\/+/, '')
        .split('/')
        .map((segment) => decodeURIComponent(segment))
    } catch {
      return new Response(null, { status: 404 })
    }
    const api: ApiRequest = {
      method: request.method,
      path,
      query: (name) => query.get(name.toLowerCase()) || undefined,
      request,
      origin: url.origin,
    }
    try {
      const answer = await route(client, api)
      return answer ?? new Response(null, { status: 404 })
    } catch (error) {
      if (error instanceof ApiError) return Response.json({ Message: error.message }, { status: error.status })
      return Response.json(
        {
          Message: 'Something went wrong while processing your request',
          ExceptionMessage: messageOf(error),
          ExceptionType: error instanceof Error ? error.name : 'Error',
          StackTrace: null,
        },
        { status: 500 },
      )
    }
  }
}

async function route(client: DurableClient, api: ApiRequest): Promise<Response | undefined> {
  switch (api.path[0]?.toLowerCase()) {
    case 'orchestrators':
      return await handleStart(client, api)
    case 'instances':
      return await handleInstances(client, api)
    case 'entities':
      return await handleEntities(client, api)
    default:
      return undefined
  }
}
