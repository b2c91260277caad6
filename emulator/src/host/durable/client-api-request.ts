/** One request to the extension's HTTP API, taken apart. */
export interface ApiRequest {
  readonly method: string
  /** Decoded segments below the base. */
  readonly path: readonly string[]
  /** Query names compare without case; a value that is empty counts as absent. */
  query(name: string): string | undefined
  readonly request: Request
  /** Scheme and authority of the request itself: links in answers begin with it. */
  readonly origin: string
}

/** An answer that is an error with a `Message`, as the extension writes it. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** A body that must be JSON; undefined: there is none. */
export async function jsonBody(request: Request): Promise<string | undefined> {
  const text = await request.text()
  if (text.trim() === '') return undefined
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    throw new ApiError(400, 'The request body is not valid JSON.')
  }
}

export function timeQuery(api: ApiRequest, name: string): number | undefined {
  const ms = Date.parse(api.query(name) ?? '')
  return Number.isNaN(ms) ? undefined : ms
}

export function flagQuery(api: ApiRequest, name: string, fallback: boolean): boolean {
  const value = api.query(name)?.toLowerCase()
  return value === 'true' ? true : value === 'false' ? false : fallback
}

export function numberQuery(api: ApiRequest, name: string): number | undefined {
  const value = Number(api.query(name) ?? Number.NaN)
  return Number.isFinite(value) ? value : undefined
}
