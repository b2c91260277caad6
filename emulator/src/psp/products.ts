import type { FirmwareVersion, SnpProduct, TcbVersion } from '@skerry/guest/wire'

/**
 * What differs from one generation of processors to the next. Sources: AMD 56860 (report, platform_info), AMD 57230
 * (certificates), the certificates that AMD publishes for each product, and reports of production hosts.
 */

/** A processor by the name it is sold under; Bergamo and Siena have the certificates of Genoa. */
export type ProcessorName = SnpProduct | 'Bergamo' | 'Siena'

export const PROCESSOR_NAMES = [
  'Milan',
  'Genoa',
  'Bergamo',
  'Siena',
  'Turin',
] as const satisfies readonly ProcessorName[]

export const SNP_PRODUCTS = ['Milan', 'Genoa', 'Turin'] as const satisfies readonly SnpProduct[]

/** The report versions that firmware in the field writes. Version 4 was never seen. */
export type ReportVersion = 2 | 3 | 5

export const REPORT_VERSIONS = [2, 3, 5] as const satisfies readonly ReportVersion[]

/** CPUID_1 family, model and stepping, family and model combined. */
export interface CpuId {
  readonly family: number
  readonly model: number
  readonly stepping: number
}

export interface ProductFacts {
  /** Of the certificates' extensions. */
  readonly structureVersion: 0 | 1
  readonly vcekName: string
  readonly vlekName: string
  /** Bytes of the hardware id; the rest of chip_id's 64 are zero. */
  readonly hwidSize: 8 | 64
  /** Serial numbers of AMD's own certificates, and when they begin. */
  readonly ark: CertificateFacts
  readonly ask: CertificateFacts
  readonly asvk: CertificateFacts
  readonly reportVersion: ReportVersion
  /** What the firmware is at, and a level of before. */
  readonly tcb: TcbVersion
  readonly platformInfo: bigint
}

export interface CertificateFacts {
  readonly serial: bigint
  readonly notBefore: string
}

/** Reports of these versions came from this firmware. */
export const FIRMWARE: Readonly<Record<ReportVersion, FirmwareVersion>> = {
  2: { major: 1, minor: 52, build: 4 },
  3: { major: 1, minor: 55, build: 29 },
  5: { major: 1, minor: 55, build: 65 },
}

export const PRODUCT_FACTS: Readonly<Record<SnpProduct, ProductFacts>> = {
  Milan: {
    structureVersion: 0,
    vcekName: 'Milan-B0',
    vlekName: 'Milan',
    hwidSize: 64,
    ark: { serial: 0x10000n, notBefore: '2020-10-22T17:23:05Z' },
    ask: { serial: 0x10001n, notBefore: '2020-10-22T18:24:20Z' },
    asvk: { serial: 0x10101n, notBefore: '2022-11-16T22:45:24Z' },
    reportVersion: 3,
    // The microcode is above 127, so certificates write it as a two-byte INTEGER.
    tcb: { bootLoader: 4, tee: 0, snp: 24, microcode: 0xdb },
    // SMT, ECC memory, alias check complete.
    platformInfo: 0x25n,
  },
  Genoa: {
    structureVersion: 0,
    vcekName: 'Genoa',
    vlekName: 'Genoa',
    hwidSize: 64,
    ark: { serial: 0x20000n, notBefore: '2022-01-26T15:34:37Z' },
    ask: { serial: 0x20002n, notBefore: '2022-10-31T13:33:48Z' },
    asvk: { serial: 0x20101n, notBefore: '2022-11-18T20:48:34Z' },
    reportVersion: 3,
    tcb: { bootLoader: 10, tee: 0, snp: 23, microcode: 0x54 },
    // And TSME.
    platformInfo: 0x27n,
  },
  Turin: {
    structureVersion: 1,
    vcekName: 'Turin',
    vlekName: 'Turin',
    hwidSize: 8,
    ark: { serial: 0x30000n, notBefore: '2023-05-15T20:03:12Z' },
    ask: { serial: 0x30001n, notBefore: '2023-05-15T20:25:21Z' },
    asvk: { serial: 0x30101n, notBefore: '2023-05-15T21:09:41Z' },
    reportVersion: 5,
    tcb: { fmc: 1, bootLoader: 1, tee: 1, snp: 4, microcode: 0x51 },
    // And bit 6, which no document explains and every Turin has.
    platformInfo: 0x65n,
  },
}

/** SMT and ECC as far as firmware before report version 3 told: the alias check has no bit yet. */
export const PLATFORM_INFO_V2 = 0x1n

const CPUIDS: Readonly<Record<ProcessorName, CpuId>> = {
  Milan: { family: 0x19, model: 0x01, stepping: 0x01 },
  Genoa: { family: 0x19, model: 0x11, stepping: 0x01 },
  Bergamo: { family: 0x19, model: 0xa0, stepping: 0x02 },
  Siena: { family: 0x19, model: 0xa0, stepping: 0x02 },
  Turin: { family: 0x1a, model: 0x02, stepping: 0x01 },
}

export function cpuIdOf(name: ProcessorName): CpuId {
  return CPUIDS[name]
}

/** Under which name AMD keeps the certificates of a processor. */
export function productOf(name: ProcessorName): SnpProduct {
  return name === 'Bergamo' || name === 'Siena' ? 'Genoa' : name
}
