import { createECDH, createPrivateKey, hkdfSync, type KeyObject } from 'node:crypto'
import type { SnpProduct } from '@skerry/guest/wire'
import type { EmulatorContext } from '../core/index.ts'
import { memo } from './memo.ts'
import { PRODUCT_FACTS } from './products.ts'

/** What is burnt into one chip and set up on its host: random, made once, the same at every start. */
export interface ChipIdentity {
  /** 64 bytes, as reports have it; a VCEK names its first bytes (Turin) or all of it as hardware id. */
  readonly chipId: Uint8Array
  /** 48 bytes: SHA-384 of the key that signs the ID blocks of this host's guests. */
  readonly idKeyDigest: Uint8Array
  /** 32 bytes; root of the chip's keys. Never leaves the processor. */
  readonly secret: Uint8Array
}

/** One chip of each product, as one machine may stand in for several hosts. */
export function chipIdentity(ctx: EmulatorContext, product: SnpProduct): () => Promise<ChipIdentity> {
  return memo(async () => {
    const name = product === 'Milan' ? 'psp-chip.json' : `psp-chip-${product.toLowerCase()}.json`
    const kept = await ctx.keys.file(name, async () => {
      const random = (size: number) => ctx.random.bytes(size).toString('hex')
      const hwid = random(PRODUCT_FACTS[product].hwidSize)
      return JSON.stringify({ chipId: hwid.padEnd(128, '0'), idKeyDigest: random(48), derivationSecret: random(32) })
    })
    const fields = JSON.parse(kept) as Record<'chipId' | 'idKeyDigest' | 'derivationSecret', string>
    const bytes = (field: keyof typeof fields) => new Uint8Array(Buffer.from(fields[field], 'hex'))
    return { chipId: bytes('chipId'), idKeyDigest: bytes('idKeyDigest'), secret: bytes('derivationSecret') }
  })
}

/** The root of the VLEKs that AMD gives this cloud: a secret of no single chip, 32 bytes. */
export function vlekSecret(ctx: EmulatorContext): () => Promise<Uint8Array> {
  return memo(async () => {
    const kept = await ctx.keys.file('psp-vlek.json', async () =>
      JSON.stringify({ secret: ctx.random.bytes(32).toString('hex') }),
    )
    return new Uint8Array(Buffer.from((JSON.parse(kept) as { secret: string }).secret, 'hex'))
  })
}

/** Order of P-384's base point (NIST SP 800-186). */
const P384_ORDER = BigInt(
  '0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
)

/**
 * The P-384 key of a secret and a TCB: the same for both, another one for any other TCB, as a VCEK is. AMD does not publish
 * its derivation; HKDF stands in for it.
 * @param tcb 8 bytes
 */
export function endorsementKey(secret: Uint8Array, label: string, tcb: Uint8Array): KeyObject {
  // 24 bytes more than the order has, so that the reduction shows nothing.
  const wide = Buffer.from(hkdfSync('sha384', secret, tcb, label, 72))
  const scalar = (BigInt(`0x${wide.toString('hex')}`) % (P384_ORDER - 1n)) + 1n
  const d = Buffer.from(scalar.toString(16).padStart(96, '0'), 'hex')
  const ecdh = createECDH('secp384r1')
  ecdh.setPrivateKey(d)
  const point = ecdh.getPublicKey()
  const text = (bytes: Buffer) => bytes.toString('base64url')
  const jwk = { kty: 'EC', crv: 'P-384', x: text(point.subarray(1, 49)), y: text(point.subarray(49)) }
  return createPrivateKey({ key: { ...jwk, d: text(d) }, format: 'jwk' })
}
