import { encodeHex } from './bytes.ts'
import { decodeGuestPolicy } from './guest-policy.ts'
import type { SnpProduct, SnpReport } from './report.ts'
import { decodeTcb } from './tcb.ts'

/**
 * The claims that Azure Attestation derives from a report alone. Byte strings in lower-case hex in memory order; patch
 * levels are those of reported_tcb. Source: Microsoft Learn, "Attestation token claims", SEV-SNP.
 */
export function snpClaims(report: SnpReport, product: SnpProduct): Record<string, unknown> {
  const policy = decodeGuestPolicy(report.policy)
  const tcb = decodeTcb(report.reportedTcb, product)
  return {
    'x-ms-attestation-type': 'sevsnpvm',
    'x-ms-sevsnpvm-authorkeydigest': encodeHex(report.authorKeyDigest),
    'x-ms-sevsnpvm-bootloader-svn': tcb.bootLoader,
    'x-ms-sevsnpvm-familyId': encodeHex(report.familyId),
    'x-ms-sevsnpvm-guestsvn': report.guestSvn,
    'x-ms-sevsnpvm-hostdata': encodeHex(report.hostData),
    'x-ms-sevsnpvm-idkeydigest': encodeHex(report.idKeyDigest),
    'x-ms-sevsnpvm-imageId': encodeHex(report.imageId),
    'x-ms-sevsnpvm-is-debuggable': policy.debugAllowed,
    'x-ms-sevsnpvm-launchmeasurement': encodeHex(report.measurement),
    'x-ms-sevsnpvm-microcode-svn': tcb.microcode,
    'x-ms-sevsnpvm-migration-allowed': policy.migrationAllowed,
    'x-ms-sevsnpvm-reportdata': encodeHex(report.reportData),
    'x-ms-sevsnpvm-reportid': encodeHex(report.reportId),
    'x-ms-sevsnpvm-smt-allowed': policy.smtAllowed,
    'x-ms-sevsnpvm-snpfw-svn': tcb.snp,
    'x-ms-sevsnpvm-tee-svn': tcb.tee,
    'x-ms-sevsnpvm-vmpl': report.vmpl,
  }
}
