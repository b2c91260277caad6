import {
  AUTHORITATIVE_ANSWER,
  type DecodedPacket,
  decode,
  encode,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
} from 'dns-packet'

/** Response codes (RFC 1035, 4.1.1). */
const NO_ERROR = 0
const FORMAT_ERROR = 1
const SERVER_FAILURE = 2
const NAME_ERROR = 3
const NOT_IMPLEMENTED = 4

/** What stands before all questions; what is shorter has not even a number to answer to. */
const HEADER_BYTES = 12
const OPCODE = 0x7800

export interface NameServerOptions {
  /** Where every name leads: IPv4, dotted. */
  readonly address: string
  /** Whether there is such a name now: lower case, without the dot at its end. A rejection is a server failure. */
  readonly exists: (name: string) => boolean | Promise<boolean>
}

/**
 * The answer to one DNS query over UDP (RFC 1035): an A record for a name that exists, no data for its other types,
 * NXDOMAIN for any other name. No lifetime: what exists may change with the next request. Undefined for what is no query
 * and gets no answer.
 */
export async function answerQuery(query: Buffer, { address, exists }: NameServerOptions): Promise<Buffer | undefined> {
  if (query.length < HEADER_BYTES) return undefined
  const [id, flags] = [query.readUInt16BE(0), query.readUInt16BE(2)]
  // A response that was answered could be answered back.
  if ((flags & 0x8000) !== 0) return undefined
  const respond = (code: number, packet: Pick<DecodedPacket, 'questions' | 'answers'> = {}) =>
    encode({
      id,
      type: 'response',
      // Recursion is available, so that nobody asks elsewhere.
      flags: (flags & (OPCODE | RECURSION_DESIRED)) | AUTHORITATIVE_ANSWER | RECURSION_AVAILABLE | code,
      ...packet,
    })
  if ((flags & OPCODE) !== 0) return respond(NOT_IMPLEMENTED)
  const questions = questionsOf(query)
  const [question] = questions
  if (question === undefined || questions.length > 1) return respond(FORMAT_ERROR)
  const { name, type } = question
  let found: boolean
  try {
    found = question.class === 'IN' && (await exists(name.toLowerCase()))
  } catch {
    return respond(SERVER_FAILURE, { questions })
  }
  if (!found) return respond(NAME_ERROR, { questions })
  const wanted = type === 'A' || (type as string) === 'ANY'
  return respond(NO_ERROR, { questions, answers: wanted ? [{ type: 'A', name, ttl: 0, data: address }] : [] })
}

function questionsOf(query: Buffer): NonNullable<DecodedPacket['questions']> {
  try {
    return decode(query).questions ?? []
  } catch {
    return []
  }
}
