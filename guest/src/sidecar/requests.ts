import { decodeBase64 } from '../wire/index.ts'

/** A body that does not bind: answered with 400. */
export class BadRequestError extends Error {
  readonly code = 'ERR_BAD_REQUEST'

  constructor(message: string) {
    super(message)
    this.name = 'BadRequestError'
  }
}

/**
 * Reads a JSON body. Its content type is not looked at (clients use curl's default), members beyond the known ones are
 * passed over, as the original does.
 * @throws BadRequestError naming the field
 */
export async function readBody<Required extends string, Optional extends string = never>(
  request: { text(): Promise<string> },
  required: readonly Required[],
  optional: readonly Optional[] = [],
): Promise<Record<Required, string> & Partial<Record<Optional, string>>> {
  const body = parseObject(await request.text())
  const read: Record<string, string> = {}
  for (const name of required) {
    const value = body[name]
    if (value === undefined || value === null || value === '')
      throw new BadRequestError(`invalid request format: ${name} is required`)
    read[name] = requireString(name, value)
  }
  for (const name of optional) {
    const value = body[name]
    if (value !== undefined && value !== null && value !== '') read[name] = requireString(name, value)
  }
  return read as Record<Required, string> & Partial<Record<Optional, string>>
}

/** @throws BadRequestError */
export function decodeRuntimeData(text: string): Uint8Array {
  try {
    return decodeBase64(text)
  } catch {
    throw new BadRequestError(
      'decoding base64-encoded runtime data of request failed: runtime_data must be standard base64, padded',
    )
  }
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new BadRequestError(
      text === '' ? 'invalid request format: the body is empty' : 'invalid request format: the body is not JSON',
    )
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new BadRequestError('invalid request format: the body must be an object')
  return value as Record<string, unknown>
}

function requireString(name: string, value: unknown): string {
  if (typeof value !== 'string') throw new BadRequestError(`invalid request format: ${name} must be a string`)
  return value
}
