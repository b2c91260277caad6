import { WireError } from './errors.ts'

/**
 * The outermost parts of an X.509 certificate (RFC 5280, 4.1) read where they lie, in DER: what verifying a signature and
 * looking up an extension need, and no more. Names, dates and keys are left to a whole parser.
 */
export interface CertificateParts {
  /** The bytes that the signature covers. */
  readonly tbs: Uint8Array
  /** Dotted OID; without its parameters. */
  readonly signatureAlgorithm: string
  readonly signature: Uint8Array
  readonly extensions: readonly CertificateExtension[]
}

export interface CertificateExtension {
  readonly oid: string
  readonly critical: boolean
  /** Content of the OCTET STRING. */
  readonly value: Uint8Array
}

interface Element {
  readonly tag: number
  /** With tag and length. */
  readonly whole: Uint8Array
  readonly content: Uint8Array
}

const TAG = { boolean: 0x01, bitString: 0x03, octetString: 0x04, oid: 0x06, sequence: 0x30, extensions: 0xa3 } as const

/** @throws WireError `ERR_CERTIFICATE` */
export function readCertificateParts(der: Uint8Array): CertificateParts {
  const [certificate, ...after] = elements(der)
  if (certificate === undefined || after.length > 0) throw malformed('not one DER element')
  const [tbs, algorithm, signature, ...more] = elements(sequence(certificate))
  if (tbs === undefined || algorithm === undefined || signature === undefined || more.length > 0) {
    throw malformed('a certificate has three parts')
  }
  if (contentOf(signature, TAG.bitString)[0] !== 0) throw malformed('the signature is not whole bytes')
  const last = elements(sequence(tbs)).find(({ tag }) => tag === TAG.extensions)
  return {
    tbs: tbs.whole,
    signatureAlgorithm: oidOf(elements(sequence(algorithm))[0]),
    signature: signature.content.subarray(1),
    extensions: last === undefined ? [] : extensionsOf(last),
  }
}

function extensionsOf({ content }: Element): CertificateExtension[] {
  const [list, ...more] = elements(content)
  if (list === undefined || more.length > 0) throw malformed('the extensions are one sequence')
  return elements(sequence(list)).map((extension) => {
    const fields = elements(sequence(extension))
    const critical = fields.length === 3 ? contentOf(fields[1], TAG.boolean)[0] !== 0 : false
    if (fields.length < 2 || fields.length > 3) throw malformed('an extension has two or three parts')
    return { oid: oidOf(fields[0]), critical, value: contentOf(fields.at(-1), TAG.octetString) }
  })
}

/** The elements that lie side by side in these bytes. Lengths are definite and in their shortest form. */
function elements(bytes: Uint8Array): Element[] {
  const found: Element[] = []
  let at = 0
  while (at < bytes.length) {
    const tag = bytes[at]!
    const first = bytes[at + 1]
    if (first === undefined || (tag & 0x1f) === 0x1f) throw malformed('an element is cut short')
    const size = first < 0x80 ? 0 : first & 0x7f
    if (first === 0x80 || size > 3 || at + 2 + size > bytes.length) throw malformed('an element has no length of DER')
    let length = size === 0 ? first : 0
    for (let place = 0; place < size; place += 1) length = length * 256 + bytes[at + 2 + place]!
    if (size > 0 && (length < 0x80 || bytes[at + 2] === 0)) throw malformed('a length is not in its shortest form')
    const start = at + 2 + size
    const end = start + length
    if (end > bytes.length) throw malformed('an element is longer than what it is in')
    found.push({ tag, whole: bytes.subarray(at, end), content: bytes.subarray(start, end) })
    at = end
  }
  return found
}

function sequence(element: Element): Uint8Array {
  return contentOf(element, TAG.sequence)
}

function contentOf(element: Element | undefined, tag: number): Uint8Array {
  if (element?.tag !== tag) throw malformed(`an element is not of the tag 0x${tag.toString(16)}`)
  return element.content
}

function oidOf(element: Element | undefined): string {
  const content = contentOf(element, TAG.oid)
  if (content.length === 0 || content.length > 64 || content.at(-1)! >= 0x80) throw malformed('an OID is malformed')
  const arcs: number[] = []
  let arc = 0
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f)
    if (!Number.isSafeInteger(arc)) throw malformed('an arc of an OID is too big')
    if (byte < 0x80) {
      arcs.push(arc)
      arc = 0
    }
  }
  const [first = 0, ...rest] = arcs
  const top = Math.min(Math.floor(first / 40), 2)
  return [top, first - 40 * top, ...rest].join('.')
}

function malformed(why: string): WireError {
  return new WireError('ERR_CERTIFICATE', `not an X.509 certificate in DER: ${why}`)
}
