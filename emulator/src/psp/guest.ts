import {
  encodeHex,
  encodeKeyResponse,
  encodeReportResponse,
  encodeTcb,
  MESSAGE_STATUS,
  type SnpProduct,
  tcbToHex,
} from '@skerry/guest/wire'
import type { Journal } from '../core/index.ts'
import type { ChipIdentity } from './chip.ts'
import { type DerivationRoot, deriveKey } from './derived-key.ts'
import type { FaultPlan, RequestCounters } from './fault-plan.ts'
import type { Hierarchy } from './hierarchy.ts'
import { isDebuggable, type LaunchedGuest } from './launch.ts'
import type { HostSettings } from './options.ts'
import { writeReport } from './report.ts'
import { type KeySetup, readKeyRequest, readReportRequest, type SelectedKey } from './requests.ts'
import type { ProcessorTcb, VirtualGuest } from './types.ts'

/** What of the host a guest's requests need. */
export interface GuestHost {
  readonly settings: HostSettings
  readonly chip: () => Promise<ChipIdentity>
  readonly vlekSecret: () => Promise<Uint8Array>
  readonly hierarchy: Hierarchy
  readonly journal: Journal
  readonly plan: FaultPlan
  /** The levels as they are now. */
  tcb(): ProcessorTcb
  /** Does what the fault plan has for this moment. */
  beforeReport(): void
  certificateTable(): Promise<Uint8Array>
}

/** Firmware from 1.58 on mixes the launch mitigation vector into derived keys. */
const VECTOR_FIRMWARE = 256 + 58

const HOST_VMPL = 0xffff_ffff

export function virtualGuest(guest: LaunchedGuest, host: GuestHost): VirtualGuest {
  const { settings, plan } = host
  const { product, firmware } = settings
  const keys = keySetup(guest, settings)
  const counters: RequestCounters = { report: 0, key: 0 }
  const knowsVector = firmware.major * 256 + firmware.minor >= VECTOR_FIRMWARE
  return {
    reportId: guest.reportId,
    certificateTable: () => host.certificateTable(),
    async reportRequest(request) {
      plan.request(counters, 'report')
      host.beforeReport()
      const asked = readReportRequest(request, guest.vmpl, keys)
      const tcb = host.tcb()
      if (typeof asked === 'number') {
        journalReport(host, guest, tcb, asked)
        return encodeReportResponse({ status: asked })
      }
      const report = await signedReport(guest, host, tcb, asked)
      journalReport(host, guest, tcb, MESSAGE_STATUS.success)
      return encodeReportResponse({ status: MESSAGE_STATUS.success, report })
    },
    async keyRequest(request) {
      plan.request(counters, 'key')
      const tcb = host.tcb()
      const asked = readKeyRequest(request, {
        vmpckVmpl: guest.vmpl,
        keys,
        product,
        guestSvn: guest.guestSvn,
        committedTcb: tcb.committed,
        ...(knowsVector && { launchMitVector: guest.launchMitVector }),
      })
      if (typeof asked === 'number') return encodeKeyResponse({ status: asked })
      // A TCB that is selected is the one whose VCEK the key comes from; a VLEK is loaded for the reported one only.
      const selectsTcb = (asked.guestFieldSelect & (1n << 5n)) !== 0n && asked.key === 'vcek'
      const at = selectsTcb ? asked.tcbVersion : encodeTcb(tcb.reported, product)
      const { idKeyDigest } = await host.chip()
      const key = deriveKey(asked, guest, guest.idKeyDigest ?? idKeyDigest, await rootOf(asked.key, guest, host, at))
      return encodeKeyResponse({ status: MESSAGE_STATUS.success, key })
    },
  }
}

/** MSG_REPORT's counterpart of the hypervisor: the report of a guest that its host asks for. */
export async function hostReport(guest: LaunchedGuest, host: GuestHost): Promise<Uint8Array> {
  const setup = keySetup(guest, host.settings)
  const key = setup.vlekLoaded ? 'vlek' : setup.vcekDisabled || setup.maskChipKey ? 'none' : 'vcek'
  return signedReport(guest, host, host.tcb(), { reportData: new Uint8Array(64), vmpl: HOST_VMPL, key })
}

function keySetup({ vcekDisabled }: LaunchedGuest, { vlekLoaded, maskChipKey }: HostSettings): KeySetup {
  return { vlekLoaded, maskChipKey, vcekDisabled }
}

async function signedReport(
  guest: LaunchedGuest,
  host: GuestHost,
  tcb: ProcessorTcb,
  asked: { readonly reportData: Uint8Array; readonly vmpl: number; readonly key: SelectedKey },
): Promise<Uint8Array> {
  const { hierarchy, settings } = host
  const chip = await host.chip()
  const signer = asked.key === 'none' ? undefined : await hierarchy[asked.key](tcb.reported)
  const { reportData, vmpl } = asked
  return writeReport({ guest, settings, chip, tcb, reportData, vmpl }, asked.key, signer?.key)
}

async function rootOf(
  key: 'vcek' | 'vlek' | undefined,
  guest: LaunchedGuest,
  host: GuestHost,
  tcb: Uint8Array,
): Promise<DerivationRoot> {
  if (key === undefined) return { secret: guest.vmRootKey }
  return { secret: key === 'vcek' ? (await host.chip()).secret : await host.vlekSecret(), tcb }
}

function journalReport(host: GuestHost, guest: LaunchedGuest, levels: ProcessorTcb, status: number): void {
  const refused = status !== MESSAGE_STATUS.success
  const tcb = tcbText(levels, host.settings.product)
  host.journal.write({
    service: 'psp',
    operation: 'report',
    outcome: refused ? 'failed' : 'done',
    subject: encodeHex(guest.reportId),
    summary: refused
      ? `refused a report request with status 0x${status.toString(16)}`
      : `signed a report for reported TCB ${tcb}`,
    details: { hostData: encodeHex(guest.hostData), debug: isDebuggable(guest), reportedTcb: tcb },
  })
}

export function tcbText({ reported }: Pick<ProcessorTcb, 'reported'>, product: SnpProduct): string {
  return tcbToHex(encodeTcb(reported, product))
}
