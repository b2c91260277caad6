import { DEEPEST_JSON, isNestedDeeper } from '../core/json-depth.ts'
import { ArmError, armErrors } from './error.ts'

/** Resource Manager takes no larger request. */
const LARGEST_BODY = 4 * 1024 * 1024

export interface JsonBody {
  readonly text: string
  readonly value: Readonly<Record<string, unknown>>
}

/**
 * Reads a request body that must be a JSON object.
 * @throws ArmError 413 RequestContentTooLarge, 400 InvalidRequestContent
 */
export async function readJsonBody(request: Request): Promise<JsonBody> {
  const text = await readText(request)
  if (text.trim() === '') {
    throw new ArmError(400, {
      code: 'MissingRequestContent',
      message: 'The request content was not provided. The request content cannot be empty.',
    })
  }
  if (isNestedDeeper(text, DEEPEST_JSON)) {
    throw armErrors.invalidContent(`The reader's MaxDepth of ${DEEPEST_JSON} has been exceeded.`)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw armErrors.invalidContent(jsonComplaint(error))
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw armErrors.invalidContent("An object is expected. Path '', line 1, position 1.")
  }
  return { text, value: value as Readonly<Record<string, unknown>> }
}

async function readText(request: Request): Promise<string> {
  if (request.body === null) return ''
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of request.body as unknown as AsyncIterable<Uint8Array>) {
    size += part.length
    if (size > LARGEST_BODY) {
      throw new ArmError(413, {
        code: 'RequestContentTooLarge',
        message: `The request content size exceeds the maximum size of '${LARGEST_BODY / 1024 / 1024} MB'.`,
      })
    }
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** Where the text stops being JSON, and nothing of the text itself: it may hold a secret. */
function jsonComplaint(error: unknown): string {
  const position = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1]
  return position === undefined ? 'The text is not valid JSON' : `The text is not valid JSON at position ${position}`
}
