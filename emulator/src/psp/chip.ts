import { encodeTcb, equalBytes, type TcbVersion } from '@skerry/guest/wire'
import type { EmulatorContext, Faults } from '../core/index.ts'
import { memo } from './memo.ts'

/** The one product this processor is, in AMD's key distribution names. */
export const PRODUCT = 'Milan'

/** CPUID family, model and stepping of a Milan B1, as reports of version 3 carry them. */
export const CPUID = { family: 0x19, model: 0x01, stepping: 0x01 } as const

/** Firmware 1.55.29: what Azure's Milan hosts ran when reports of version 3 appeared. */
export const FIRMWARE = { major: 1, minor: 55, build: 29 } as const

/** SMT enabled, ECC memory, alias check complete (SNP ABI, platform_info bits 0, 2 and 5). */
export const PLATFORM_INFO = 0x25n

/** What the host's firmware is at. The microcode is above 127, so certificates write it as a two-byte INTEGER. */
export const CURRENT_TCB: TcbVersion = { bootLoader: 4, tee: 0, snp: 24, microcode: 0xdb }

/** What it was at before; AMD still certifies it. */
export const FORMER_TCB: TcbVersion = { bootLoader: 3, tee: 0, snp: 22, microcode: 0xd1 }

/** Ahead of every certificate: what reports claim under the fault `tcb`. */
export const UNCERTIFIED_TCB: TcbVersion = { bootLoader: 4, tee: 0, snp: 24, microcode: 0xdc }

/**
 * The TCB that reports state and are signed for. Under the fault `tcb` the host has a newer microcode than the one it
 * holds certificates for, and AMD (as emulated) has not certified that one yet: THIM, the extended report and the key
 * distribution service all keep to CURRENT_TCB, so no refresh can make report and certificate agree.
 */
export function reportedTcb(faults: Faults): TcbVersion {
  return faults.tamper === 'tcb' ? UNCERTIFIED_TCB : CURRENT_TCB
}

/** Whether this chip has a certificate for that TCB. */
export function isCertified(tcb: TcbVersion): boolean {
  const wanted = encodeTcb(tcb, PRODUCT)
  return [CURRENT_TCB, FORMER_TCB].some((known) => equalBytes(encodeTcb(known, PRODUCT), wanted))
}

/** What is burnt into one chip and set up on its host: random, made once, the same at every start. */
export interface ChipIdentity {
  /** 64 bytes; a VCEK names it as hardware id. */
  readonly chipId: Uint8Array
  /** 48 bytes: SHA-384 of the key that signs the ID blocks of this host's guests. */
  readonly idKeyDigest: Uint8Array
  /** 32 bytes; root of the keys that guests derive (MSG_KEY_REQ). Never leaves the processor. */
  readonly derivationSecret: Uint8Array
}

export function chipIdentity(ctx: EmulatorContext): () => Promise<ChipIdentity> {
  return memo(async () => {
    const kept = await ctx.keys.file('psp-chip.json', async () => {
      const random = (size: number) => ctx.random.bytes(size).toString('hex')
      return JSON.stringify({ chipId: random(64), idKeyDigest: random(48), derivationSecret: random(32) })
    })
    const fields = JSON.parse(kept) as Record<keyof ChipIdentity, string>
    const bytes = (name: keyof ChipIdentity) => new Uint8Array(Buffer.from(fields[name], 'hex'))
    return { chipId: bytes('chipId'), idKeyDigest: bytes('idKeyDigest'), derivationSecret: bytes('derivationSecret') }
  })
}
