import { createHash } from 'node:crypto'
import { decodeHex, encodeHex } from '@skerry/guest/wire'
import type { PlatformTcb } from './types.ts'

/*
 * What this emulator says of its own platform, in the form of Intel's documents (TCB info V3, enclave identity V2). A
 * baseline asks for security versions of its own number: a platform at 12 is up to date by baseline 12 and not by 13.
 */

/** Of no processor of Intel's: the letters of the emulator. */
export const FMSPC = decodeHex('536b65727279')
export const PCE_ID = decodeHex('0000')

/** TCB baselines that a policy can choose. Source: Microsoft Learn, "Custom TCB baseline enforcement". */
export const BASELINES: readonly number[] = [10, 11, 12, 13, 14, 15]
/** What `azuredefault` stands for: the page of 2022 has the fleet remain at 10. */
export const DEFAULT_BASELINE = 10

/** Up to date by every baseline. */
export const CURRENT_PLATFORM_TCB: PlatformTcb = platformTcb(15)

/** A platform that is up to date by this baseline and by those before it. */
export function platformTcb(baseline: number): PlatformTcb {
  return { components: components(baseline), pceSvn: baseline }
}

/** MRSIGNER of the quoting enclave; Intel's is another. */
export const QE_MRSIGNER = createHash('sha256').update('signer of the quoting enclave of Skerry').digest()
export const QE_PRODUCT_ID = 1
export const QE_SVN = 8
/** INIT, MODE64BIT and PROVISION_KEY. */
export const QE_FLAGS = 0x15n

export interface DocumentTimes {
  /** Milliseconds since the epoch, whole seconds. */
  readonly thisUpdate: number
  readonly nextUpdate: number
}

export function tcbInfoText(content: DocumentTimes & { readonly baseline: number }): string {
  const { baseline } = content
  const level = (tcb: PlatformTcb, tcbStatus: string, advisoryIDs: readonly string[]) => ({
    tcb: { sgxtcbcomponents: tcb.components.map((svn) => ({ svn })), pcesvn: tcb.pceSvn },
    tcbDate: '2020-01-01T00:00:00Z',
    tcbStatus,
    ...(advisoryIDs.length > 0 && { advisoryIDs }),
  })
  return JSON.stringify({
    id: 'SGX',
    version: 3,
    issueDate: timeText(content.thisUpdate),
    nextUpdate: timeText(content.nextUpdate),
    fmspc: encodeHex(FMSPC).toUpperCase(),
    pceId: encodeHex(PCE_ID).toUpperCase(),
    tcbType: 0,
    tcbEvaluationDataNumber: baseline,
    tcbLevels: [level(platformTcb(baseline), 'UpToDate', []), level(platformTcb(1), 'OutOfDate', ['SKERRY-SA-00001'])],
  })
}

export function qeIdentityText(content: DocumentTimes & { readonly baseline: number }): string {
  const level = (isvsvn: number, tcbStatus: string) => ({
    tcb: { isvsvn },
    tcbDate: '2020-01-01T00:00:00Z',
    tcbStatus,
  })
  return JSON.stringify({
    id: 'QE',
    version: 2,
    issueDate: timeText(content.thisUpdate),
    nextUpdate: timeText(content.nextUpdate),
    tcbEvaluationDataNumber: content.baseline,
    miscselect: '00000000',
    miscselectMask: 'FFFFFFFF',
    attributes: '11000000000000000000000000000000',
    attributesMask: 'FBFFFFFFFFFFFFFF0000000000000000',
    mrsigner: encodeHex(QE_MRSIGNER).toUpperCase(),
    isvprodid: QE_PRODUCT_ID,
    tcbLevels: [level(QE_SVN, 'UpToDate'), level(1, 'OutOfDate')],
  })
}

function components(baseline: number): number[] {
  return Array.from({ length: 16 }, (_, index) => (index < 2 ? baseline : 0))
}

/** Intel's documents have no fractions of seconds. */
function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
