import { type ApiRequest, flagQuery } from './client-api-request.ts'
import { isFinished } from './events.ts'
import type { Instance } from './hub.ts'
import { type StatusOptions, statusBody } from './status.ts'

/** 202 while it runs, 200 when it is finished; 500 for a failure where that is asked for. */
export function statusAnswer(api: ApiRequest, instance: Instance, options: StatusOptions): Response {
  const body = statusBody(instance, options)
  if (!isFinished(instance.status))
    return Response.json(body, { status: 202, headers: { location: api.request.url, 'retry-after': '5' } })
  const asError = instance.status === 'Failed' && flagQuery(api, 'returnInternalServerErrorOnFailure', false)
  return Response.json(body, { status: asError ? 500 : 200 })
}
