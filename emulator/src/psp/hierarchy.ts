import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { derToPem, encodeHex, encodeTcb, pemToDer, type TcbVersion, tcbToHex } from '@skerry/guest/wire'
import type { EmulatorContext } from '../core/index.ts'
import { buildArk, buildAsk, buildCrl, buildVcek } from './amd-profile.ts'
import { type ChipIdentity, PRODUCT } from './chip.ts'
import { memo } from './memo.ts'

/** Changes when the content of the certificates does, so that kept ones of an older Skerry are not used. */
const PROFILE = 'v1'

const DAY_MS = 24 * 3600 * 1000

/** The keys and certificates above one chip, and the chip's own for each TCB. Nothing is made before it is asked for. */
export interface Hierarchy {
  arkSpkiSha256(): Promise<string>
  /** DER. */
  ark(): Promise<Uint8Array>
  ask(): Promise<Uint8Array>
  vcek(tcb: TcbVersion): Promise<Uint8Array>
  /** The P-384 private key that reports of this TCB are signed with. */
  vcekKey(tcb: TcbVersion): Promise<KeyObject>
  crl(): Promise<Uint8Array>
}

export function createHierarchy(ctx: EmulatorContext, chip: () => Promise<ChipIdentity>): Hierarchy {
  // RSA-4096 takes long to make: whoever asks for one gets both started, side by side.
  const keys = memo(async () => {
    const [ark, ask] = await Promise.all([ctx.keys.rsa('psp-ark', 4096), ctx.keys.rsa('psp-ask', 4096)])
    return { ark: pair(ark), ask: pair(ask) }
  })

  /** A certificate kept beside the keys, under a name that changes with the keys it binds. */
  const kept = async (name: string, keysOfIt: readonly KeyObject[], build: () => Buffer) => {
    const bound = keysOfIt.map((key) => spkiSha256(key).slice(0, 16)).join('-')
    const pem = await ctx.keys.file(`psp-${name}-${PROFILE}-${bound}.pem`, async () => derToPem(build()))
    return pemToDer(pem)[0]!
  }

  const ark = memo(async () => {
    const { ark } = await keys()
    return kept('ark', [ark.publicKey], () => buildArk(ark, ctx.clock.now()))
  })
  const ask = memo(async () => {
    const { ark, ask } = await keys()
    return kept('ask', [ask.publicKey, ark.publicKey], () => buildAsk(ask.publicKey, ark, ctx.clock.now()))
  })

  const vcekKey = async (tcb: TcbVersion) => {
    const { chipId } = await chip()
    return ctx.keys.ec(`psp-vcek-${encodeHex(chipId.subarray(0, 8))}-${tcbHex(tcb)}`, 'P-384')
  }
  const vceks = new Map<string, () => Promise<Uint8Array>>()
  const vcek = (tcb: TcbVersion) => {
    const name = tcbHex(tcb)
    let certificate = vceks.get(name)
    if (certificate === undefined) {
      certificate = memo(async () => {
        const [{ ask }, { chipId }, key] = await Promise.all([keys(), chip(), vcekKey(tcb)])
        const publicKey = createPublicKey(key)
        const build = () => buildVcek({ publicKey, chipId, tcb }, ask.privateKey, ctx.clock.now())
        return kept(`vcek-${name}`, [publicKey, ask.publicKey], build)
      })
      vceks.set(name, certificate)
    }
    return certificate()
  }

  let list: { readonly der: Uint8Array; readonly nextUpdate: number } | undefined
  return {
    arkSpkiSha256: async () => spkiSha256((await keys()).ark.publicKey),
    ark,
    ask,
    vcek,
    vcekKey,
    async crl() {
      const { ark } = await keys()
      const now = ctx.clock.now()
      if (list === undefined || list.nextUpdate <= now) {
        const nextUpdate = now + 365 * DAY_MS
        list = { der: buildCrl(ark, { thisUpdate: now - DAY_MS, nextUpdate }), nextUpdate }
      }
      return list.der
    },
  }
}

function tcbHex(tcb: TcbVersion): string {
  return tcbToHex(encodeTcb(tcb, PRODUCT)).toLowerCase()
}

function pair(privateKey: KeyObject): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

function spkiSha256(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
}
