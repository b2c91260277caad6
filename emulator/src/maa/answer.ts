import type { Context } from 'hono'
import type { AttestationProviderRecord } from '../core/index.ts'

/** A version of the service that answers as this one does. */
const SERVICE_VERSION = '1.11.02153.563'

interface Variables {
  provider: AttestationProviderRecord
  issuer: string
  requestId: string
}

export type Routes = { Variables: Variables }

/** Every answer of the service has these headers. */
export function answer(c: Context<Routes>, status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      Server: 'Kestrel',
      'x-ms-maa-service-version': SERVICE_VERSION,
      'x-ms-request-id': c.get('requestId'),
    },
  })
}
