import { encodeHex } from './bytes.ts'
import { SGX_FLAG_DEBUG, SGX_FLAG_KSS, type SgxReportBody } from './sgx-report-body.ts'

/**
 * The claims that Azure Attestation derives from an enclave's report alone. Byte strings in lower-case hex in memory
 * order. Source: Microsoft Learn, "Claim sets", SGX attestation.
 */
export function sgxClaims(report: SgxReportBody): Record<string, unknown> {
  return {
    'x-ms-attestation-type': 'sgx',
    'x-ms-sgx-is-debuggable': (report.flags & SGX_FLAG_DEBUG) !== 0n,
    'x-ms-sgx-mrenclave': encodeHex(report.mrEnclave),
    'x-ms-sgx-mrsigner': encodeHex(report.mrSigner),
    'x-ms-sgx-product-id': report.isvProductId,
    'x-ms-sgx-report-data': encodeHex(report.reportData),
    'x-ms-sgx-svn': report.isvSvn,
    // Without KSS the processor leaves these fields zero; the service then has no claims of them.
    ...((report.flags & SGX_FLAG_KSS) !== 0n && {
      'x-ms-sgx-config-id': encodeHex(report.configId),
      'x-ms-sgx-config-svn': report.configSvn,
      'x-ms-sgx-isv-extended-product-id': encodeHex(report.isvExtendedProductId),
      'x-ms-sgx-isv-family-id': encodeHex(report.isvFamilyId),
    }),
  }
}
