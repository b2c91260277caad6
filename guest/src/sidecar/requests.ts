import { decodeGoBase64 } from './go-base64.ts'
import { GoJsonError, parseGoObject, textOf } from './go-json.ts'

/** A body that does not bind: answered with 400. */
export class BadRequestError extends Error {
  readonly code = 'ERR_BAD_REQUEST'

  constructor(message: string) {
    super(message)
    this.name = 'BadRequestError'
  }
}

/**
 * Reads a JSON body as the original does: its content type is not looked at, since clients use curl's default; members
 * beyond the known ones are passed over.
 * @throws BadRequestError naming the field
 */
export function readBody<Required extends string, Optional extends string = never>(
  text: string,
  required: readonly Required[],
  optional: readonly Optional[] = [],
): Record<Required, string> & Partial<Record<Optional, string>> {
  const read: Record<string, string> = {}
  try {
    const body = parseGoObject(text)
    for (const name of required) {
      read[name] = textOf(body, name)
      if (read[name] === '') throw new GoJsonError(`${name} is required`)
    }
    for (const name of optional) {
      const value = textOf(body, name)
      if (value !== '') read[name] = value
    }
  } catch (error) {
    if (!(error instanceof GoJsonError)) throw error
    throw new BadRequestError(`invalid request format: ${error.message}`)
  }
  return read as Record<Required, string> & Partial<Record<Optional, string>>
}

/** @throws BadRequestError */
export function decodeRuntimeData(text: string): Uint8Array {
  const bytes = decodeGoBase64(text)
  if (bytes === undefined)
    throw new BadRequestError(
      'decoding base64-encoded runtime data of request failed: runtime_data must be standard base64, padded',
    )
  return bytes
}
