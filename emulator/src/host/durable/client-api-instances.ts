import type { DurableClient, SendResult } from './client.ts'
import { ApiError, type ApiRequest, flagQuery, jsonBody, numberQuery, timeQuery } from './client-api-request.ts'
import { startAnswer, startOrRefuse } from './client-api-start.ts'
import { statusAnswer } from './client-api-status.ts'
import { isFinished, type RuntimeStatus, STATUS_NUMBER } from './events.ts'
import type { Instance, InstanceFilter } from './hub.ts'
import { statusBody } from './status.ts'

/** `instances/…`: status, listing, purge, events and the verbs. */
export async function handleInstances(client: DurableClient, api: ApiRequest): Promise<Response | undefined> {
  const [, id, verb, argument, ...more] = api.path
  if (more.length > 0) return undefined
  if (!id) return verb === undefined ? all(client, api) : undefined
  if (verb === undefined || verb === '') {
    if (api.method === 'GET') return one(client, api, id)
    if (api.method === 'DELETE') return purged(client.purge(id) ? 1 : 0)
    return undefined
  }
  if (api.method !== 'POST') return undefined
  const word = verb.toLowerCase()
  if (word === 'raiseevent') return argument ? await raise(client, api, id, argument) : undefined
  if (argument) return undefined
  const reason = api.query('reason') ?? ''
  switch (word) {
    case 'terminate':
      return sent(client.terminate(id, reason))
    case 'suspend':
      return sent(client.suspend(id, reason))
    case 'resume':
      return sent(client.resume(id, reason))
    case 'restart': {
      const instance = startOrRefuse(() => client.restart(id, flagQuery(api, 'restartWithNewInstanceId', true)))
      return await startAnswer(client, api, instance)
    }
    case 'rewind':
      return rewind(client.status(id))
    default:
      return undefined
  }
}

function one(client: DurableClient, api: ApiRequest, id: string): Response {
  const instance = client.status(id)
  if (instance === undefined) return new Response(null, { status: 404 })
  return statusAnswer(api, instance, {
    showInput: flagQuery(api, 'showInput', true),
    showHistoryOutput: flagQuery(api, 'showHistoryOutput', false),
    ...(flagQuery(api, 'showHistory', false) ? { history: client.history(id) } : {}),
  })
}

function all(client: DurableClient, api: ApiRequest): Response | undefined {
  const filter = filterOf(api)
  if (api.method === 'DELETE') {
    if (filter.createdFrom === undefined) {
      return Response.json("Please provide value for 'createdTimeFrom' parameter.", { status: 400 })
    }
    return purged(client.purgeBy({ createdTo: client.clock.now(), ...filter }))
  }
  if (api.method !== 'GET') return undefined
  const top = Math.max(1, Math.trunc(numberQuery(api, 'top') ?? 100))
  const token = positionOf(api.request.headers.get('x-ms-continuation-token'))
  const prefix = api.query('instanceIdPrefix')
  const found = client.hub.instances({
    ...filter,
    top: top + 1,
    ...(prefix === undefined ? {} : { idPrefix: prefix }),
    ...(token === undefined ? {} : { after: token }),
  })
  const page = found.slice(0, top)
  const last = page.at(-1)
  const next =
    found.length > top && last !== undefined
      ? Buffer.from(JSON.stringify([last.created, last.id])).toString('base64')
      : ''
  const showInput = flagQuery(api, 'showInput', true)
  return Response.json(
    page.map((instance) => statusBody(instance, { showInput })),
    { headers: { 'x-ms-continuation-token': next } },
  )
}

function filterOf(api: ApiRequest): InstanceFilter {
  const from = timeQuery(api, 'createdTimeFrom')
  const to = timeQuery(api, 'createdTimeTo')
  const statuses = (api.query('runtimeStatus') ?? '')
    .split(',')
    .filter((status): status is RuntimeStatus => status in STATUS_NUMBER)
  return {
    ...(from === undefined ? {} : { createdFrom: from }),
    ...(to === undefined ? {} : { createdTo: to }),
    ...(statuses.length === 0 ? {} : { statuses }),
  }
}

function positionOf(token: string | null): { created: number; id: string } | undefined {
  if (token === null || token === '') return undefined
  try {
    const [created, id] = JSON.parse(Buffer.from(token, 'base64').toString()) as [number, string]
    return { created, id }
  } catch {
    throw new ApiError(400, 'The continuation token is not valid.')
  }
}

async function raise(client: DurableClient, api: ApiRequest, id: string, name: string): Promise<Response> {
  const type = api.request.headers.get('content-type') ?? ''
  const instance = client.status(id)
  if (instance === undefined) return sent('unknown')
  if (isFinished(instance.status)) return sent('finished')
  if (!/^application\/json\b/i.test(type)) throw new ApiError(400, 'Only application/json request content is supported')
  const input = await jsonBody(api.request)
  if (input === undefined) throw new ApiError(400, 'The request body is empty: an event carries JSON.')
  return sent(client.raiseEvent(id, name, input))
}

function sent(result: SendResult): Response {
  if (result === 'wrongState') throw new Error('The instance is not in a state that allows this operation.')
  return new Response(null, { status: { accepted: 202, unknown: 404, finished: 410 }[result] })
}

function purged(count: number): Response {
  return count === 0 ? new Response(null, { status: 404 }) : Response.json({ instancesDeleted: count })
}

/** This store does not rewind: the newer extension says so with 501. */
function rewind(instance: Instance | undefined): Response {
  if (instance === undefined) return new Response(null, { status: 404 })
  if (instance.status !== 'Failed') throw new ApiError(412, 'Only a failed instance can be rewound.')
  throw new ApiError(501, 'Rewind is not covered by this host.')
}
