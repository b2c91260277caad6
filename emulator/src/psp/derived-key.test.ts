import { decodeKeyResponse, encodeKeyRequest, GUEST_FIELD, type KeyRequest, tcbFromHex } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../core/test-context.ts'
import { createProcessor, type LaunchOptions, type ProcessorOptions, type VirtualGuest } from './index.ts'

/* One machine throughout: another processor of it has the same chip. */
const world = createTestContext()
const HOST_DATA = new Uint8Array(32).fill(7)
const filled = (size: number, value: number) => new Uint8Array(size).fill(value)

const launched = (options: Partial<LaunchOptions> = {}, processor: ProcessorOptions = {}) =>
  createProcessor(world.ctx, processor).launch({ hostData: HOST_DATA, ...options })
const asking = (request: Partial<KeyRequest>) =>
  encodeKeyRequest({ rootKeySelect: 0, guestFieldSelect: 0n, vmpl: 0, ...request })
const answerOf = async (guest: VirtualGuest, request: Partial<KeyRequest> = {}) =>
  decodeKeyResponse(await guest.keyRequest(asking(request)))
const keyOf = async (guest: VirtualGuest, request: Partial<KeyRequest> = {}) => {
  const { status, key } = await answerOf(guest, request)
  expect(status).toBe(0)
  return Buffer.from(key).toString('hex')
}

describe('what is mixed into a derived key', () => {
  it.each([
    ['host data', { hostData: filled(32, 8) }],
    ['the digest of the ID key', { idKeyDigest: filled(48, 1) }],
    ['the digest of the author key', { authorKeyDigest: filled(48, 1) }],
  ])('%s always is', async (_, options) => {
    expect(await keyOf(launched(options))).not.toBe(await keyOf(launched()))
  })

  it('is the author key instead of the ID key where there is one', async () => {
    const authorKeyDigest = filled(48, 5)
    const one = launched({ authorKeyDigest, idKeyDigest: filled(48, 1) })
    const other = launched({ authorKeyDigest, idKeyDigest: filled(48, 2) })
    expect(await keyOf(one)).toBe(await keyOf(other))
  })

  it.each([
    ['policy', GUEST_FIELD.policy, { debug: true }],
    ['image id', GUEST_FIELD.imageId, { imageId: filled(16, 9) }],
    ['family id', GUEST_FIELD.familyId, { familyId: filled(16, 9) }],
    ['measurement', GUEST_FIELD.measurement, { measurement: filled(48, 9) }],
  ])('%s is where it is selected', async (_, guestFieldSelect, options) => {
    expect(await keyOf(launched(options))).toBe(await keyOf(launched()))
    expect(await keyOf(launched(options), { guestFieldSelect })).not.toBe(await keyOf(launched(), { guestFieldSelect }))
  })

  it('is the SVN that was asked for, not that of the guest', async () => {
    const request = { guestFieldSelect: GUEST_FIELD.guestSvn, guestSvn: 1 }
    expect(await keyOf(launched({ guestSvn: 9 }), request)).toBe(await keyOf(launched({ guestSvn: 1 }), request))
  })
})

describe('the root of a derived key', () => {
  it('is the VCEK of the reported TCB: a roll changes the key, and rolling back gives it again', async () => {
    const psp = createProcessor(world.ctx)
    const guest = psp.launch({ hostData: HOST_DATA })
    const before = await keyOf(guest)
    psp.rollTcb()
    expect(await keyOf(guest)).not.toBe(before)
    psp.rollTcb({ microcode: 0xdb })
    expect(await keyOf(guest)).toBe(before)
  })

  it('is the VCEK of the selected TCB, whatever is reported', async () => {
    const psp = createProcessor(world.ctx)
    const guest = psp.launch({ hostData: HOST_DATA })
    const request = { guestFieldSelect: GUEST_FIELD.tcbVersion, tcbVersion: tcbFromHex('DB18000000000004') }
    const before = await keyOf(guest, request)
    psp.rollTcb()
    expect(await keyOf(guest, request)).toBe(before)
  })

  it('is the VLEK where one is loaded, unless the VCEK is asked for', async () => {
    const withVlek = launched({}, { signing: 'vlek' })
    expect(await keyOf(withVlek, { keySelect: 2 })).toBe(await keyOf(withVlek))
    expect(await keyOf(withVlek, { keySelect: 1 })).not.toBe(await keyOf(withVlek))
    expect(await keyOf(withVlek, { keySelect: 1 })).toBe(await keyOf(launched()))
  })

  it('is the VM root key where that is selected: another one for each launch', async () => {
    const guest = launched()
    const request = { rootKeySelect: 1, keySelect: 3 } as const
    expect(await keyOf(guest, request)).toBe(await keyOf(guest, request))
    expect(await keyOf(launched(), request)).not.toBe(await keyOf(guest, request))
  })

  it('is of this chip: a host of another product derives another key', async () => {
    expect(await keyOf(launched({}, { product: 'Genoa' }))).not.toBe(await keyOf(launched()))
  })
})

describe('a key request is refused', () => {
  const hidden = { maskChipKey: true } as const
  const withVlek = { signing: 'vlek' } as const
  it.each([
    ['for the chip key where the host hides that', 0x27, {}, {}, hidden],
    ['for a VLEK where the host hides the chip key', 0x27, { keySelect: 2 }, {}, { ...hidden, ...withVlek }],
    ['for the VCEK where the guest was launched without', 0x27, { keySelect: 1 }, { vcekDisabled: true }, withVlek],
    ['for any key where the guest was launched without the only one', 0x27, {}, { vcekDisabled: true }, {}],
    ['for the reserved key', 0x27, { keySelect: 3 }, {}, withVlek],
    ['for a VMPL more privileged than its own', 0x16, { vmpl: 1 }, { vmpl: 2 }, {}],
    [
      'for a TCB with a reserved byte',
      0x16,
      { guestFieldSelect: GUEST_FIELD.tcbVersion, tcbVersion: Uint8Array.of(0, 0, 1, 0, 0, 0, 0, 0) },
      {},
      {},
    ],
  ] as const)('%s', async (_, status, request, options, processor) => {
    expect((await answerOf(launched(options, processor), request)).status).toBe(status)
  })

  it('for its key before its VMPL, and for its VMPL before its fields', async () => {
    const guest = launched({ vmpl: 1 }, hidden)
    expect((await answerOf(guest, { vmpl: 0, guestFieldSelect: 1n << 9n })).status).toBe(0x27)
    expect((await answerOf(guest, { rootKeySelect: 1, vmpl: 0 })).status).toBe(0x16)
    expect((await answerOf(guest, { rootKeySelect: 1, vmpl: 1 })).status).toBe(0)
  })
})

describe('a Turin', () => {
  it('compares a TCB in its own order', async () => {
    const guest = launched({}, { product: 'Turin' })
    const at = (hex: string) => ({ guestFieldSelect: GUEST_FIELD.tcbVersion, tcbVersion: tcbFromHex(hex) })
    expect((await answerOf(guest, at('5100000004010101'))).status).toBe(0)
    expect((await answerOf(guest, at('5100000004010102'))).status).toBe(0x16)
    expect((await answerOf(guest, at('5104000000010101'))).status).toBe(0x16)
  })
})

describe('the launch mitigation vector', () => {
  const firmware = { major: 1, minor: 58, build: 1 }
  const request = { guestFieldSelect: GUEST_FIELD.launchMitVector, launchMitVector: 0x1fn }
  const turin = (more: ProcessorOptions = {}) => launched({}, { product: 'Turin', ...more })

  it('is mixed in by firmware 1.58 where it is selected', async () => {
    const guest = turin({ firmware })
    expect(await keyOf(guest, request)).not.toBe(await keyOf(guest, { ...request, launchMitVector: 0x0fn }))
    expect(await keyOf(guest, { launchMitVector: 0x1fn })).toBe(await keyOf(guest))
  })

  it.each([
    ['firmware of before', {}, request],
    ['a message without it', { firmware }, { guestFieldSelect: GUEST_FIELD.launchMitVector }],
    ['a mitigation that the guest was launched without', { firmware }, { ...request, launchMitVector: 0x40n }],
  ])('is refused by or for %s', async (_, processor, asked) => {
    expect((await answerOf(turin(processor), asked)).status).toBe(0x16)
  })
})
