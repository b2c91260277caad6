import { encodeHex, type PckExtensions, type SgxReportBody } from '@skerry/guest/wire'
import {
  type Document,
  fieldError,
  parseDocument,
  requireBytes,
  requireCount,
  requireDocument,
  requireDocuments,
  requireText,
  requireTime,
} from './fields.ts'

/*
 * What Intel says of a platform's TCB and of the quoting enclave, and which level a piece of evidence reaches.
 * Source: Intel "SGX and TDX Provisioning Certification Service" documentation, TCB info V2 and V3, enclave identity V2.
 */

/** `UpToDate`, `SWHardeningNeeded`, `ConfigurationNeeded`, `OutOfDate`, `Revoked` and their combinations. */
export type TcbStatus = string

/** What passes: the platform has its updates; the rest is for the enclave's author to weigh. */
const ACCEPTED: ReadonlySet<TcbStatus> = new Set([
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
])

export function isAccepted(status: TcbStatus): boolean {
  return ACCEPTED.has(status)
}

export interface TcbInfo {
  /** 2 or 3. */
  readonly version: number
  /** Milliseconds since the epoch. */
  readonly issueDate: number
  readonly nextUpdate: number
  /** 12 lower-case hex digits. */
  readonly fmspc: string
  /** 4 lower-case hex digits. */
  readonly pceId: string
  readonly tcbEvaluationDataNumber: number
  /** Best first. */
  readonly levels: readonly TcbLevel[]
}

export interface TcbLevel {
  /** 16. */
  readonly components: readonly number[]
  readonly pceSvn: number
  readonly status: TcbStatus
}

/** @throws WireError `ERR_SGX_COLLATERAL` */
export function decodeTcbInfo(text: string): TcbInfo {
  const document = parseDocument(text, 'tcbInfo')
  const version = requireCount(document, 'version', 3)
  if (version < 2) throw fieldError('version', 'must be 2 or 3')
  if (version >= 3 && document.id !== 'SGX') throw fieldError('id', 'must be SGX')
  return {
    version,
    issueDate: requireTime(document, 'issueDate'),
    nextUpdate: requireTime(document, 'nextUpdate'),
    fmspc: encodeHex(requireBytes(document, 'fmspc', 6)),
    pceId: encodeHex(requireBytes(document, 'pceId', 2)),
    tcbEvaluationDataNumber: requireCount(document, 'tcbEvaluationDataNumber', 0xffff),
    levels: requireDocuments(document, 'tcbLevels').map((level) => {
      const tcb = requireDocument(level, 'tcb')
      return {
        components: version >= 3 ? listedComponents(tcb) : namedComponents(tcb),
        pceSvn: requireCount(tcb, 'pcesvn', 0xffff),
        status: requireText(level, 'tcbStatus'),
      }
    }),
  }
}

/** The first level that the platform reaches in every component; undefined when it reaches none. */
export function tcbLevelOf(info: TcbInfo, pck: Pick<PckExtensions, 'tcbComponents' | 'pceSvn'>): TcbLevel | undefined {
  return info.levels.find(
    ({ components, pceSvn }) =>
      pck.pceSvn >= pceSvn && components.every((svn, index) => pck.tcbComponents[index]! >= svn),
  )
}

export interface QeIdentity {
  readonly issueDate: number
  readonly nextUpdate: number
  readonly tcbEvaluationDataNumber: number
  readonly miscSelect: number
  readonly miscSelectMask: number
  /** FLAGS then XFRM, 16 bytes each. */
  readonly attributes: Uint8Array
  readonly attributesMask: Uint8Array
  /** 32 bytes. */
  readonly mrSigner: Uint8Array
  readonly isvProductId: number
  /** Best first. */
  readonly levels: readonly { readonly isvSvn: number; readonly status: TcbStatus }[]
}

/** @throws WireError `ERR_SGX_COLLATERAL` */
export function decodeQeIdentity(text: string): QeIdentity {
  const document = parseDocument(text, 'qeIdentity')
  if (document.id !== 'QE') throw fieldError('id', 'must be QE')
  return {
    issueDate: requireTime(document, 'issueDate'),
    nextUpdate: requireTime(document, 'nextUpdate'),
    tcbEvaluationDataNumber: requireCount(document, 'tcbEvaluationDataNumber', 0xffff),
    miscSelect: littleEndian(requireBytes(document, 'miscselect', 4)),
    miscSelectMask: littleEndian(requireBytes(document, 'miscselectMask', 4)),
    attributes: requireBytes(document, 'attributes', 16),
    attributesMask: requireBytes(document, 'attributesMask', 16),
    mrSigner: requireBytes(document, 'mrsigner', 32),
    isvProductId: requireCount(document, 'isvprodid', 0xffff),
    levels: requireDocuments(document, 'tcbLevels').map((level) => ({
      isvSvn: requireCount(requireDocument(level, 'tcb'), 'isvsvn', 0xffff),
      status: requireText(level, 'tcbStatus'),
    })),
  }
}

export function qeLevelOf(identity: QeIdentity, { isvSvn }: Pick<SgxReportBody, 'isvSvn'>) {
  return identity.levels.find((level) => isvSvn >= level.isvSvn)
}

function listedComponents(tcb: Document): number[] {
  const components = requireDocuments(tcb, 'sgxtcbcomponents').map((component) => requireCount(component, 'svn', 0xff))
  if (components.length !== 16) throw fieldError('sgxtcbcomponents', 'must have 16 items')
  return components
}

function namedComponents(tcb: Document): number[] {
  return Array.from({ length: 16 }, (_, index) =>
    requireCount(tcb, `sgxtcbcomp${String(index + 1).padStart(2, '0')}svn`, 0xff),
  )
}

function littleEndian(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true)
}
