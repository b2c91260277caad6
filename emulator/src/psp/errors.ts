/**
 * Why a request of a guest failed as a whole, as its kernel driver comes to know it. (What the firmware refuses in its
 * answer, the status word of MSG_*_RSP, is an answer and no error.)
 * - `firmware`: `status` of AMD 56860, "Status Codes": the low half of exitinfo2;
 * - `vmm`: `status` of the hypervisor (GHCB, SNP Guest Request), the high half: 1 too little room for certificates;
 * - `busy`: the hypervisor throttles (its status 2): the driver tries again;
 * - `response`: an answer that does not decrypt;
 * - `sequence`: the message counter is used up;
 * - `again`: the driver has no room for the request now; nothing was sent.
 */
export type GuestRequestFailure = 'firmware' | 'vmm' | 'busy' | 'response' | 'sequence' | 'again'

export class GuestRequestError extends Error {
  override readonly name: string = 'GuestRequestError'
  readonly code: string = 'ERR_GUEST_REQUEST'
  readonly failure: GuestRequestFailure
  readonly status: number

  constructor(failure: GuestRequestFailure, status = 0) {
    super(MESSAGES[failure](status))
    this.failure = failure
    this.status = status
  }
}

const MESSAGES: Readonly<Record<GuestRequestFailure, (status: number) => string>> = {
  firmware: (status) => `the firmware answered status ${status}`,
  vmm: (status) => `the hypervisor answered status ${status}`,
  busy: () => 'the hypervisor throttles requests to the firmware',
  response: () => 'the response of the firmware does not decrypt',
  sequence: () => 'the message counter is used up',
  again: () => 'the driver takes no request now',
}

/** The firmware refuses the whole request (not one of MSG_*_RSP's status words). */
export class FirmwareError extends GuestRequestError {
  override readonly name = 'FirmwareError'
  override readonly code = 'ERR_FIRMWARE'

  constructor(status: number) {
    super('firmware', status)
  }
}

/** The hypervisor's word for too little room (GHCB; Linux `SNP_GUEST_VMM_ERR_*`). */
export const VMM_INVALID_LENGTH = 1
export const VMM_BUSY = 2

/** POLICY_FAILURE and INVALID_PARAM (AMD 56860, "Status Codes"). */
export const POLICY_FAILURE = 7
export const INVALID_PARAM = 0x16
