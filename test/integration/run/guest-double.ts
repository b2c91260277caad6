import { setImmediate as turn } from 'node:timers/promises'
import { encodeReportResponse } from '@skerry/guest/wire'
import type { VirtualGuest } from '../../../emulator/src/psp/types.ts'

/** A guest whose answers are known beforehand: report data at its place, the rest filled from its first byte. */
export function guestDouble(): VirtualGuest & { readonly asked: Uint8Array[] } {
  const asked: Uint8Array[] = []
  return {
    asked,
    reportId: new Uint8Array(32).fill(7),
    async reportRequest(request) {
      asked.push(Uint8Array.from(request))
      await turn()
      return reportResponseTo(request[0] ?? 0)
    },
    async keyRequest() {
      return new Uint8Array(64).fill(0xcd)
    },
    async certificateTable() {
      return new Uint8Array(5_000).fill(0xab)
    },
  }
}

export function reportResponseTo(first: number): Uint8Array {
  const report = Uint8Array.from({ length: 1184 }, (_, at) => (at * 31 + first) & 0xff)
  report.fill(first, 0x50, 0x90)
  return encodeReportResponse({ status: 0, report })
}
