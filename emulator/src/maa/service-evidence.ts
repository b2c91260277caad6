import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import type { Extension } from '@peculiar/asn1-x509'
import {
  certificateChainPem,
  decodeReportResponse,
  encodeBase64Url,
  encodeReportRequest,
  encodeUtf8,
} from '@skerry/guest/wire'
import type { VirtualProcessor } from '../psp/types.ts'
import { rawExtension } from '../x509/extensions.ts'

/*
 * Evidence that a signing key lives in a confidential container: the service runs in one, and its certificates say so.
 * Source: the verifier sample of Azure-Samples/microsoft-azure-attestation.
 */

const EVIDENCE = '1.3.6.1.4.1.311.105.1000.1'
const TEE_KIND = '1.3.6.1.4.1.311.105.1000.2'

/** Of the service's own container group; the verifier sample pins it. */
const HOST_DATA = '0178240eff4ef968efdcd735b8bcee63578c4eb9e4264178f747df149bf57bff'

export interface ServiceEvidence {
  readonly tee: 'acisevsnp'
  /** JSON of SnpReport, VcekCertChain and Endorsements, each base64url, for these 64 bytes of report data. */
  readonly json: (reportData: Uint8Array) => Promise<string>
}

/** Has the virtual processor speak for the service. */
export function serviceEvidence(psp: Pick<VirtualProcessor, 'launch' | 'thim' | 'uvm'>): ServiceEvidence {
  const text = (value: string) => encodeBase64Url(encodeUtf8(value))
  return {
    tee: 'acisevsnp',
    async json(reportData) {
      const guest = psp.launch({ hostData: Uint8Array.from(Buffer.from(HOST_DATA, 'hex')) })
      const [response, certification, endorsement] = await Promise.all([
        guest.reportRequest(encodeReportRequest({ reportData, vmpl: 0 })),
        psp.thim(),
        psp.uvm.endorsement(),
      ])
      return JSON.stringify({
        SnpReport: encodeBase64Url(decodeReportResponse(response).report),
        VcekCertChain: text(certificateChainPem(certification)),
        Endorsements: text(JSON.stringify({ Uvm: [encodeBase64Url(endorsement)] })),
      })
    },
  }
}

/**
 * The two extensions of a signing certificate.
 * @param keyId 32 bytes: they are the first half of the report data, which ties the key to the report
 */
export async function evidenceExtensions(evidence: ServiceEvidence, keyId: Uint8Array): Promise<Extension[]> {
  const reportData = new Uint8Array(64)
  reportData.set(keyId)
  return [
    rawExtension(EVIDENCE, utf8String(await evidence.json(reportData))),
    rawExtension(TEE_KIND, utf8String(evidence.tee)),
  ]
}

/** DER of a UTF8String (X.690, 8.23). */
function utf8String(text: string): Uint8Array {
  const der = new Uint8Array(AsnConvert.serialize(new OctetString(encodeUtf8(text))))
  der[0] = 0x0c
  return der
}
