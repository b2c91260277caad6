/** A body that does not bind: answered with 400. */
export class BadRequestError extends Error {
  readonly code = 'ERR_BAD_REQUEST'

  constructor(message: string) {
    super(message)
    this.name = 'BadRequestError'
  }
}

/**
 * Reads a JSON body as the original does (Go's encoding/json): its content type is not looked at, since clients use curl's
 * default; members beyond the known ones are passed over; names are compared without case, and of several the last counts.
 * @throws BadRequestError naming the field
 */
export async function readBody<Required extends string, Optional extends string = never>(
  request: { text(): Promise<string> },
  required: readonly Required[],
  optional: readonly Optional[] = [],
): Promise<Record<Required, string> & Partial<Record<Optional, string>>> {
  const body = new Map(
    Object.entries(parseObject(await request.text())).map(([name, value]) => [name.toLowerCase(), value]),
  )
  const read: Record<string, string> = {}
  for (const name of required) {
    const value = body.get(name)
    if (value === undefined || value === null || value === '')
      throw new BadRequestError(`invalid request format: ${name} is required`)
    read[name] = requireString(name, value)
  }
  for (const name of optional) {
    const value = body.get(name)
    if (value !== undefined && value !== null && value !== '') read[name] = requireString(name, value)
  }
  return read as Record<Required, string> & Partial<Record<Optional, string>>
}

/** Quantums of four, the last one padded; line breaks anywhere. What the padded one has beyond whole bytes is passed over. */
const STANDARD_BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/**
 * Standard base64, padded, as the original decodes it (Go's base64.StdEncoding): tools that wrap their lines are common.
 * @throws BadRequestError
 */
export function decodeRuntimeData(text: string): Uint8Array {
  const unwrapped = text.replaceAll(/[\r\n]/g, '')
  if (!STANDARD_BASE64.test(unwrapped)) {
    throw new BadRequestError(
      'decoding base64-encoded runtime data of request failed: runtime_data must be standard base64, padded',
    )
  }
  return Uint8Array.from(Buffer.from(unwrapped, 'base64'))
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
