import { AttestationError } from '../attest/errors.ts'
import type { Clock } from '../clock.ts'
import { systemClock } from '../clock.ts'
import { parseEndpoint } from '../http/endpoint.ts'
import { retried } from '../http/retry.ts'
import { type Fetch, globalFetch, requestBytes, UpstreamError } from '../http/upstream.ts'
import {
  decodeTcb,
  decodeUtf8,
  derToPem,
  encodeHex,
  isZero,
  pemToDer,
  productOfReport,
  readCertificateParts,
  type SnpProduct,
  type SnpReport,
  type ThimCertification,
  tcbToHex,
  WireError,
} from '../wire/index.ts'
import type { CertificateSource } from './source.ts'

/** AMD's key distribution service, and how it is asked. */
export interface KdsOptions {
  /** Default `kdsintf.amd.com`. */
  readonly endpoint?: string
  /** For reports of version 2, which do not say it. Default: found out by asking. */
  readonly product?: SnpProduct
  /** Default: Node's `fetch`. */
  readonly fetch?: Fetch
  /** Default: the system's. */
  readonly clock?: Clock
}

const KDS_HOST = 'kdsintf.amd.com'

/** How long AMD is left alone after it said that it was asked too often and not for how long, or that it has not what was asked. */
const REST_MS = 60_000

/** What never changes needs no second request: chains by product, VCEKs by chip and TCB. */
const KEPT_CERTIFICATES = 16

/**
 * AMD's key distribution service (57230, "KDS interface"): `GET /vcek/v1/{product}/{hwid}?blSPL=…`, and
 * `/vcek/v1/{product}/cert_chain`. It throttles whole networks: what was answered is kept, calls that come while one is
 * under way share it, Retry-After is honoured, and after a refusal for being asked too often nobody is asked until the
 * time is over. What it has not (404) is not asked for again for a minute.
 */
export function kdsSource(options: KdsOptions = {}): CertificateSource {
  const { fetch = globalFetch, clock = systemClock } = options
  const { url, host } = parseEndpoint('kds', options.endpoint ?? KDS_HOST)
  const service = `KDS ${host}`
  const kept = new Map<string, Promise<Buffer>>()
  const refusals = createRefusals(service, clock)

  const ask = async (path: string) => {
    refusals.check(path)
    try {
      return await retried(() => requestBytes(fetch, service, `${url}${path}`), { clock })
    } catch (error) {
      refusals.note(path, error)
      throw error
    }
  }

  const get = (path: string) => {
    const known = kept.get(path)
    if (known !== undefined) return known
    const answer = ask(path)
    keep(kept, path, answer)
    answer.catch(() => kept.delete(path))
    return answer
  }

  return {
    name: service,
    async fetch(report) {
      const asked = requireVcekReport(service, report)
      const products = productsOf(asked, options.product)
      for (const [index, product] of products.entries()) {
        try {
          const vcek = await get(vcekPath(asked, product))
          const chain = await get(`/vcek/v1/${product}/cert_chain`)
          return certification(service, asked, vcek, chain)
        } catch (error) {
          // Under another product's name the chip is not found.
          const next = error instanceof UpstreamError && error.status === 404 && index + 1 < products.length
          if (!next) throw error
        }
      }
      throw new AttestationError('ERR_CERTIFICATES', `${service}: the product of this chip is not known`)
    },
  }
}

/** Remembers who was refused what, so that nobody asks again at once. */
function createRefusals(service: string, clock: Clock) {
  const missing = new Map<string, number>()
  let throttledUntil = Number.NEGATIVE_INFINITY
  const refuse = (status: number, words: string, until: number) => {
    const retryAfterMs = until - clock.now()
    if (retryAfterMs <= 0) return
    const message = `${status} ${words}, and is not asked again for ${Math.ceil(retryAfterMs / 1000)} s`
    throw new UpstreamError('ERR_UPSTREAM_STATUS', service, message, { status, retryAfterMs })
  }
  return {
    /** @throws UpstreamError as the service did */
    check(path: string) {
      refuse(429, 'it was asked too often', throttledUntil)
      refuse(404, 'it has no such certificate', missing.get(path) ?? Number.NEGATIVE_INFINITY)
    },
    note(path: string, error: unknown) {
      if (!(error instanceof UpstreamError)) return
      if (error.status === 429) throttledUntil = clock.now() + (error.retryAfterMs ?? REST_MS)
      if (error.status === 404) keep(missing, path, clock.now() + REST_MS)
    },
  }
}

/** The last ones only. */
function keep<T>(kept: Map<string, T>, path: string, value: T): void {
  kept.delete(path)
  kept.set(path, value)
  const [oldest] = kept.keys()
  if (kept.size > KEPT_CERTIFICATES && oldest !== undefined) kept.delete(oldest)
}

/** Chips whose hardware id is hidden, and reports that are signed with another key, have no VCEK to ask for. */
export function requireVcekReport(service: string, report: SnpReport | undefined): SnpReport {
  const refuse = (why: string) => new AttestationError('ERR_CERTIFICATES', `${service} cannot be asked: ${why}`)
  if (report === undefined) throw refuse('it needs a report, for the chip and its TCB')
  if (isZero(report.chipId)) throw refuse('the host hides the id of its chip')
  if (((report.keyInfo >> 2) & 7) === 1) throw refuse('the report is signed with a VLEK, which only the provider has')
  return report
}

/** Reports of version 2 do not name the product; a Turin's hardware id has 8 bytes. None for a processor nobody knows here. */
function productsOf(report: SnpReport, told: SnpProduct | undefined): readonly SnpProduct[] {
  const product = productOfReport(report) ?? told
  if (product !== undefined) return [product]
  if (report.cpuidFamily !== undefined) return []
  return isZero(report.chipId.subarray(8)) ? ['Turin'] : ['Milan', 'Genoa']
}

function vcekPath(report: SnpReport, product: SnpProduct): string {
  const { fmc, bootLoader, tee, snp, microcode } = decodeTcb(report.reportedTcb, product)
  const hwid = encodeHex(product === 'Turin' ? report.chipId.subarray(0, 8) : report.chipId)
  const levels = {
    ...(fmc !== undefined && { fmcSPL: fmc }),
    blSPL: bootLoader,
    teeSPL: tee,
    snpSPL: snp,
    ucodeSPL: microcode,
  }
  const query = Object.entries(levels).map(([name, level]) => `${name}=${level}`)
  return `/vcek/v1/${product}/${hwid}?${query.join('&')}`
}

function certification(service: string, report: SnpReport, vcek: Uint8Array, chain: Uint8Array): ThimCertification {
  try {
    readCertificateParts(vcek)
    const authorities = pemToDer(decodeUtf8(chain))
    return {
      vcekCert: derToPem(vcek),
      tcbm: tcbToHex(report.reportedTcb),
      certificateChain: authorities.map((der) => derToPem(der)).join(''),
      cacheControl: '',
    }
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause
    throw new UpstreamError('ERR_UPSTREAM_BODY', service, `the answer holds no certificates: ${cause.message}`, {
      cause,
    })
  }
}
