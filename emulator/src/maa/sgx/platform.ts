import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { derToPem, encodeHex, type PckExtensions } from '@skerry/guest/wire'
import type { EmulatorContext } from '../../core/index.ts'
import { memo } from '../../psp/memo.ts'
import type { RevokedCertificate } from '../../x509/certificate.ts'
import { spkiSha256 } from '../evidence/certificates.ts'
import type { SgxCollateral } from './collateral.ts'
import { createEnclave } from './enclave.ts'
import {
  buildPck,
  buildPckCa,
  buildSgxCrl,
  buildSgxRoot,
  buildTcbSigning,
  type KeyPair,
  serialOf,
} from './intel-profile.ts'
import { CURRENT_PLATFORM_TCB, FMSPC, PCE_ID, qeIdentityText, tcbInfoText } from './own-collateral.ts'
import type { PlatformKey, PlatformTcb, QuotingPlatform, SgxPlatform } from './types.ts'

const DAY_MS = 24 * 3600 * 1000
/** How long collateral is good for: as Intel's. */
const COLLATERAL_MS = 30 * DAY_MS

/**
 * The SGX platform of this instance. Keys are made at the first need and kept with `ctx.keys`; certificates are made from
 * them anew.
 */
export function createSgxPlatform(ctx: EmulatorContext): SgxPlatform {
  const keys = memo(async () => {
    const [root, ca, signing] = await Promise.all([
      ctx.keys.ec('sgx-root', 'P-256'),
      ctx.keys.ec('sgx-pck-ca', 'P-256'),
      ctx.keys.ec('sgx-tcb-signing', 'P-256'),
    ])
    return { root: pair(root), ca: pair(ca), signing: pair(signing) }
  })
  const certificates = memo(async () => {
    const { root, ca, signing } = await keys()
    const now = ctx.clock.now()
    return {
      root: buildSgxRoot(root, now),
      ca: buildPckCa(ca.publicKey, root, now),
      signing: buildTcbSigning(signing.publicKey, root, now),
    }
  })
  /** 16 bytes that no other instance has. */
  const identifier = async (of: string) => {
    const { root } = await keys()
    return new Uint8Array(
      createHash('sha256')
        .update(`${of} ${spkiSha256(root.publicKey)}`)
        .digest(),
    ).slice(0, 16)
  }

  const platformKeys = new Map<string, () => Promise<PlatformKey>>()
  const pck = (tcb: PlatformTcb): Promise<PlatformKey> => {
    const name = `${encodeHex(Uint8Array.from(tcb.components))}-${tcb.pceSvn}`
    const known = platformKeys.get(name) ?? memo(() => certify(name, tcb))
    platformKeys.set(name, known)
    return known()
  }
  const certify = async (name: string, tcb: PlatformTcb): Promise<PlatformKey> => {
    const [{ ca }, issued, ppid, key] = await Promise.all([
      keys(),
      certificates(),
      identifier('ppid'),
      ctx.keys.ec(`sgx-pck-${name}`, 'P-256'),
    ])
    const extensions: PckExtensions = {
      ppid,
      tcbComponents: tcb.components,
      pceSvn: tcb.pceSvn,
      cpuSvn: Uint8Array.from(tcb.components),
      pceId: PCE_ID,
      fmspc: FMSPC,
      sgxType: 0,
    }
    const leaf = buildPck(createPublicKey(key), extensions, ca, ctx.clock.now())
    return { key, extensions, chainPem: [leaf, issued.ca, issued.root].map((der) => derToPem(der)).join('') }
  }

  const revoked: RevokedCertificate[] = []
  const makeCollateral = async (baseline: number, thisUpdate: number): Promise<SgxCollateral> => {
    const [{ root, ca, signing }, issued] = await Promise.all([keys(), certificates()])
    const times = { thisUpdate, nextUpdate: thisUpdate + COLLATERAL_MS }
    const chain = derToPem(issued.signing) + derToPem(issued.root)
    const tcbInfo = tcbInfoText({ baseline, ...times })
    const qeIdentity = qeIdentityText({ baseline, ...times })
    return {
      rootCaCrl: new Uint8Array(buildSgxCrl('root', root, times)),
      pckCrlIssuerChain: derToPem(issued.ca) + derToPem(issued.root),
      pckCrl: new Uint8Array(buildSgxCrl('processorCa', ca, { ...times, revoked })),
      tcbInfoIssuerChain: chain,
      tcbInfo,
      tcbInfoSignature: signText(tcbInfo, signing.privateKey),
      qeIdentityIssuerChain: chain,
      qeIdentity,
      qeIdentitySignature: signText(qeIdentity, signing.privateKey),
    }
  }

  // Of one day and one state of the list, it is the same to the byte.
  const collaterals = new Map<string, Promise<SgxCollateral>>()
  const collateral = (baseline: number): Promise<SgxCollateral> => {
    const thisUpdate = startOfDay(ctx.clock.now())
    const name = `${baseline} ${thisUpdate} ${revoked.length}`
    const made = collaterals.get(name) ?? makeCollateral(baseline, thisUpdate)
    // An earlier day does not come back, but for a clock that is set back.
    if (collaterals.size > 16) collaterals.clear()
    collaterals.set(name, made)
    // A failure is not kept: the next one to ask tries again.
    made.catch(() => collaterals.delete(name))
    return made
  }

  const quoting: QuotingPlatform = {
    pck,
    attestationKey: () => ctx.keys.ec('sgx-attestation', 'P-256'),
    platformId: () => identifier('platform id'),
  }
  return {
    rootSpkiSha256: async () => spkiSha256((await keys()).root.publicKey),
    rootCertificate: async () => (await certificates()).root,
    collateral,
    launch: (options) => createEnclave(quoting, options),
    async revoke(tcb = CURRENT_PLATFORM_TCB) {
      const { key } = await pck(tcb)
      revoked.push({ serial: serialOf(createPublicKey(key)), at: new Date(ctx.clock.now()) })
    },
  }
}

function startOfDay(ms: number): number {
  return ms - (((ms % DAY_MS) + DAY_MS) % DAY_MS)
}

function pair(privateKey: KeyObject): KeyPair {
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

function signText(text: string, key: KeyObject): Uint8Array {
  return new Uint8Array(sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }))
}
