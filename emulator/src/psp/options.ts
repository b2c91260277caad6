import { encodeTcb, type FirmwareVersion, type SnpProduct, type TcbVersion } from '@skerry/guest/wire'
import { atMost } from './levels.ts'
import {
  type CpuId,
  cpuIdOf,
  FIRMWARE,
  PLATFORM_INFO_V2,
  PROCESSOR_NAMES,
  PRODUCT_FACTS,
  type ProcessorName,
  productOf,
  REPORT_VERSIONS,
  type ReportVersion,
} from './products.ts'

/** Which processor an instance has and how its host is set up. What is left out is as on Azure's hosts of that product. */
export interface ProcessorOptions {
  /** Default `Milan`. */
  readonly product?: ProcessorName
  /** Levels of the reported TCB that differ from the product's; committed and current follow where they are not given. */
  readonly tcb?: Partial<TcbVersion>
  /** Not below the reported one, level by level. */
  readonly committedTcb?: Partial<TcbVersion>
  /** Not below the committed one, level by level. */
  readonly currentTcb?: Partial<TcbVersion>
  /** Default 3; Turin 5. */
  readonly reportVersion?: ReportVersion
  /** `vlek`: the host has loaded a VLEK, and reports are signed with it unless the guest asks for the VCEK. Default `vcek`. */
  readonly signing?: 'vcek' | 'vlek'
  /** Reports and certificate table carry no chip id. Default false; true where a VLEK is loaded, as such hosts are set up. */
  readonly maskChipId?: boolean
  /** The VCEK may not be used: without a VLEK reports are unsigned. Default false. */
  readonly maskChipKey?: boolean
  /** CSP_ID of the VLEK, at most 127 ASCII characters. */
  readonly cspId?: string
  /** What a cloud provider shows AMD for its VLEK (`Authorization: Bearer …`); absent: nobody gets one. */
  readonly cspSecret?: string
  readonly firmware?: FirmwareVersion
  /** PLATFORM_INFO, u64. */
  readonly platformInfo?: bigint
  /** CURRENT_MIT_VECTOR and, for guests launched now, LAUNCH_MIT_VECTOR; only in reports of version 5. Default 0x3f. */
  readonly mitigationVector?: bigint
  /** What extended reports bring along: the chain, the chain and the CRL, or nothing. Default `chain`. */
  readonly certificateTable?: 'chain' | 'chain-and-crl' | 'none'
}

/** The options with everything decided. */
export interface HostSettings {
  readonly name: ProcessorName
  readonly product: SnpProduct
  readonly cpuId: CpuId
  readonly tcb: { readonly reported: TcbVersion; readonly committed: TcbVersion; readonly current: TcbVersion }
  readonly reportVersion: ReportVersion
  readonly vlekLoaded: boolean
  readonly maskChipId: boolean
  readonly maskChipKey: boolean
  readonly cspId: string
  readonly cspSecret?: string
  readonly firmware: FirmwareVersion
  readonly platformInfo: bigint
  readonly mitigationVector: bigint
  readonly certificateTable: 'chain' | 'chain-and-crl' | 'none'
}

/** An option that no processor can have. The message names it. */
export class ProcessorOptionError extends Error {
  override readonly name = 'ProcessorOptionError'
  readonly code = 'ERR_PROCESSOR_OPTION'
}

/** MIT vectors of a production Turin. */
const MITIGATIONS = 0x3fn

/** @throws ProcessorOptionError */
export function hostSettings(options: ProcessorOptions = {}): HostSettings {
  const name = options.product ?? 'Milan'
  demand(PROCESSOR_NAMES.includes(name), `product is one of ${PROCESSOR_NAMES.join(', ')}`)
  const product = productOf(name)
  const facts = PRODUCT_FACTS[product]
  const reportVersion = options.reportVersion ?? facts.reportVersion
  demand(REPORT_VERSIONS.includes(reportVersion), `reportVersion is one of ${REPORT_VERSIONS.join(', ')}`)
  const reported = levelsOf(product, 'tcb', { ...facts.tcb, ...options.tcb })
  const committed = levelsOf(product, 'committedTcb', { ...reported, ...options.committedTcb })
  const current = levelsOf(product, 'currentTcb', { ...committed, ...options.currentTcb })
  demand(atMost(reported, committed), 'committedTcb is below the reported TCB')
  demand(atMost(committed, current), 'currentTcb is below the committed TCB')
  const vlekLoaded = options.signing === 'vlek'
  const cspId = options.cspId ?? 'CN=skerry.example'
  demand(/^[\x20-\x7e]{1,127}$/.test(cspId), 'cspId is 1 to 127 printable ASCII characters')
  const mitigationVector = options.mitigationVector ?? MITIGATIONS
  const platformInfo = options.platformInfo ?? (reportVersion === 2 ? PLATFORM_INFO_V2 : facts.platformInfo)
  for (const [field, word] of Object.entries({ mitigationVector, platformInfo })) {
    demand(word >= 0n && word < 1n << 64n, `${field} is a u64`)
  }
  return {
    name,
    product,
    cpuId: cpuIdOf(name),
    tcb: { reported, committed, current },
    reportVersion,
    vlekLoaded,
    maskChipId: options.maskChipId ?? vlekLoaded,
    maskChipKey: options.maskChipKey ?? false,
    cspId,
    ...(options.cspSecret !== undefined && { cspSecret: options.cspSecret }),
    firmware: options.firmware ?? FIRMWARE[reportVersion],
    platformInfo,
    mitigationVector,
    certificateTable: options.certificateTable ?? 'chain',
  }
}

function levelsOf(product: SnpProduct, field: string, tcb: TcbVersion): TcbVersion {
  try {
    encodeTcb(tcb, product)
    return tcb
  } catch (error) {
    throw new ProcessorOptionError(`${field}: ${(error as Error).message}`)
  }
}

function demand(met: boolean, message: string): void {
  if (!met) throw new ProcessorOptionError(message)
}
