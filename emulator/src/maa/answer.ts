import type { Context } from 'hono'
import { type AttestationProviderRecord, type PlainAnswer, toResponse } from '../core/index.ts'

/** A version of the service that answers as this one does. */
const SERVICE_VERSION = '1.11.02153.563'

interface Variables {
  provider: AttestationProviderRecord
  issuer: string
  requestId: string
}

export type Routes = { Variables: Variables }

export function answer(c: Context<Routes>, status: number, body: unknown): Response {
  return toResponse(plainAnswer(status, body, c.get('requestId')))
}

/** Every answer of the service has these headers. */
export function plainAnswer(status: number, body: unknown, requestId: string): PlainAnswer {
  return {
    status,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      Server: 'Kestrel',
      'x-ms-maa-service-version': SERVICE_VERSION,
      'x-ms-request-id': requestId,
    },
    body: JSON.stringify(body),
  }
}
