import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { derToPem, encodeTcb, pemToDer, type SnpProduct, type TcbVersion, tcbToHex } from '@skerry/guest/wire'
import type { EmulatorContext } from '../core/index.ts'
import type { RevokedCertificate } from '../x509/certificate.ts'
import { buildArk, buildAsk, buildAsvk, buildCrl, buildVcek, buildVlek } from './amd-profile.ts'
import { type ChipIdentity, endorsementKey, vlekSecret } from './chip.ts'
import { memo } from './memo.ts'

/** Changes when the content of the certificates does, so that kept ones of an older Skerry are not used. */
const PROFILE = 'v3'

const DAY_MS = 24 * 3600 * 1000

/** A certificate is issued anew in each period, and begins so long before it that it never looks quite new. */
const ISSUES = {
  vcek: { periodMs: 730 * DAY_MS, ageMs: 180 * DAY_MS },
  vlek: { periodMs: 120 * DAY_MS, ageMs: 30 * DAY_MS },
} as const

/** How long a revocation list holds. */
const CRL_DAYS = 365

/** What endorses the reports of a TCB. */
export interface Endorsement {
  /** The P-384 private key that reports are signed with. */
  readonly key: KeyObject
  /** DER. */
  certificate(): Promise<Uint8Array>
}

export type Authority = 'ark' | 'ask' | 'asvk'

/** The keys and certificates of one product, and those of one chip for each TCB. Nothing is made before it is asked for. */
export interface Hierarchy {
  arkSpkiSha256(): Promise<string>
  /** DER. */
  authority(which: Authority): Promise<Uint8Array>
  vcek(tcb: TcbVersion): Promise<Endorsement>
  vlek(tcb: TcbVersion): Promise<Endorsement>
  /** @param revoked which of the two intermediates the root has revoked */
  crl(revoked: readonly Exclude<Authority, 'ark'>[]): Promise<Uint8Array>
}

export interface HierarchyOptions {
  readonly product: SnpProduct
  readonly chip: () => Promise<ChipIdentity>
  readonly cspId: string
  readonly serials: Readonly<Record<Exclude<Authority, 'ark'>, bigint>>
}

export function createHierarchy(ctx: EmulatorContext, options: HierarchyOptions): Hierarchy {
  const { product, chip, cspId } = options
  const suffix = product === 'Milan' ? '' : `-${product.toLowerCase()}`
  const rsa = (which: Authority) => memo(async () => pair(await ctx.keys.rsa(`psp-${which}${suffix}`, 4096)))
  const keys = { ark: rsa('ark'), ask: rsa('ask'), asvk: rsa('asvk') }
  const vleks = vlekSecret(ctx)

  /** A certificate kept beside the keys, under a name that changes with the keys it binds. */
  const kept = async (name: string, keysOfIt: readonly KeyObject[], build: () => Buffer) => {
    const bound = keysOfIt.map((key) => spkiSha256(key).slice(0, 16)).join('-')
    const file = `psp-${name}${suffix}-${PROFILE}-${bound}.pem`
    const pem = await ctx.keys.file(file, async () => derToPem(build()))
    return pemToDer(pem)[0]!
  }

  const authorities: Record<Authority, () => Promise<Uint8Array>> = {
    ark: memo(async () => {
      const ark = await keys.ark()
      return kept('ark', [ark.publicKey], () => buildArk(ark, product))
    }),
    ask: memo(async () => {
      // RSA-4096 takes long to make: whoever asks for one gets both started, side by side.
      const [ark, ask] = await Promise.all([keys.ark(), keys.ask()])
      return kept('ask', [ask.publicKey, ark.publicKey], () => buildAsk(ask.publicKey, ark, product))
    }),
    asvk: memo(async () => {
      const [ark, asvk] = await Promise.all([keys.ark(), keys.asvk()])
      return kept('asvk', [asvk.publicKey, ark.publicKey], () => buildAsvk(asvk.publicKey, ark, product))
    }),
  }

  const made = new Map<string, Promise<Endorsement>>()
  const endorsement = (kind: 'vcek' | 'vlek', tcb: TcbVersion): Promise<Endorsement> => {
    const bytes = encodeTcb(tcb, product)
    const name = `${kind}-${tcbToHex(bytes).toLowerCase()}`
    const known = made.get(name)
    if (known !== undefined) return known
    const making = (async (): Promise<Endorsement> => {
      const { chipId, secret } = await chip()
      const root = kind === 'vcek' ? secret : await vleks()
      const key = endorsementKey(root, `skerry ${kind} ${product}`, bytes)
      const publicKey = createPublicKey(key)
      const issued = new Map<number, () => Promise<Uint8Array>>()
      const certificate = () => {
        const { periodMs, ageMs } = ISSUES[kind]
        const period = Math.floor(ctx.clock.now() / periodMs)
        const notBefore = period * periodMs - ageMs
        const issue = issued.get(period) ?? memo(() => build(notBefore, period))
        issued.set(period, issue)
        return issue()
      }
      const build = async (notBefore: number, period: number) => {
        const issuer = await (kind === 'vcek' ? keys.ask : keys.asvk)()
        const of = kind === 'vcek' ? `${name}-${period}` : `${name}-${period}-${cspDigest(cspId)}`
        return kept(of, [publicKey, issuer.publicKey], () =>
          kind === 'vcek'
            ? buildVcek({ product, publicKey, chipId, tcb }, issuer.privateKey, notBefore)
            : buildVlek({ product, publicKey, cspId, tcb }, issuer.privateKey, notBefore),
        )
      }
      return { key, certificate }
    })()
    made.set(name, making)
    making.catch(() => made.delete(name))
    return making
  }

  let list: { readonly der: Uint8Array; readonly nextUpdate: number; readonly revoked: string } | undefined
  let lists = 0
  return {
    arkSpkiSha256: memo(async () => spkiSha256((await keys.ark()).publicKey)),
    authority: (which) => authorities[which](),
    vcek: (tcb) => endorsement('vcek', tcb),
    vlek: (tcb) => endorsement('vlek', tcb),
    async crl(revoked) {
      const ark = await keys.ark()
      const now = ctx.clock.now()
      if (list === undefined || list.nextUpdate <= now || list.revoked !== revoked.join()) {
        const [thisUpdate, nextUpdate] = [now - DAY_MS, now + CRL_DAYS * DAY_MS]
        const entries = revoked.map(
          (which): RevokedCertificate => ({ serial: options.serials[which], at: new Date(thisUpdate) }),
        )
        lists = Math.min(lists + 1, 127)
        const der = buildCrl(ark, { thisUpdate, nextUpdate, number: lists, revoked: entries }, product)
        list = { der, nextUpdate, revoked: revoked.join() }
      }
      return list.der
    },
  }
}

function cspDigest(cspId: string): string {
  return createHash('sha256').update(cspId).digest('hex').slice(0, 8)
}

function pair(privateKey: KeyObject): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

function spkiSha256(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
}
