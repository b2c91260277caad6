import type {
  AnswerFailure,
  AnswerFault,
  Faults,
  GuestRequestFault,
  ProcessorFaults,
  TcbRollFault,
} from '../core/index.ts'
import { FirmwareError, GuestRequestError, VMM_INVALID_LENGTH } from './errors.ts'

/** Which service's answers a fault is about. */
export type CertificateService = 'thim' | 'kds' | 'certificateCache'

/** The counters of a fault plan, shared by the processors of one machine. */
export interface FaultPlan {
  readonly faults: ProcessorFaults
  /** Begins another plan; everything is counted from 1 again, but for guests that are asked about already. */
  replace(faults: ProcessorFaults): void
  /** Counts one request of a guest. @throws GuestRequestError where the plan has it fail */
  request(counters: RequestCounters, kind: 'report' | 'key'): void
  /** Counts one report of the processor; the roll that comes before it. */
  report(): TcbRollFault | undefined
  /** Counts one answer; how it fails. */
  answer(service: CertificateService): FailedAnswer | undefined
}

export interface FailedAnswer extends AnswerFailure {
  readonly status: number
}

/** How often one guest has asked. */
export interface RequestCounters {
  report: number
  key: number
}

/** HWERROR_PLATFORM. */
const HARDWARE_ERROR = 19

export function createFaultPlan(initial: Faults): FaultPlan {
  let faults = initial.processor ?? {}
  let reports = 0
  let answers: Record<CertificateService, number> = { thim: 0, kds: 0, certificateCache: 0 }
  return {
    get faults() {
      return faults
    },
    replace(next) {
      faults = next
      reports = 0
      answers = { thim: 0, kds: 0, certificateCache: 0 }
    },
    request(counters, kind) {
      counters[kind] += 1
      const fault = faults.requests?.find((one) => applies(one, counters, kind))
      if (fault !== undefined) throw failureOf(fault)
    },
    report() {
      reports += 1
      return faults.tcbRoll?.at === reports ? faults.tcbRoll : undefined
    },
    answer(service) {
      answers[service] += 1
      const fault = faults[service]
      if (fault === undefined || !fails(fault, answers[service])) return undefined
      const { status = 429, retryAfterSeconds } = fault
      return { status, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) }
    },
  }
}

function applies(fault: GuestRequestFault, counters: RequestCounters, kind: 'report' | 'key'): boolean {
  if (fault.kind !== undefined && fault.kind !== kind) return false
  const number = fault.kind === undefined ? counters.report + counters.key : counters[kind]
  return number >= fault.at && number < fault.at + (fault.count ?? 1)
}

function failureOf({ failure, status }: GuestRequestFault): GuestRequestError {
  if (failure === 'firmware') return new FirmwareError(status ?? HARDWARE_ERROR)
  return new GuestRequestError(failure, failure === 'vmm' ? (status ?? VMM_INVALID_LENGTH) : 0)
}

function fails(fault: AnswerFault, number: number): boolean {
  if ('every' in fault) return number % fault.every === 0
  return number >= fault.at && number < fault.at + (fault.count ?? 1)
}
