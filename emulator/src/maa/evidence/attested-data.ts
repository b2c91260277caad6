import { createHash } from 'node:crypto'
import { type AttestedData, decodeUtf8 } from '@skerry/guest/wire'
import { DEEPEST_JSON, isNestedDeeper } from '../../core/json-depth.ts'
import { type Check, check } from './check.ts'

/** What evidence must have of data that the attester sent beside it. */
export interface Binding {
  readonly checks: Check[]
  /** SHA-256 of the bytes as they were sent, lower-case hex. */
  readonly digest?: string
  /** When it was sent as JSON. */
  readonly parsed?: { readonly value: unknown }
}

/** @param name `runtimeData` or `initTimeData` */
export function bindData(name: string, attested: AttestedData | undefined): Binding {
  if (attested === undefined) return { checks: [] }
  const digest = createHash('sha256').update(attested.data).digest('hex')
  if (attested.dataType === 'Binary') return { checks: [], digest }
  try {
    const text = decodeUtf8(attested.data)
    if (isNestedDeeper(text, DEEPEST_JSON)) throw new RangeError('nested too deeply to be a claim')
    return { checks: [], digest, parsed: { value: JSON.parse(text) } }
  } catch {
    const hint = `dataType says JSON: send JSON text of at most ${DEEPEST_JSON} levels, or say Binary`
    return { checks: [check(`${name}.json`, 'JSON text in UTF-8', 'something else', false, hint)], digest }
  }
}
