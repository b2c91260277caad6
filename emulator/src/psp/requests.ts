import {
  type DecodedKeyRequest,
  type DecodedReportRequest,
  decodeKeyRequest,
  decodeReportRequest,
  GUEST_FIELD,
  KEY_REQUEST_SIZE,
  MESSAGE_STATUS,
  REPORT_REQUEST_SIZE,
} from '@skerry/guest/wire'

/**
 * What the firmware checks in a guest message before it answers (SEV-SNP firmware ABI, AMD 56860: MSG_REPORT_REQ and
 * MSG_KEY_REQ), in its order. Statuses are the message's own: a refused request still succeeds as an ioctl.
 */

export type Refusal = typeof MESSAGE_STATUS.invalidParameters | typeof MESSAGE_STATUS.invalidKeySelection

const HIGHEST_VMPL = 3

/** Every field that this firmware can mix into a derived key; the launch mitigation vector came with 1.58. */
const KNOWN_FIELDS = Object.entries(GUEST_FIELD)
  .filter(([name]) => name !== 'launchMitVector')
  .reduce((all, [, bit]) => all | bit, 0n)

/** Reads MSG_REPORT_REQ as asked under the communication key of VMPL `vmpckVmpl`. */
export function readReportRequest(bytes: Uint8Array, vmpckVmpl: number): DecodedReportRequest | Refusal {
  if (bytes.length !== REPORT_REQUEST_SIZE) return MESSAGE_STATUS.invalidParameters
  const request = decodeReportRequest(bytes)
  if (request.reservedBitsSet) return MESSAGE_STATUS.invalidParameters
  if (!isKeyLoaded(request.keySelect)) return MESSAGE_STATUS.invalidKeySelection
  if (!isVmplAllowed(request.vmpl, vmpckVmpl)) return MESSAGE_STATUS.invalidParameters
  return request
}

export interface KeyLimits {
  readonly vmpckVmpl: number
  readonly guestSvn: number
  /** 8 bytes in memory order; no component of the TCB asked for may be above. */
  readonly committedTcb: Uint8Array
}

/** Reads MSG_KEY_REQ (32 bytes, as the ioctl passes it). */
export function readKeyRequest(bytes: Uint8Array, limits: KeyLimits): DecodedKeyRequest | Refusal {
  if (bytes.length !== KEY_REQUEST_SIZE) return MESSAGE_STATUS.invalidParameters
  const request = decodeKeyRequest(bytes)
  if (request.reservedBitsSet || (request.guestFieldSelect & ~KNOWN_FIELDS) !== 0n)
    return MESSAGE_STATUS.invalidParameters
  // KEY_SEL has a meaning only where the key is derived from an endorsement key.
  if (request.rootKeySelect === 0 && !isKeyLoaded(request.keySelect)) return MESSAGE_STATUS.invalidKeySelection
  if (!isVmplAllowed(request.vmpl, limits.vmpckVmpl)) return MESSAGE_STATUS.invalidParameters
  const selects = (bit: bigint) => (request.guestFieldSelect & bit) !== 0n
  const tcbTooHigh = request.tcbVersion.some((level, at) => level > limits.committedTcb[at]!)
  if (selects(GUEST_FIELD.guestSvn) && request.guestSvn > limits.guestSvn) return MESSAGE_STATUS.invalidParameters
  if (selects(GUEST_FIELD.tcbVersion) && tcbTooHigh) return MESSAGE_STATUS.invalidParameters
  return request
}

/** KEY_SEL 0 takes the VLEK if one is loaded, else the VCEK; 1 the VCEK. This processor has no VLEK (2); 3 is reserved. */
function isKeyLoaded(keySelect: number): boolean {
  return keySelect === 0 || keySelect === 1
}

function isVmplAllowed(vmpl: number, vmpckVmpl: number): boolean {
  return vmpl >= vmpckVmpl && vmpl <= HIGHEST_VMPL
}
