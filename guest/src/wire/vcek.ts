import { copyBytes } from './bytes.ts'
import { readCertificateParts } from './certificate-parts.ts'
import { WireError } from './errors.ts'
import type { SnpProduct } from './report.ts'
import type { TcbVersion } from './tcb.ts'

/**
 * What a VCEK or VLEK certificate says about its chip and TCB.
 * Source: AMD "Versioned Chip Endorsement Key (VCEK) Certificate and KDS Interface Specification" (57230), table of
 * X.509 extensions. All under 1.3.6.1.4.1.3704.1.
 */
export const VCEK_OIDS = {
  structureVersion: '1.3.6.1.4.1.3704.1.1',
  productName: '1.3.6.1.4.1.3704.1.2',
  bootLoader: '1.3.6.1.4.1.3704.1.3.1',
  tee: '1.3.6.1.4.1.3704.1.3.2',
  snp: '1.3.6.1.4.1.3704.1.3.3',
  spl4: '1.3.6.1.4.1.3704.1.3.4',
  spl5: '1.3.6.1.4.1.3704.1.3.5',
  spl6: '1.3.6.1.4.1.3704.1.3.6',
  spl7: '1.3.6.1.4.1.3704.1.3.7',
  microcode: '1.3.6.1.4.1.3704.1.3.8',
  fmc: '1.3.6.1.4.1.3704.1.3.9',
  hwid: '1.3.6.1.4.1.3704.1.4',
  cspId: '1.3.6.1.4.1.3704.1.5',
} as const

export interface VcekExtensions {
  /** 0 Milan and Genoa, 1 Turin: with an FMC level and a short HWID. */
  readonly structureVersion: number
  /** `Milan-B0`, `Genoa`, `Turin` … */
  readonly productName: string
  readonly tcb: TcbVersion
  /** Absent from a VLEK. 64 bytes, 8 on Turin. */
  readonly hwid?: Uint8Array
  /** Only in a VLEK. */
  readonly cspId?: string
}

/**
 * Reads AMD's extensions of a VCEK or VLEK.
 * @throws WireError `ERR_CERTIFICATE`, `ERR_VCEK_EXTENSION` (`at` is the OID)
 */
export function decodeVcekExtensions(der: Uint8Array): VcekExtensions {
  const extensions = new Map<string, Uint8Array>()
  for (const { oid, value } of readCertificateParts(der).extensions) {
    if (extensions.has(oid)) throw new WireError('ERR_VCEK_EXTENSION', `extension ${oid} is there twice`, oid)
    extensions.set(oid, value)
  }
  const content = (oid: string) => {
    const value = extensions.get(oid)
    return value === undefined ? undefined : copyBytes(value)
  }
  const required = (oid: string) => {
    const value = content(oid)
    if (value === undefined) throw new WireError('ERR_VCEK_EXTENSION', `extension ${oid} is missing`, oid)
    return value
  }
  const level = (oid: string) => decodeLevel(required(oid), oid)

  const structureVersion = level(VCEK_OIDS.structureVersion)
  const fmc = content(VCEK_OIDS.fmc)
  const hwid = content(VCEK_OIDS.hwid)
  const cspId = content(VCEK_OIDS.cspId)
  if (hwid === undefined && cspId === undefined) {
    throw new WireError(
      'ERR_VCEK_EXTENSION',
      'the certificate names neither a chip (HWID) nor a provider (CSP_ID)',
      VCEK_OIDS.hwid,
    )
  }
  if (structureVersion === 1 && fmc === undefined) required(VCEK_OIDS.fmc)
  if (structureVersion === 0 && fmc !== undefined) {
    throw new WireError(
      'ERR_VCEK_EXTENSION',
      'only certificates of structure version 1 have an FMC level',
      VCEK_OIDS.fmc,
    )
  }
  const hwidSize = structureVersion === 0 ? 64 : 8
  if (hwid !== undefined && hwid.length !== hwidSize) {
    throw new WireError(
      'ERR_VCEK_EXTENSION',
      `the hardware id of structure version ${structureVersion} is ${hwidSize} bytes, this one ${hwid.length}`,
      VCEK_OIDS.hwid,
    )
  }
  return {
    structureVersion,
    productName: decodeIa5(required(VCEK_OIDS.productName), VCEK_OIDS.productName),
    tcb: {
      bootLoader: level(VCEK_OIDS.bootLoader),
      tee: level(VCEK_OIDS.tee),
      snp: level(VCEK_OIDS.snp),
      microcode: level(VCEK_OIDS.microcode),
      ...(fmc !== undefined && { fmc: decodeLevel(fmc, VCEK_OIDS.fmc) }),
    },
    ...(hwid !== undefined && { hwid }),
    ...(cspId !== undefined && { cspId: decodeIa5(cspId, VCEK_OIDS.cspId) }),
  }
}

/** The product of a name such as `Milan-B0`, `SEV-Genoa`, `ARK-Turin` or `SEV-VLEK-Milan`. */
export function productOfName(name: string): SnpProduct | undefined {
  return (['Milan', 'Genoa', 'Turin'] as const).find((product) => name.split('-').includes(product))
}

/**
 * A patch level: DER INTEGER from 0 to 255. Values from 128 on take two content bytes (`02 02 00 xx`), which is the
 * normal case for today's microcode.
 */
function decodeLevel(content: Uint8Array, oid: string): number {
  const [tag, length, first, second] = content
  if (tag === 0x02 && length === 1 && content.length === 3 && first! < 0x80) return first!
  if (tag === 0x02 && length === 2 && content.length === 4 && first === 0 && second! >= 0x80) return second!
  throw new WireError('ERR_VCEK_EXTENSION', `extension ${oid} is not a DER INTEGER from 0 to 255`, oid)
}

function decodeIa5(content: Uint8Array, oid: string): string {
  const [tag, length] = content
  const text = content.subarray(2)
  if (tag === 0x16 && length === text.length && length < 0x80 && text.every((byte) => byte < 0x80)) {
    return String.fromCharCode(...text)
  }
  throw new WireError('ERR_VCEK_EXTENSION', `extension ${oid} is not an IA5String`, oid)
}
