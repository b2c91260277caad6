import {
  type DecodedKeyRequest,
  type DecodedReportRequest,
  decodeKeyRequest,
  decodeReportRequest,
  encodeTcb,
  GUEST_FIELD,
  KEY_REQUEST_SIZE,
  KEY_REQUEST_SIZE_WITH_VECTOR,
  type KeySelect,
  MESSAGE_STATUS,
  REPORT_REQUEST_SIZE,
  type SnpProduct,
  type TcbVersion,
} from '@skerry/guest/wire'

/**
 * What the firmware checks in a guest message before it answers (SEV-SNP firmware ABI, AMD 56860: MSG_REPORT_REQ and
 * MSG_KEY_REQ), in its order. Statuses are the message's own: a refused request still succeeds as an ioctl.
 */

export type Refusal = typeof MESSAGE_STATUS.invalidParameters | typeof MESSAGE_STATUS.invalidKeySelection

const HIGHEST_VMPL = 3

/** What of the host and of the guest decides about keys. */
export interface KeySetup {
  readonly vlekLoaded: boolean
  readonly maskChipKey: boolean
  readonly vcekDisabled: boolean
}

/** Which endorsement key KEY_SEL means; `none`: there is none that may be used. */
export type SelectedKey = 'vcek' | 'vlek' | 'none'

/** Reads MSG_REPORT_REQ as asked under the communication key of VMPL `vmpckVmpl`. */
export function readReportRequest(
  bytes: Uint8Array,
  vmpckVmpl: number,
  keys: KeySetup,
): (DecodedReportRequest & { readonly key: SelectedKey }) | Refusal {
  if (bytes.length !== REPORT_REQUEST_SIZE) return MESSAGE_STATUS.invalidParameters
  const request = decodeReportRequest(bytes)
  if (request.reservedBitsSet) return MESSAGE_STATUS.invalidParameters
  const key = selectKey(request.keySelect, keys)
  if (key === undefined) return MESSAGE_STATUS.invalidKeySelection
  if (!isVmplAllowed(request.vmpl, vmpckVmpl)) return MESSAGE_STATUS.invalidParameters
  // Such a report is answered, unsigned.
  return { ...request, key: key === 'vcek' && keys.maskChipKey ? 'none' : key }
}

export interface KeyLimits {
  readonly vmpckVmpl: number
  readonly keys: KeySetup
  readonly product: SnpProduct
  readonly guestSvn: number
  /** No component of the TCB asked for may be above, and no reserved byte set. */
  readonly committedTcb: TcbVersion
  /** LAUNCH_MIT_VECTOR of the guest; undefined where the firmware does not know the field. */
  readonly launchMitVector?: bigint
}

/** Reads MSG_KEY_REQ (32 bytes, as the ioctl passes it, or 40 with a launch mitigation vector). */
export function readKeyRequest(
  bytes: Uint8Array,
  limits: KeyLimits,
): (DecodedKeyRequest & { readonly key?: 'vcek' | 'vlek' }) | Refusal {
  const { invalidParameters, invalidKeySelection } = MESSAGE_STATUS
  const withVector = bytes.length === KEY_REQUEST_SIZE_WITH_VECTOR && limits.launchMitVector !== undefined
  if (bytes.length !== KEY_REQUEST_SIZE && !withVector) return invalidParameters
  const request = decodeKeyRequest(bytes)
  if (request.reservedBitsSet) return invalidParameters
  // KEY_SEL has a meaning only where the key is derived from an endorsement key.
  let key: 'vcek' | 'vlek' | undefined
  if (request.rootKeySelect === 0) {
    if (limits.keys.maskChipKey) return invalidKeySelection
    key = selectKey(request.keySelect, limits.keys)
    if (key === undefined) return invalidKeySelection
  }
  if (!isVmplAllowed(request.vmpl, limits.vmpckVmpl)) return invalidParameters
  const selects = (bit: bigint) => (request.guestFieldSelect & bit) !== 0n
  const known = withVector ? ALL_FIELDS : ALL_FIELDS & ~GUEST_FIELD.launchMitVector
  if ((request.guestFieldSelect & ~known) !== 0n) return invalidParameters
  if (selects(GUEST_FIELD.tcbVersion) && !isWithin(request.tcbVersion, limits)) return invalidParameters
  if (selects(GUEST_FIELD.guestSvn) && request.guestSvn > limits.guestSvn) return invalidParameters
  // A guest may leave mitigations out of its key, not claim those that it was launched without.
  const unknown = request.launchMitVector & ~(limits.launchMitVector ?? 0n)
  if (selects(GUEST_FIELD.launchMitVector) && unknown !== 0n) return invalidParameters
  return key === undefined ? request : { ...request, key }
}

const ALL_FIELDS = Object.values(GUEST_FIELD).reduce((all, bit) => all | bit, 0n)

/** Byte by byte: a reserved one is zero in every committed TCB. */
function isWithin(tcb: Uint8Array, { committedTcb, product }: KeyLimits): boolean {
  const committed = encodeTcb(committedTcb, product)
  return tcb.every((level, at) => level <= committed[at]!)
}

/** KEY_SEL 0 takes the VLEK if one is loaded, else the VCEK; 1 the VCEK; 2 the VLEK; 3 is reserved. */
function selectKey(
  keySelect: KeySelect,
  { vlekLoaded, vcekDisabled }: Pick<KeySetup, 'vlekLoaded' | 'vcekDisabled'>,
): 'vcek' | 'vlek' | undefined {
  if ((keySelect === 0 || keySelect === 2) && vlekLoaded) return 'vlek'
  return (keySelect === 0 || keySelect === 1) && !vcekDisabled ? 'vcek' : undefined
}

function isVmplAllowed(vmpl: number, vmpckVmpl: number): boolean {
  return vmpl >= vmpckVmpl && vmpl <= HIGHEST_VMPL
}
