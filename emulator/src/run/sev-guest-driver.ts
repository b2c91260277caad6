import {
  KEY_REQUEST_SIZE,
  KEY_RESPONSE_SIZE,
  REPORT_REQUEST_SIZE,
  SNP_GET_DERIVED_KEY,
  SNP_GET_EXT_REPORT,
  SNP_GET_REPORT,
} from '@skerry/guest/wire'
import { VMM_INVALID_LENGTH } from '../psp/errors.ts'
import {
  type CallerMemory,
  type DeviceDriver,
  type DriverOptions,
  EFAULT,
  EINVAL,
  EIO,
  ENOTTY,
  padTo,
  viewOf,
} from './device-driver.ts'
import { createGuestChannel, NOT_REACHED, type Outcome, vmmStatus } from './guest-channel.ts'

/**
 * The upstream driver behind `/dev/sev-guest`, as seen by its callers.
 * Sources: Linux `include/uapi/linux/sev-guest.h`, `drivers/virt/coco/sev-guest/sev-guest.c` (6.x).
 */

/** struct snp_guest_request_ioctl: msg_version u8 at 0, req_data at 8, resp_data at 16, exitinfo2 at 24. */
const ARGUMENT_SIZE = 32
/** struct snp_report_resp: the driver copies all of it, whatever the message's own size. */
const REPORT_BUFFER_SIZE = 4000
/** struct snp_ext_report_req: the report request, certs_address u64 at 96, certs_len u32 at 104. */
const EXT_REQUEST_SIZE = 112
const CERTS_ADDRESS_AT = 96
const CERTS_LEN_AT = 104
const PAGE = 4096
/** SEV_FW_BLOB_MAX_SIZE. */
const LARGEST_CERTS_LEN = 0x4000
/** User addresses of x86-64 and arm64 end here at the latest (access_ok). */
const END_OF_USER_ADDRESSES = 1n << 56n

/** SNP_GUEST_VMM_ERR_INVALID_LEN in the upper half. */
const INVALID_LEN = vmmStatus(VMM_INVALID_LENGTH)

const SUCCESS: Outcome = { errno: 0, exitInfo2: 0n }
const refused = (errno: number): Outcome => ({ errno, exitInfo2: NOT_REACHED })

interface Argument {
  readonly request: bigint
  readonly response: bigint
}

/** One driver per guest: it has the key that the guest speaks to the firmware with. */
export function createSevGuestDriver({ guest, ...options }: DriverOptions): DeviceDriver {
  const { ask } = createGuestChannel(options)

  const exchange = async (
    { request, response }: Argument,
    memory: CallerMemory,
    sizes: { readonly request: number; readonly response: number },
    question: (bytes: Uint8Array) => Promise<Uint8Array>,
  ): Promise<Outcome> => {
    if (request === 0n || response === 0n) return refused(EINVAL)
    const asked = memory.read(request, sizes.request)
    if (asked === undefined) return refused(EFAULT)
    const result = await ask(() => question(asked))
    if (!('answer' in result)) return result
    // exitinfo2 is zero by now: a copy that fails leaves the caller's argument as it was.
    return memory.write(response, padTo(result.answer, sizes.response)) ? SUCCESS : { errno: EFAULT, exitInfo2: 0n }
  }

  const getReport = (argument: Argument, memory: CallerMemory) =>
    exchange(argument, memory, { request: REPORT_REQUEST_SIZE, response: REPORT_BUFFER_SIZE }, (bytes) =>
      guest.reportRequest(bytes),
    )

  const getDerivedKey = (argument: Argument, memory: CallerMemory) =>
    exchange(argument, memory, { request: KEY_REQUEST_SIZE, response: KEY_RESPONSE_SIZE }, (bytes) =>
      guest.keyRequest(bytes),
    )

  const getExtReport = async ({ request, response }: Argument, memory: CallerMemory): Promise<Outcome> => {
    if (request === 0n || response === 0n) return refused(EINVAL)
    const asked = memory.read(request, EXT_REQUEST_SIZE)
    if (asked === undefined) return refused(EFAULT)
    const view = viewOf(asked)
    const certsAddress = view.getBigUint64(CERTS_ADDRESS_AT, true)
    const certsLen = view.getUint32(CERTS_LEN_AT, true)
    const wanted = certsAddress !== 0n && certsLen !== 0
    if (wanted) {
      if (certsLen > LARGEST_CERTS_LEN || certsLen % PAGE !== 0) return refused(EINVAL)
      if (certsAddress + BigInt(certsLen) > END_OF_USER_ADDRESSES) return refused(EFAULT)
    }
    const room = wanted ? certsLen : 0
    // The host refuses before the firmware is asked; this is the size query, and the key stays.
    const tooSmall = (needed: number): Outcome => {
      const rewritten = asked.slice()
      viewOf(rewritten).setUint32(CERTS_LEN_AT, needed, true)
      return { errno: memory.write(request, rewritten) ? EIO : EFAULT, exitInfo2: INVALID_LEN }
    }
    const result = await ask(async (): Promise<{ needed: number } | { table: Uint8Array; report: Uint8Array }> => {
      const table = await guest.certificateTable()
      if (table.length > room) return { needed: Math.ceil(table.length / PAGE) * PAGE }
      return { table, report: await guest.reportRequest(asked.slice(0, REPORT_REQUEST_SIZE)) }
    })
    if (!('answer' in result)) return result.exitInfo2 === INVALID_LEN ? tooSmall(room + PAGE) : result
    if ('needed' in result.answer) return tooSmall(result.answer.needed)
    const { table, report } = result.answer
    if (wanted && !memory.write(certsAddress, padTo(table, certsLen))) return { errno: EFAULT, exitInfo2: 0n }
    return memory.write(response, padTo(report, REPORT_BUFFER_SIZE)) ? SUCCESS : { errno: EFAULT, exitInfo2: 0n }
  }

  return {
    async ioctl(request, argument, memory) {
      const bytes = memory.read(argument, ARGUMENT_SIZE)
      if (bytes === undefined) return EFAULT
      if (bytes[0] === 0) return EINVAL
      const view = viewOf(bytes)
      const pointers = { request: view.getBigUint64(8, true), response: view.getBigUint64(16, true) }
      const { errno, exitInfo2 } = await (request === SNP_GET_REPORT
        ? getReport(pointers, memory)
        : request === SNP_GET_DERIVED_KEY
          ? getDerivedKey(pointers, memory)
          : request === SNP_GET_EXT_REPORT
            ? getExtReport(pointers, memory)
            : refused(ENOTTY))
      if (exitInfo2 === 0n) return errno
      const copy = Uint8Array.from(bytes)
      viewOf(copy).setBigUint64(24, exitInfo2, true)
      return memory.write(argument, copy) ? errno : EFAULT
    },
  }
}
