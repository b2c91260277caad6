/** Resource record types (RFC 1035, 3.2.2 and 3.2.3). */
const TYPE_A = 1
const TYPE_ANY = 255
const CLASS_IN = 1

/** Response codes (RFC 1035, 4.1.1). */
const NO_ERROR = 0
const FORMAT_ERROR = 1
const SERVER_FAILURE = 2
const NAME_ERROR = 3
const NOT_IMPLEMENTED = 4

const HEADER = 12
const LONGEST_NAME = 255

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
  // A response that was answered could be answered back.
  if (query.length < HEADER || (query[2]! & 0x80) !== 0) return undefined
  const opcode = (query[2]! >> 3) & 0x0f
  if (opcode !== 0) return response(query, NOT_IMPLEMENTED)
  const question = query.readUInt16BE(4) === 1 ? readQuestion(query) : undefined
  if (question === undefined) return response(query, FORMAT_ERROR)
  const { name, type, recordClass, end } = question
  const asked = query.subarray(HEADER, end)
  let found: boolean
  try {
    found = recordClass === CLASS_IN && (await exists(name))
  } catch {
    return response(query, SERVER_FAILURE, asked)
  }
  if (!found) return response(query, NAME_ERROR, asked)
  return response(query, NO_ERROR, asked, type === TYPE_A || type === TYPE_ANY ? addressRecord(address) : undefined)
}

interface Question {
  readonly name: string
  readonly type: number
  readonly recordClass: number
  /** Offset behind it. */
  readonly end: number
}

function readQuestion(query: Buffer): Question | undefined {
  const labels: string[] = []
  let at = HEADER
  for (let length = query[at]; length !== 0; length = query[at]) {
    // A pointer has nothing before it that it could lead to; the two other kinds of label are reserved.
    if (length === undefined || length > 63 || at - HEADER + length + 1 >= LONGEST_NAME) return undefined
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  at += 1
  if (at + 4 > query.length) return undefined
  const [type, recordClass] = [query.readUInt16BE(at), query.readUInt16BE(at + 2)]
  return { name: labels.join('.').toLowerCase(), type, recordClass, end: at + 4 }
}

function response(query: Buffer, code: number, question?: Buffer, answer?: Buffer): Buffer {
  const header = Buffer.alloc(HEADER)
  query.copy(header, 0, 0, 2)
  // QR, the opcode and RD as they were, AA; RA, so that nobody asks elsewhere.
  header[2] = 0x80 | (query[2]! & 0x79) | 0x04
  header[3] = 0x80 | code
  header.writeUInt16BE(question === undefined ? 0 : 1, 4)
  header.writeUInt16BE(answer === undefined ? 0 : 1, 6)
  return Buffer.concat([header, question ?? Buffer.alloc(0), answer ?? Buffer.alloc(0)])
}

/** For the name that was asked for, by a pointer to it. */
function addressRecord(address: string): Buffer {
  const record = Buffer.alloc(16)
  record.writeUInt16BE(0xc000 | HEADER, 0)
  record.writeUInt16BE(TYPE_A, 2)
  record.writeUInt16BE(CLASS_IN, 4)
  record.writeUInt16BE(4, 10)
  record.set(address.split('.').map(Number), 12)
  return record
}
