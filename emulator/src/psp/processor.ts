import {
  CERTIFICATE_GUIDS,
  derToPem,
  encodeCertificateTable,
  encodeHex,
  encodeKeyResponse,
  encodeReportResponse,
  encodeTcb,
  MESSAGE_STATUS,
  tcbToHex,
} from '@skerry/guest/wire'
import type { EmulatorContext } from '../core/index.ts'
import { CURRENT_TCB, chipIdentity, isCertified, PRODUCT, reportedTcb } from './chip.ts'
import { deriveKey, GUEST_SVN, type LaunchedGuest, signReport } from './guest.ts'
import { createHierarchy } from './hierarchy.ts'
import { memo } from './memo.ts'
import { readKeyRequest, readReportRequest } from './requests.ts'
import type { LaunchOptions, VirtualGuest, VirtualProcessor } from './types.ts'
import { createEndorser } from './uvm.ts'

/** How long a client may keep what THIM gave it, in seconds. */
const THIM_CACHE_SECONDS = 86_400

/**
 * A virtual AMD secure processor (Milan). Its chip, keys and certificates are made once and kept with `ctx.keys`; nothing
 * is made before it is asked for.
 */
export function createProcessor(ctx: EmulatorContext): VirtualProcessor {
  const chip = chipIdentity(ctx)
  const hierarchy = createHierarchy(ctx, chip)
  const uvm = createEndorser(ctx)

  const certificateChainPem = memo(async () => {
    const [ask, ark] = await Promise.all([hierarchy.ask(), hierarchy.ark()])
    return derToPem(ask) + derToPem(ark)
  })
  const certificateTable = memo(async () => {
    const [vcek, ask, ark] = await Promise.all([hierarchy.vcek(CURRENT_TCB), hierarchy.ask(), hierarchy.ark()])
    return encodeCertificateTable([
      { guid: CERTIFICATE_GUIDS.vcek, data: vcek },
      { guid: CERTIFICATE_GUIDS.ask, data: ask },
      { guid: CERTIFICATE_GUIDS.ark, data: ark },
    ])
  })

  return {
    product: PRODUCT,
    uvm,
    arkSpkiSha256: () => hierarchy.arkSpkiSha256(),
    certificateChainPem,
    crl: () => hierarchy.crl(),
    thim: async () => ({
      vcekCert: derToPem(await hierarchy.vcek(CURRENT_TCB)),
      tcbm: tcbToHex(encodeTcb(CURRENT_TCB, PRODUCT)),
      certificateChain: await certificateChainPem(),
      cacheControl: String(THIM_CACHE_SECONDS),
    }),
    async vcek(chipIdHex, tcb) {
      const { chipId } = await chip()
      return chipIdHex === encodeHex(chipId) && isCertified(tcb) ? hierarchy.vcek(tcb) : undefined
    },
    launch(options) {
      const guest = launchedGuest(ctx, options, uvm.launchMeasurement)
      ctx.journal.write({
        service: 'psp',
        operation: 'launch',
        outcome: 'done',
        subject: encodeHex(guest.reportId),
        summary: `launched a ${guest.debug ? 'debuggable ' : ''}guest with host data ${encodeHex(guest.hostData)}`,
        details: { hostData: encodeHex(guest.hostData), debug: guest.debug },
      })
      const tcb = guest.tcb
      return {
        reportId: guest.reportId,
        async reportRequest(request) {
          const asked = readReportRequest(request, guest.vmpl)
          if (typeof asked === 'number') {
            journalReport(ctx, guest, asked)
            return encodeReportResponse({ status: asked })
          }
          const [identity, vcek] = await Promise.all([chip(), hierarchy.vcekKey(tcb)])
          const report = signReport(guest, identity, asked, vcek)
          journalReport(ctx, guest, MESSAGE_STATUS.success)
          return encodeReportResponse({ status: MESSAGE_STATUS.success, report })
        },
        async keyRequest(request) {
          const limits = { vmpckVmpl: guest.vmpl, guestSvn: GUEST_SVN, committedTcb: encodeTcb(tcb, PRODUCT) }
          const asked = readKeyRequest(request, limits)
          if (typeof asked === 'number') return encodeKeyResponse({ status: asked })
          return encodeKeyResponse({ status: MESSAGE_STATUS.success, key: deriveKey(guest, await chip(), asked) })
        },
        certificateTable: async () => (await certificateTable()).slice(),
      } satisfies VirtualGuest
    },
  }
}

function launchedGuest(ctx: EmulatorContext, options: LaunchOptions, measurement: Uint8Array): LaunchedGuest {
  if (options.hostData.length !== 32) {
    throw new RangeError(`hostData: 32 bytes wanted, ${options.hostData.length} given`)
  }
  return {
    reportId: new Uint8Array(ctx.random.bytes(32)),
    measurement,
    hostData: options.hostData.slice(),
    // The fault `debug`: this host launches every guest so that its operator could read it.
    debug: options.debug === true || ctx.faults.tamper === 'debug',
    vmpl: options.vmpl ?? 0,
    tcb: reportedTcb(ctx.faults),
  }
}

function journalReport(ctx: EmulatorContext, guest: LaunchedGuest, status: number): void {
  const refused = status !== MESSAGE_STATUS.success
  const tcb = tcbToHex(encodeTcb(guest.tcb, PRODUCT))
  ctx.journal.write({
    service: 'psp',
    operation: 'report',
    outcome: refused ? 'failed' : 'done',
    subject: encodeHex(guest.reportId),
    summary: refused
      ? `refused a report request with status 0x${status.toString(16)}`
      : `signed a report for reported TCB ${tcb}`,
    details: { hostData: encodeHex(guest.hostData), debug: guest.debug, reportedTcb: tcb },
  })
}
