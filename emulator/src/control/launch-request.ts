import { decodeBase64, decodeHex } from '@skerry/guest/wire'
import * as v from 'valibot'
import { allowAllPolicy } from '../aci/index.ts'
import { policyText } from '../aci/policy.ts'
import { SNP_PRODUCTS } from '../psp/products.ts'
import type { VirtualGuest, VirtualProcessor } from '../psp/types.ts'

const hex = (name: string, size: number) =>
  v.optional(
    v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-f]{${2 * size}}$`, 'i'), `${name} is not ${size} bytes in hex`)),
  )

/** `POST /.skerry/psp/guests`. What is left out is as on Azure. */
export const LaunchRequest = v.strictObject({
  /** Base64 of the CCE policy; absent: the one that allows everything. */
  ccePolicy: v.optional(v.pipe(v.string(), v.base64('ccePolicy is not base64'), v.nonEmpty('ccePolicy is empty'))),
  /** Name, client id, object id or ARM id of the managed identity that the program is to have. */
  identity: v.optional(v.pipe(v.string(), v.nonEmpty('identity is empty'))),
  debug: v.optional(v.boolean()),
  vmpl: v.optional(v.picklist([0, 1, 2, 3])),
  /** A host of this product instead of the instance's own. */
  product: v.optional(v.picklist(SNP_PRODUCTS)),
  /** The guest policy, u64 in hex: `0x3001f`. */
  guestPolicy: v.optional(
    v.pipe(v.string(), v.regex(/^0x[0-9a-f]{1,16}$/i, 'guestPolicy is not a u64 such as 0x3001f')),
  ),
  guestSvn: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff))),
  measurement: hex('measurement', 48),
  familyId: hex('familyId', 16),
  imageId: hex('imageId', 16),
  idKeyDigest: hex('idKeyDigest', 48),
  authorKeyDigest: hex('authorKeyDigest', 48),
  vcekDisabled: v.optional(v.boolean()),
})

export type LaunchRequest = v.InferOutput<typeof LaunchRequest>

export interface RequestedGuest {
  readonly guest: VirtualGuest
  /** The processor that it was launched on. */
  readonly host: VirtualProcessor
  readonly hostData: Uint8Array
  readonly policyText: Uint8Array
}

const BYTES = ['measurement', 'familyId', 'imageId', 'idKeyDigest', 'authorKeyDigest'] as const

/** @throws FirmwareError for a guest policy that the host cannot keep */
export function launchRequested(psp: VirtualProcessor, request: LaunchRequest): RequestedGuest {
  const { ccePolicy, debug, vmpl, guestPolicy, guestSvn, vcekDisabled, product } = request
  const { hostData, text } = policyText(ccePolicy === undefined ? allowAllPolicy() : decodeBase64(ccePolicy))
  const host = product === undefined ? psp : psp.of(product)
  const bytes = BYTES.flatMap((name) =>
    request[name] === undefined ? [] : [[name, decodeHex(request[name])] as const],
  )
  const guest = host.launch({
    hostData,
    ...(debug !== undefined && { debug }),
    ...(vmpl !== undefined && { vmpl }),
    ...(guestPolicy !== undefined && { policy: BigInt(guestPolicy) }),
    ...(guestSvn !== undefined && { guestSvn }),
    ...(vcekDisabled !== undefined && { vcekDisabled }),
    ...Object.fromEntries(bytes),
  })
  return { guest, host, hostData, policyText: text }
}
