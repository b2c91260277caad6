import type { Clock } from '../clock.ts'
import { systemClock } from '../clock.ts'
import { parseEndpoint } from '../http/endpoint.ts'
import { retried } from '../http/retry.ts'
import { type Fetch, globalFetch, requestBytes, UpstreamError } from '../http/upstream.ts'
import {
  decodeUtf8,
  derToPem,
  encodeHex,
  pemToDer,
  readCertificateParts,
  tcbToHex,
  VCEK_OIDS,
  WireError,
} from '../wire/index.ts'
import { requireVcekReport } from './kds.ts'
import type { CertificateSource } from './source.ts'

/** Azure's cache, and how it is asked. */
export interface AzCacheOptions {
  /** Default `global.acccache.azure.net`. */
  readonly endpoint?: string
  /** Default `SevSnpVM`. */
  readonly teeType?: string
  /** Default `2020-10-15-preview`. */
  readonly apiVersion?: string
  /** Who asks, as a label. Default `ConfidentialACI`. */
  readonly clientId?: string
  /** Default: Node's `fetch`. */
  readonly fetch?: Fetch
  /** Default: the system's. */
  readonly clock?: Clock
}

const DEFAULTS = {
  endpoint: 'global.acccache.azure.net',
  teeType: 'SevSnpVM',
  apiVersion: '2020-10-15-preview',
  clientId: 'ConfidentialACI',
}

/** Azure's cache of AMD's certificates: `GET /{TEE}/certificates/{chip id}/{tcb}`, VCEK, ASK and ARK in PEM. */
export function azCacheSource(options: AzCacheOptions = {}): CertificateSource {
  const { fetch = globalFetch, clock = systemClock } = options
  const { endpoint, teeType, apiVersion, clientId } = { ...DEFAULTS, ...options }
  const { url, host } = parseEndpoint('certcache.endpoint', endpoint)
  const service = `certificate cache ${host}`
  const query = new URLSearchParams({ 'api-version': apiVersion, clientId })
  return {
    name: service,
    async fetch(report) {
      const { chipId, reportedTcb } = requireVcekReport(service, report)
      const tcbm = tcbToHex(reportedTcb)
      // The path has the number without leading zeros.
      const tcb = tcbm.toLowerCase().replace(/^0+(?=.)/, '')
      const path = `/${encodeURIComponent(teeType)}/certificates/${encodeHex(chipId)}/${tcb}`
      const pem = await retried(() => requestBytes(fetch, service, `${url}${path}?${query}`), { clock })
      const [vcek, ...authorities] = certificatesOf(service, pem)
      return {
        vcekCert: derToPem(vcek),
        tcbm,
        certificateChain: authorities.map((der) => derToPem(der)).join(''),
        cacheControl: '',
      }
    },
  }
}

/** Wherever it stands among them: only the chip's own certificate has AMD's extensions. */
function isOfChip(der: Uint8Array): boolean {
  return readCertificateParts(der).extensions.some(({ oid }) => oid === VCEK_OIDS.productName)
}

function certificatesOf(service: string, pem: Uint8Array): [Uint8Array, ...Uint8Array[]] {
  const refuse = (why: string, cause?: unknown) =>
    new UpstreamError('ERR_UPSTREAM_BODY', service, `the answer is no certificate chain: ${why}`, { cause })
  try {
    const certificates = pemToDer(decodeUtf8(pem))
    if (certificates.length < 2) throw refuse('it has one certificate')
    const vcek = certificates.find(isOfChip)
    if (vcek === undefined) throw refuse('it has no VCEK')
    return [vcek, ...certificates.filter((der) => der !== vcek)]
  } catch (cause) {
    throw cause instanceof WireError ? refuse(cause.message, cause) : cause
  }
}
