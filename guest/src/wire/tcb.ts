import { copyBytes, decodeHex, encodeHex, equalBytes } from './bytes.ts'
import { WireError } from './errors.ts'
import type { SnpProduct } from './report.ts'

/**
 * TCB_VERSION: the security patch levels of the firmware components, one byte each.
 * Source: AMD 56860, TCB_VERSION structure; AMD 57230 (VCEK certificate and KDS) for the names.
 */
export interface TcbVersion {
  readonly bootLoader: number
  readonly tee: number
  readonly snp: number
  readonly microcode: number
  /** Turin only. */
  readonly fmc?: number
}

/** Bytes of a TCB_VERSION. */
export const TCB_SIZE = 8

interface TcbLayout {
  readonly bootLoader: number
  readonly tee: number
  readonly snp: number
  readonly microcode: number
  readonly fmc?: number
}

const MILAN_LAYOUT: TcbLayout = { bootLoader: 0, tee: 1, snp: 6, microcode: 7 }
const TURIN_LAYOUT: TcbLayout = { fmc: 0, bootLoader: 1, tee: 2, snp: 3, microcode: 7 }

function layoutOf(product: SnpProduct): TcbLayout {
  return product === 'Turin' ? TURIN_LAYOUT : MILAN_LAYOUT
}

/** Reads 8 bytes in memory order; which byte is what depends on the product. Reserved bytes are not looked at. */
export function decodeTcb(bytes: Uint8Array, product: SnpProduct): TcbVersion {
  requireTcbSize(bytes)
  const { fmc, ...layout } = layoutOf(product)
  return {
    bootLoader: bytes[layout.bootLoader]!,
    tee: bytes[layout.tee]!,
    snp: bytes[layout.snp]!,
    microcode: bytes[layout.microcode]!,
    ...(fmc !== undefined && { fmc: bytes[fmc]! }),
  }
}

/** Writes 8 bytes in memory order. */
export function encodeTcb(tcb: TcbVersion, product: SnpProduct): Uint8Array<ArrayBuffer> {
  const layout = layoutOf(product)
  if (tcb.fmc !== undefined && layout.fmc === undefined) {
    throw new WireError('ERR_TCB_COMPONENT', `${product} has no FMC component`, 'fmc')
  }
  const bytes = new Uint8Array(TCB_SIZE)
  for (const name of ['bootLoader', 'tee', 'snp', 'microcode', 'fmc'] as const) {
    const offset = layout[name]
    const value = tcb[name] ?? 0
    if (!Number.isInteger(value) || value < 0 || value > 255) {
      throw new WireError('ERR_TCB_COMPONENT', `${name} is a byte, not ${value}`, name)
    }
    if (offset !== undefined) bytes[offset] = value
  }
  return bytes
}

/** The u64 in upper-case hex, 16 digits, most significant byte first: the form of THIM's `tcbm`. */
export function tcbToHex(bytes: Uint8Array): string {
  requireTcbSize(bytes)
  return encodeHex(copyBytes(bytes).reverse()).toUpperCase()
}

/** Back to 8 bytes in memory order. Either case; leading zeros may be missing, as in Azure's cache URLs. */
export function tcbFromHex(text: string): Uint8Array<ArrayBuffer> {
  if (!/^[0-9a-fA-F]{1,16}$/.test(text)) {
    throw new WireError('ERR_TCB_HEX', 'a TCB is a u64 in at most 16 hexadecimal digits')
  }
  return decodeHex(text.padStart(2 * TCB_SIZE, '0')).reverse()
}

export function equalTcb(a: Uint8Array, b: Uint8Array): boolean {
  requireTcbSize(a)
  requireTcbSize(b)
  return equalBytes(a, b)
}

function requireTcbSize(bytes: Uint8Array): void {
  if (bytes.length !== TCB_SIZE)
    throw new WireError('ERR_TCB_SIZE', `a TCB is ${TCB_SIZE} bytes, these are ${bytes.length}`)
}
