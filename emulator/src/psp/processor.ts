import {
  CERTIFICATE_GUIDS,
  derToPem,
  encodeCertificateTable,
  encodeHex,
  encodeTcb,
  type SnpProduct,
  type TcbVersion,
  tcbToHex,
} from '@skerry/guest/wire'
import type { EmulatorContext } from '../core/index.ts'
import { chipIdentity, vlekSecret } from './chip.ts'
import { createFaultPlan, type FaultPlan } from './fault-plan.ts'
import { type GuestHost, hostReport, tcbText, virtualGuest } from './guest.ts'
import { createHierarchy } from './hierarchy.ts'
import { isDebuggable, type LaunchedGuest, launchGuest } from './launch.ts'
import { type CertificateSupply, createTcbState, nextTcb } from './levels.ts'
import { type HostSettings, hostSettings, type ProcessorOptions } from './options.ts'
import { PRODUCT_FACTS } from './products.ts'
import type { ProcessorTcb, TrustAnchor, UvmIdentity, VirtualGuest, VirtualProcessor } from './types.ts'
import { createEndorser } from './uvm.ts'

/** How long a client may keep what THIM gave it, in seconds. */
const THIM_CACHE_SECONDS = 86_400

/**
 * A virtual AMD secure processor. Its chip, keys and certificates are made once and kept with `ctx.keys`; nothing is made
 * before it is asked for.
 * @throws ProcessorOptionError
 */
export function createProcessor(ctx: EmulatorContext, options: ProcessorOptions = {}): VirtualProcessor {
  const settings = hostSettings(options)
  const plan = createFaultPlan(ctx.faults)
  const uvm = createEndorser(ctx)
  const machine = new Map<SnpProduct, VirtualProcessor>()
  const of = (product: SnpProduct): VirtualProcessor => {
    const known = machine.get(product)
    if (known !== undefined) return known
    const made = createHost(ctx, {
      settings: hostSettings({ product, cspId: settings.cspId }),
      plan,
      uvm,
      of,
      siblings,
      used,
    })
    machine.set(product, made)
    return made
  }
  const siblings = () => [...machine.values()]
  const used = new Set<SnpProduct>()
  const own = createHost(ctx, { settings, plan, uvm, of, siblings, used })
  machine.set(settings.product, own)
  used.add(settings.product)
  return own
}

interface HostParts {
  readonly settings: HostSettings
  readonly plan: FaultPlan
  readonly uvm: UvmIdentity
  readonly of: VirtualProcessor['of']
  readonly siblings: VirtualProcessor['siblings']
  /** The products whose roots something of this run may be signed under. */
  readonly used: Set<SnpProduct>
}

function createHost(ctx: EmulatorContext, parts: HostParts): VirtualProcessor {
  const { settings, plan, uvm } = parts
  const { product } = settings
  const facts = PRODUCT_FACTS[product]
  const chip = chipIdentity(ctx, product)
  const hierarchy = createHierarchy(ctx, {
    product,
    chip,
    cspId: settings.cspId,
    serials: { ask: facts.ask.serial, asvk: facts.asvk.serial },
  })
  const levels = createTcbState(product, settings.tcb)
  // The fault `tcb`: the host is ahead of every certificate, so that no refresh makes report and certificate agree.
  if (ctx.faults.tamper === 'tcb') levels.roll(nextTcb(levels.reported), 'missing')
  const guests = new WeakMap<VirtualGuest, LaunchedGuest>()
  const signedBy = settings.vlekLoaded ? 'vlek' : 'vcek'
  const intermediate = (kind: 'vcek' | 'vlek') => hierarchy.authority(kind === 'vlek' ? 'asvk' : 'ask')

  const tcb = (): ProcessorTcb => ({
    reported: levels.reported,
    committed: levels.committed,
    current: levels.current,
  })
  const suppliedCertificate = async () => (await hierarchy[signedBy](levels.supplied)).certificate()
  const crl = () => hierarchy.crl(plan.faults.revoked ?? [])
  const certificateChainPem = async (kind: 'vcek' | 'vlek' = 'vcek') => {
    parts.used.add(product)
    const [issuer, ark] = await Promise.all([intermediate(kind), hierarchy.authority('ark')])
    return derToPem(issuer) + derToPem(ark)
  }
  const certificateTable = async () => {
    if (settings.certificateTable === 'none') return new Uint8Array()
    const [leaf, issuer, ark] = await Promise.all([
      suppliedCertificate(),
      intermediate(signedBy),
      hierarchy.authority('ark'),
    ])
    return encodeCertificateTable([
      { guid: CERTIFICATE_GUIDS[signedBy], data: leaf },
      { guid: CERTIFICATE_GUIDS.ask, data: issuer },
      { guid: CERTIFICATE_GUIDS.ark, data: ark },
      ...(settings.certificateTable === 'chain-and-crl' ? [{ guid: CERTIFICATE_GUIDS.crl, data: await crl() }] : []),
    ])
  }

  const rollTcb = (next: Partial<TcbVersion>, supply: CertificateSupply): ProcessorTcb => {
    const wanted = { ...levels.reported, ...next }
    try {
      encodeTcb(wanted, product)
    } catch (error) {
      throw new RangeError((error as Error).message)
    }
    levels.roll(wanted, supply)
    const text = tcbText(levels, product)
    ctx.journal.write({
      service: 'psp',
      operation: 'roll',
      outcome: 'done',
      summary: `the reported TCB is ${text} from now on; certificates for it: ${supply}`,
      details: { reportedTcb: text, certificates: supply },
    })
    return tcb()
  }

  const host: GuestHost = {
    settings,
    chip,
    vlekSecret: vlekSecret(ctx),
    hierarchy,
    journal: ctx.journal,
    plan,
    tcb,
    certificateTable,
    beforeReport() {
      const roll = plan.report()
      if (roll !== undefined) rollTcb(nextTcb(levels.reported), roll.certificates ?? 'fresh')
    },
  }

  return {
    product,
    settings,
    uvm,
    tcb,
    crl,
    certificateChainPem,
    of: (wanted) => parts.of(wanted),
    siblings: () => parts.siblings(),
    trustAnchors: () =>
      Promise.all(
        parts
          .siblings()
          .filter((one) => parts.used.has(one.product))
          .map(anchorOf),
      ),
    arkSpkiSha256: () => hierarchy.arkSpkiSha256(),
    thim: async () => ({
      vcekCert: derToPem(await suppliedCertificate()),
      tcbm: tcbToHex(encodeTcb(levels.supplied, product)),
      certificateChain: await certificateChainPem(signedBy),
      cacheControl: String(THIM_CACHE_SECONDS),
    }),
    async vcek(chipIdHex, wanted) {
      const chipId = encodeHex((await chip()).chipId)
      const isOurs = chipIdHex === chipId || chipIdHex === chipId.slice(0, 2 * facts.hwidSize)
      if (!isOurs || !levels.isCertified(wanted)) return undefined
      return (await hierarchy.vcek(wanted)).certificate()
    },
    vlek: async (wanted) => (levels.isCertified(wanted) ? (await hierarchy.vlek(wanted)).certificate() : undefined),
    rollTcb: (next, { certificates = 'fresh' } = {}) => rollTcb(next ?? nextTcb(levels.reported), certificates),
    setFaults: (faults) => plan.replace(faults),
    failedAnswer: (service) => plan.answer(service),
    launch(options) {
      parts.used.add(product)
      const guest = launchGuest(options, {
        settings,
        currentTcb: levels.current,
        uvmMeasurement: uvm.launchMeasurement,
        random: (size) => new Uint8Array(ctx.random.bytes(size)),
        // The fault `debug`: this host launches every guest so that its operator could read it.
        forceDebug: ctx.faults.tamper === 'debug',
      })
      const id = encodeHex(guest.reportId)
      const debug = isDebuggable(guest)
      const hostData = encodeHex(guest.hostData)
      ctx.journal.write({
        service: 'psp',
        operation: 'launch',
        outcome: 'done',
        subject: id,
        summary: `launched a ${debug ? 'debuggable ' : ''}guest with host data ${hostData}`,
        details: { hostData, debug },
      })
      const launched = virtualGuest(guest, host)
      guests.set(launched, guest)
      return launched
    },
    async hostReport(launched) {
      const guest = guests.get(launched)
      if (guest === undefined) throw new RangeError('the guest is of another processor')
      return hostReport(guest, host)
    },
  }
}

async function anchorOf(host: VirtualProcessor): Promise<TrustAnchor> {
  return { product: host.product, arkSpkiSha256: await host.arkSpkiSha256() }
}
