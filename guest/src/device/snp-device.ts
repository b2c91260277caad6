import type { KeyRequest } from '../wire/index.ts'

/** What signs for this guest. Every function that needs evidence takes one, so that a host without Linux can bring its own. */
export interface SnpDevice {
  /**
   * Asks the secure processor for a report.
   * @param reportData 64 bytes that the report will carry
   * @param options.vmpl the privilege level to state, 0 to 3, not below the guest's own; default: the guest's own
   * @returns 1184 bytes (AMD 56860, ATTESTATION_REPORT), signed
   * @throws SnpDeviceError
   */
  getReport(reportData: Uint8Array, options?: { readonly vmpl?: number }): Promise<Uint8Array>
  /** Certificates that the host hands out with a report, as its GUID table. Only on `/dev/sev-guest`; empty when the host has none. */
  getExtendedReport?(
    reportData: Uint8Array,
    options?: { readonly vmpl?: number },
  ): Promise<{ report: Uint8Array; certificateTable: Uint8Array }>
  /** 32 bytes that only this guest on this chip gets. Only on `/dev/sev-guest`. The caller wipes them. */
  getDerivedKey?(request: KeyRequest): Promise<Uint8Array>
  /** Requests under way finish; later ones are refused with `ERR_SNP_DEVICE_CLOSED`. */
  close(): void
}
