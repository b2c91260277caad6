import {
  decodeBase64,
  decodeReportResponse,
  encodeBase64,
  encodeHex,
  encodeReportRequest,
  type ThimCertification,
} from '@skerry/guest/wire'
import { allowAllPolicy } from '../aci/index.ts'
import { policyText } from '../aci/policy.ts'
import type { VirtualProcessor } from '../psp/types.ts'

export interface InProcessGuestOptions {
  /** Base64 of the CCE policy; absent: the one that allows everything. */
  readonly ccePolicy?: string
  /** Launched debuggable: release policies refuse it. */
  readonly debug?: boolean
}

/**
 * A guest of the virtual processor, for code in this process: `device` and `securityContext` are what
 * `createAttestationContext` of `@skerry/guest` takes.
 */
export interface InProcessGuest {
  /** SHA-256 of the policy, lower-case hex: `x-ms-sevsnpvm-hostdata`. */
  readonly hostData: string
  readonly device: {
    /** @param reportData 64 bytes; resolves to the signed report, 1184 bytes. Throws RangeError for a VMPL that it has not. */
    getReport(reportData: Uint8Array, options?: { readonly vmpl?: number }): Promise<Uint8Array>
    close(): void
  }
  readonly securityContext: {
    readonly source: string
    readonly certification: ThimCertification
    readonly referenceInfoBase64: string
    readonly securityPolicyBase64: string
    readonly transparentReferenceInfoBase64: string
  }
}

/** @throws WireError for a `ccePolicy` that is not base64 */
export async function launchInProcess(psp: VirtualProcessor, options: InProcessGuestOptions): Promise<InProcessGuest> {
  const { ccePolicy, debug } = options
  const policy = policyText(ccePolicy === undefined ? allowAllPolicy() : decodeBase64(ccePolicy))
  const guest = psp.launch({ hostData: policy.hostData, ...(debug !== undefined && { debug }) })
  const [certification, endorsement, transparent] = await Promise.all([
    psp.thim(),
    psp.uvm.endorsement(),
    psp.uvm.transparentEndorsement(),
  ])
  return {
    hostData: encodeHex(policy.hostData),
    device: {
      async getReport(reportData, { vmpl = 0 } = {}) {
        const { status, report } = decodeReportResponse(
          await guest.reportRequest(encodeReportRequest({ reportData, vmpl })),
        )
        if (status !== 0 || report === undefined) throw new RangeError(`the processor answered status ${status}`)
        return report
      },
      close: () => {},
    },
    securityContext: {
      source: 'skerry, in process',
      certification,
      referenceInfoBase64: encodeBase64(endorsement),
      securityPolicyBase64: encodeBase64(policy.text),
      transparentReferenceInfoBase64: encodeBase64(transparent),
    },
  }
}
