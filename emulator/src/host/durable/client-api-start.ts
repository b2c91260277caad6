import { ClientError, type DurableClient } from './client.ts'
import { ApiError, type ApiRequest, jsonBody, numberQuery } from './client-api-request.ts'
import { statusAnswer } from './client-api-status.ts'
import { isFinished } from './events.ts'
import type { Instance } from './hub.ts'

/** `POST orchestrators/{function}/{id?}` */
export async function handleStart(client: DurableClient, api: ApiRequest): Promise<Response | undefined> {
  const [, name, id, ...more] = api.path
  if (api.method !== 'POST' || !name || more.length > 0) return undefined
  const input = (await jsonBody(api.request)) ?? null
  const version = api.query('version')
  const instance = startOrRefuse(() =>
    client.start({ name, input, ...(id ? { id } : {}), ...(version === undefined ? {} : { version }) }),
  )
  return await startAnswer(client, api, instance)
}

/** Turns a refusal of the client into the extension's answer. */
export function startOrRefuse(start: () => Instance): Instance {
  try {
    return start()
  } catch (error) {
    if (error instanceof ClientError) throw new ApiError(error.reason === 'exists' ? 409 : 400, error.message)
    throw error
  }
}

/** 202 with the instance's URLs; with `timeout` and `pollingInterval`, its result if it comes in time. */
export async function startAnswer(client: DurableClient, api: ApiRequest, instance: Instance): Promise<Response> {
  const timeout = numberQuery(api, 'timeout')
  const interval = numberQuery(api, 'pollingInterval')
  if (timeout !== undefined && interval !== undefined) {
    if (timeout < interval)
      throw new ApiError(400, `Total timeout ${timeout} should be bigger than retry timeout ${interval}`)
    const deadline = client.clock.now() + timeout * 1000
    for (;;) {
      const current = client.status(instance.id)
      if (current !== undefined && isFinished(current.status)) {
        if (current.status !== 'Completed') return statusAnswer(api, current, { showInput: true })
        return new Response(current.output ?? 'null', {
          headers: { 'content-type': 'application/json; charset=utf-8' },
        })
      }
      const left = deadline - client.clock.now()
      if (left <= 0) break
      await client.clock.sleep(Math.min(interval * 1000, left))
    }
  }
  const { rewindPostUri: _, ...urls } = client.urlsOf(instance.id, api.origin)
  return Response.json(
    { id: instance.id, ...urls },
    { status: 202, headers: { location: urls.statusQueryGetUri as string, 'retry-after': '10' } },
  )
}
