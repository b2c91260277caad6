import type { HttpResponseInit } from '@azure/functions'

/** One thing that is wrong with a request, and where: `pointer` is a JSON pointer (RFC 6901) into its body. */
export interface Fault {
  readonly code: string
  readonly pointer: string
  readonly detail: string
}

/** A request that cannot be carried out, as RFC 9457 tells it. Nothing was started, created or changed. */
export class Problem extends Error {
  readonly status: number
  readonly code: string
  readonly faults: readonly Fault[]

  constructor(status: number, code: string, detail: string, faults: readonly Fault[] = []) {
    super(detail)
    this.name = 'Problem'
    this.status = status
    this.code = code
    this.faults = faults
  }
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'The request is not valid',
  404: 'Not found',
  409: 'Conflict',
  413: 'The request is too large',
  415: 'The body must be application/json',
  500: 'Something went wrong here',
}

/** `application/problem+json`, with the faults under `errors`. */
export function problemResponse(problem: Problem): HttpResponseInit {
  return {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json' },
    body: JSON.stringify({
      type: `urn:skerry:problem:${problem.code.toLowerCase().replace(/^err_/, '').replaceAll('_', '-')}`,
      title: TITLES[problem.status] ?? 'Problem',
      status: problem.status,
      code: problem.code,
      detail: problem.message,
      ...(problem.faults.length > 0 && { errors: problem.faults }),
    }),
  }
}
