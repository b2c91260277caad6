import { copyBytes, decodeHex, encodeHex, isZero } from './bytes.ts'
import { WireError } from './errors.ts'

/**
 * The certificate table that SNP_GET_EXT_REPORT and configfs-tsm's `auxblob` hand out.
 * Source: "Guest Hypervisor Communication Block Standardization" (AMD 56421), SNP Extended Guest Request.
 * Entries of 24 bytes (GUID in RFC 4122 field order, u32 offset, u32 length), an all-zero entry, then the contents.
 */
export const CERTIFICATE_GUIDS = {
  vcek: '63da758d-e664-4564-adc5-f4b93be8accd',
  vlek: 'a8074bc2-a25a-483e-aae6-39c045a0b8a1',
  /** ASK, or ASVK beside a VLEK. */
  ask: '4ab7b379-bbac-4fe4-a02f-05aef327c782',
  ark: 'c0b406a4-a803-4952-9743-3fb6014cd0ae',
  crl: '92f81bc3-5811-4d3d-97ff-d19f88dc67ea',
} as const

export interface CertificateTableEntry {
  /** Lower-case text form. */
  readonly guid: string
  /** DER. */
  readonly data: Uint8Array
}

const ENTRY_SIZE = 24

export function encodeCertificateTable(entries: readonly CertificateTableEntry[]): Uint8Array<ArrayBuffer> {
  const headerSize = (entries.length + 1) * ENTRY_SIZE
  const table = new Uint8Array(entries.reduce((size, entry) => size + entry.data.length, headerSize))
  const view = new DataView(table.buffer)
  let offset = headerSize
  for (const [index, { guid, data }] of entries.entries()) {
    const at = index * ENTRY_SIZE
    table.set(guidBytes(guid), at)
    view.setUint32(at + 16, offset, true)
    view.setUint32(at + 20, data.length, true)
    table.set(data, offset)
    offset += data.length
  }
  return table
}

/**
 * @throws WireError `ERR_CERTIFICATE_TABLE` when the table has no end, an entry points outside it, or the entries together
 * are longer than it (they overlap: a small table could otherwise name any amount of memory)
 */
export function decodeCertificateTable(table: Uint8Array): CertificateTableEntry[] {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength)
  const entries: CertificateTableEntry[] = []
  let total = 0
  for (let at = 0; at + ENTRY_SIZE <= table.length; at += ENTRY_SIZE) {
    if (isZero(table.subarray(at, at + ENTRY_SIZE))) return entries
    const offset = view.getUint32(at + 16, true)
    const length = view.getUint32(at + 20, true)
    if (offset + length > table.length) {
      throw new WireError(
        'ERR_CERTIFICATE_TABLE',
        `entry ${entries.length} ends at byte ${offset + length} of ${table.length}`,
        `entry@${at}`,
      )
    }
    total += length
    if (total > table.length) {
      throw new WireError('ERR_CERTIFICATE_TABLE', `entry ${entries.length} overlaps with another`, `entry@${at}`)
    }
    entries.push({ guid: guidText(table.subarray(at, at + 16)), data: copyBytes(table, offset, offset + length) })
  }
  throw new WireError('ERR_CERTIFICATE_TABLE', 'the table has no all-zero entry that ends it')
}

/**
 * The part of a table's room that is in use: up to the end of the last content; nothing where the host has no
 * certificates, which leaves the room zero. Linux cuts `auxblob` in the same way. A table without an end stays as it is.
 */
export function trimCertificateTable(room: Uint8Array): Uint8Array {
  const view = new DataView(room.buffer, room.byteOffset, room.byteLength)
  let end = 0
  for (let at = 0; at + ENTRY_SIZE <= room.length; at += ENTRY_SIZE) {
    if (isZero(room.subarray(at, at + ENTRY_SIZE)))
      return room.subarray(0, at === 0 ? 0 : Math.max(at + ENTRY_SIZE, end))
    end = Math.max(end, view.getUint32(at + 16, true) + view.getUint32(at + 20, true))
  }
  return room
}

function guidBytes(guid: string): Uint8Array {
  const digits = guid.replaceAll('-', '')
  if (digits.length !== 32) throw new WireError('ERR_CERTIFICATE_TABLE', `${guid} is not a GUID`)
  return decodeHex(digits)
}

function guidText(bytes: Uint8Array): string {
  return encodeHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
