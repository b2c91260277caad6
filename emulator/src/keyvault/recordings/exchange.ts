/** One request of a recording and what the live service answered; bodies are JSON where they were JSON, else text. */
export interface Exchange {
  readonly method: string
  readonly url: string
  readonly requestHeaders: Readonly<Record<string, string>>
  readonly requestBody: unknown
  readonly status: number
  readonly responseHeaders: Readonly<Record<string, string>>
  readonly responseBody: unknown
}

export interface Recording {
  readonly service: 'vault' | 'mhsm'
  readonly exchanges: readonly Exchange[]
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether an answer is a page of a list. */
export const isList = (body: unknown): body is { readonly value: readonly unknown[] } =>
  isObject(body) && Array.isArray(body.value)

/** The web server before the service answers in HTML. */
export const isPage = (body: unknown): boolean => typeof body === 'string' && body.startsWith('<!DOCTYPE html>')

export const isRelease = ({ url, status }: Exchange): boolean => /\/release\?/.test(url) && status === 200
