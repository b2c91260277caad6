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

export interface KdsOptions {
  /** Default `kdsintf.amd.com`. */
  readonly endpoint?: string
  /** For reports of version 2, which do not say it. Default: found out by asking. */
  readonly product?: SnpProduct
  readonly fetch?: Fetch
  readonly clock?: Clock
}

const KDS_HOST = 'kdsintf.amd.com'

/** How long AMD is left alone after it said that it was asked too often, where it does not say how long. */
const REST_MS = 60_000

/** What never changes needs no second request: chains by product, VCEKs by chip and TCB. */
const KEPT_CERTIFICATES = 16

/**
 * AMD's key distribution service (57230, "KDS interface"): `GET /vcek/v1/{product}/{hwid}?blSPL=…`, and
 * `/vcek/v1/{product}/cert_chain`. It throttles whole networks: what was answered is kept, calls that come while one is
 * under way share it, Retry-After is honoured, and after a refusal for being asked too often nobody is asked until the
 * time is over.
 */
export function kdsSource(options: KdsOptions = {}): CertificateSource {
  const { fetch = globalFetch, clock = systemClock } = options
  const { url, host } = parseEndpoint('kds', options.endpoint ?? KDS_HOST)
  const service = `KDS ${host}`
  const kept = new Map<string, Promise<Buffer>>()
  let rest: { readonly until: number; readonly error: UpstreamError } | undefined

  const ask = async (path: string) => {
    if (rest !== undefined && clock.now() < rest.until) throw rest.error
    try {
      return await retried(() => requestBytes(fetch, service, `${url}${path}`), { clock })
    } catch (error) {
      if (error instanceof UpstreamError && error.status === 429)
        rest = { until: clock.now() + (error.retryAfterMs ?? REST_MS), error }
      throw error
    }
  }

  const get = (path: string) => {
    const known = kept.get(path)
    if (known !== undefined) return known
    const answer = ask(path)
    kept.set(path, answer)
    const [oldest] = kept.keys()
    if (kept.size > KEPT_CERTIFICATES && oldest !== undefined) kept.delete(oldest)
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

/** Chips whose hardware id is hidden, and reports that are signed with another key, have no VCEK to ask for. */
export function requireVcekReport(service: string, report: SnpReport | undefined): SnpReport {
  const refuse = (why: string) => new AttestationError('ERR_CERTIFICATES', `${service} cannot be asked: ${why}`)
  if (report === undefined) throw refuse('it needs a report, for the chip and its TCB')
  if (isZero(report.chipId)) throw refuse('the host hides the id of its chip')
  if (((report.keyInfo >> 2) & 7) === 1) throw refuse('the report is signed with a VLEK, which only the provider has')
  return report
}

/** Reports of version 2 do not name the product; a Turin's hardware id has 8 bytes. */
function productsOf(report: SnpReport, told: SnpProduct | undefined): readonly SnpProduct[] {
  const product = productOfReport(report) ?? told
  if (product !== undefined) return [product]
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
