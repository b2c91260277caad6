import { createHash } from 'node:crypto'
import type { SnpDevice } from '../device/index.ts'
import {
  certificateChainPem,
  decodeReport,
  encodeHex,
  type SnpReport,
  type ThimCertification,
  tcbToHex,
} from '../wire/index.ts'
import { type CertificateCache, mismatch, UnreadableCertificateError } from './certificates.ts'
import { AttestationError } from './errors.ts'

/** What a verifier is shown. */
export interface Evidence {
  /** 1184 bytes, signed by the secure processor. */
  readonly report: Uint8Array
  /** The same, field by field. */
  readonly decoded: SnpReport
  /** The certificates that belong to it, as THIM gives them. */
  readonly certification: ThimCertification
  /** VCEK, ASK, ARK. */
  readonly certificateChainPem: string
  /** COSE_Sign1 each. */
  readonly uvmEndorsements: readonly Uint8Array[]
  /** The bytes whose SHA-256 the report carries. */
  readonly runtimeData: Uint8Array
}

/** What a guest needs to prove itself: the device, the certificates of its chip, the endorsements of its utility VM. */
export interface AttestationContext {
  /** Opened when it is first needed, so that a program can start, and say so, where there is none. */
  device(): Promise<SnpDevice>
  /** Of this chip, compared with each report before use. */
  readonly certificates: CertificateCache
  /** COSE_Sign1 each, as the host handed them to the container; none where there was no security context. */
  readonly uvmEndorsements: readonly Uint8Array[]
  /** Told in words what is tried again, and why. */
  readonly log?: (message: string) => void
}

/** What the report is to carry. */
export interface CollectOptions {
  /** Any bytes; the report carries their SHA-256. */
  readonly runtimeData: Uint8Array
  /** 0 to 3; default: the guest's own. */
  readonly vmpl?: number
}

/**
 * A report over SHA-256(runtimeData), 32 zero bytes behind it, with certificates that belong to it. The host may update
 * its firmware while a guest runs: when report and certificates disagree, or these cannot be read, the certificates are
 * asked for again once, then the report (and the certificates once more), then it is given up before anybody is sent
 * anything.
 * @throws SnpDeviceError, UpstreamError (no certificates)
 * @throws AttestationError `ERR_TCB_MISMATCH`, `ERR_CERTIFICATES`
 */
export async function collectEvidence(context: AttestationContext, options: CollectOptions): Promise<Evidence> {
  const { runtimeData } = options
  const reportData = new Uint8Array(64)
  reportData.set(createHash('sha256').update(runtimeData).digest())
  const device = await context.device()
  const ask = () => device.getReport(reportData, options.vmpl === undefined ? {} : { vmpl: options.vmpl })

  let report = await ask()
  let decoded = decodeReport(report, { newer: true })
  let certification = await context.certificates.current(decoded)
  let refusal = refusalOf(decoded, certification)
  if (refusal !== undefined) {
    context.log?.(`${refusal.message}: asking for certificates again`)
    certification = await context.certificates.refresh(decoded)
    refusal = refusalOf(decoded, certification)
  }
  if (refusal !== undefined) {
    context.log?.(`${refusal.message}: asking for a new report`)
    report = await ask()
    decoded = decodeReport(report, { newer: true })
    certification = await context.certificates.refresh(decoded)
    refusal = refusalOf(decoded, certification)
  }
  if (refusal instanceof UnreadableCertificateError) throw refusal
  if (refusal !== undefined) {
    throw new AttestationError(
      'ERR_TCB_MISMATCH',
      `report and certificates do not belong together: ${refusal.message}; certificates were refreshed and a new report was asked for, and they still differ`,
    )
  }
  context.log?.(
    `report ${encodeHex(decoded.reportId.subarray(0, 8))} at TCB ${tcbToHex(decoded.reportedTcb)}, host data ${encodeHex(decoded.hostData)}`,
  )
  return {
    report,
    decoded,
    certification,
    certificateChainPem: certificateChainPem(certification),
    uvmEndorsements: context.uvmEndorsements,
    runtimeData,
  }
}

function refusalOf(report: SnpReport, certification: ThimCertification): Error | undefined {
  try {
    const reason = mismatch(report, certification)
    return reason === undefined ? undefined : new Error(reason)
  } catch (error) {
    if (error instanceof UnreadableCertificateError) return error
    throw error
  }
}
