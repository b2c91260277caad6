import type { VirtualGuest } from '../psp/types.ts'
import type { CallerMemory } from './device-driver.ts'

/** A caller's memory with these regions mapped and nothing else. */
export function fakeMemory(regions: readonly (readonly [address: bigint, size: number])[]): CallerMemory {
  const mapped = regions.map(([address, size]) => ({ address, bytes: new Uint8Array(Math.max(size, 4096)) }))
  const find = (address: bigint, size: number) => {
    for (const region of mapped) {
      const at = Number(address - region.address)
      if (at >= 0 && at + size <= region.bytes.length) return region.bytes.subarray(at, at + size)
    }
    return undefined
  }
  return {
    read: (address, size) => find(address, size)?.slice(),
    write(address, bytes) {
      const place = find(address, bytes.length)
      place?.set(bytes)
      return place !== undefined
    },
  }
}

/** Answers with 1s to reports, 2s to keys, 5,000 3s as certificates. */
export function guestOf(changed: Partial<VirtualGuest>): VirtualGuest {
  return {
    reportId: new Uint8Array(32),
    reportRequest: async () => new Uint8Array(1216).fill(1),
    keyRequest: async () => new Uint8Array(64).fill(2),
    certificateTable: async () => new Uint8Array(5000).fill(3),
    ...changed,
  }
}
