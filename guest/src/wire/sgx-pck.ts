import { AsnArray, AsnConvert, AsnType, AsnTypeTypes, OctetString } from '@peculiar/asn1-schema'
import { AlgorithmIdentifier } from '@peculiar/asn1-x509'
import { extensionOf, parseCertificate } from './certificate.ts'
import { WireError } from './errors.ts'

/**
 * What a provisioning certification key (PCK) certificate says of its platform. One extension holds a sequence of pairs
 * of object identifier and value. Source: Intel "SGX PCK Certificate and Certificate Revocation List Profile
 * Specification", 1.3.5.
 */
export const SGX_EXTENSIONS_OID = '1.2.840.113741.1.13.1'
export const PCK_OIDS = {
  ppid: `${SGX_EXTENSIONS_OID}.1`,
  tcb: `${SGX_EXTENSIONS_OID}.2`,
  /** Followed by 1 to 16: the SVN of each component. */
  tcbComponent: `${SGX_EXTENSIONS_OID}.2.`,
  pceSvn: `${SGX_EXTENSIONS_OID}.2.17`,
  cpuSvn: `${SGX_EXTENSIONS_OID}.2.18`,
  pceId: `${SGX_EXTENSIONS_OID}.3`,
  fmspc: `${SGX_EXTENSIONS_OID}.4`,
  sgxType: `${SGX_EXTENSIONS_OID}.5`,
  platformInstanceId: `${SGX_EXTENSIONS_OID}.6`,
  configuration: `${SGX_EXTENSIONS_OID}.7`,
} as const

export interface PckExtensions {
  /** 16 bytes: the platform's provisioning id. */
  readonly ppid: Uint8Array
  /** 16 security version numbers from 0 to 255. */
  readonly tcbComponents: readonly number[]
  /** u16. */
  readonly pceSvn: number
  /** 16 bytes. */
  readonly cpuSvn: Uint8Array
  /** 2 bytes. */
  readonly pceId: Uint8Array
  /** 6 bytes: family, model, stepping, platform type and custom SKU. */
  readonly fmspc: Uint8Array
  /** 0 standard, 1 scalable, 2 scalable with integrity. */
  readonly sgxType: number
}

const CODE = 'ERR_PCK_EXTENSION'

/** A pair of object identifier and any value has the form of an AlgorithmIdentifier. */
class Pairs extends AsnArray<AlgorithmIdentifier> {}
AsnType({ type: AsnTypeTypes.Sequence, itemType: AlgorithmIdentifier })(Pairs)

/**
 * Reads Intel's extension of a PCK certificate in DER.
 * @throws WireError `ERR_CERTIFICATE`, `ERR_PCK_EXTENSION` (`at` is the OID)
 */
export function decodePckExtensions(der: Uint8Array): PckExtensions {
  const extension = extensionOf(parseCertificate(der), SGX_EXTENSIONS_OID)
  if (extension === undefined) throw broken(SGX_EXTENSIONS_OID, 'is missing')
  const entries = pairsOf(extension.extnValue.buffer, SGX_EXTENSIONS_OID)
  const tcb = pairsOf(required(entries, PCK_OIDS.tcb), PCK_OIDS.tcb)
  return {
    ppid: octets(entries, PCK_OIDS.ppid, 16),
    tcbComponents: Array.from({ length: 16 }, (_, index) =>
      integer(tcb, `${PCK_OIDS.tcbComponent}${index + 1}`, 0x02, 0xff),
    ),
    pceSvn: integer(tcb, PCK_OIDS.pceSvn, 0x02, 0xffff),
    cpuSvn: octets(tcb, PCK_OIDS.cpuSvn, 16),
    pceId: octets(entries, PCK_OIDS.pceId, 2),
    fmspc: octets(entries, PCK_OIDS.fmspc, 6),
    sgxType: integer(entries, PCK_OIDS.sgxType, 0x0a, 2),
  }
}

function pairsOf(der: ArrayBuffer, oid: string): ReadonlyMap<string, ArrayBuffer> {
  let pairs: Pairs
  try {
    pairs = AsnConvert.parse(der, Pairs)
  } catch (cause) {
    throw new WireError(CODE, `${oid} is not a sequence of identifiers and values`, oid, { cause })
  }
  const values = new Map<string, ArrayBuffer>()
  for (const { algorithm, parameters } of pairs) {
    if (values.has(algorithm)) throw broken(algorithm, 'is there twice')
    if (!parameters) throw broken(algorithm, 'has no value')
    values.set(algorithm, parameters)
  }
  return values
}

function required(values: ReadonlyMap<string, ArrayBuffer>, oid: string): ArrayBuffer {
  const value = values.get(oid)
  if (value === undefined) throw broken(oid, 'is missing')
  return value
}

function octets(values: ReadonlyMap<string, ArrayBuffer>, oid: string, size: number): Uint8Array<ArrayBuffer> {
  let content: Uint8Array<ArrayBuffer>
  try {
    content = new Uint8Array(AsnConvert.parse(required(values, oid), OctetString).buffer)
  } catch (cause) {
    if (cause instanceof WireError) throw cause
    throw new WireError(CODE, `${oid} is not an OCTET STRING`, oid, { cause })
  }
  if (content.length !== size) throw broken(oid, `has ${size} bytes, not ${content.length}`)
  return content
}

/** A small non-negative INTEGER (tag 2) or ENUMERATED (tag 10), in DER. */
function integer(values: ReadonlyMap<string, ArrayBuffer>, oid: string, tag: number, greatest: number): number {
  const [foundTag, length, ...content] = new Uint8Array(required(values, oid))
  const [first = 0, second = 0] = content
  const minimal = content.length === 1 || first !== 0 || second >= 0x80
  if (foundTag !== tag || length !== content.length || content.length < 1 || content.length > 3) {
    throw broken(oid, 'is not a small number')
  }
  const value = content.reduce((sum, byte) => sum * 256 + byte, 0)
  if (first >= 0x80 || !minimal || value > greatest) throw broken(oid, `is not a number from 0 to ${greatest}`)
  return value
}

function broken(oid: string, what: string): WireError {
  return new WireError(CODE, `${oid} ${what}`, oid)
}
