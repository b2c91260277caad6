import type { Clock } from '../clock.ts'
import { InvalidArgumentError } from '../http/endpoint.ts'
import type { Fetch } from '../http/upstream.ts'
import type { SnpProduct } from '../wire/index.ts'
import { azCacheSource } from './az-cache.ts'
import { kdsSource } from './kds.ts'
import type { CertificateSource } from './source.ts'
import { thimSource } from './thim.ts'

/** The `certcache` of the open-source SKR sidecar's settings, as its JSON has it. */
export interface CertCacheConfig {
  /** `AMD`, `AzCache` or `LocalTHIM`. */
  readonly endpoint_type?: string
  /** Host name, with a port where it is another; what of the path stands behind it counts as in front of `tee_type`. */
  readonly endpoint?: string
  /** For AMD `vcek/v1/Milan` and the like; for AzCache `SevSnpVM`. */
  readonly tee_type?: string
  /** With or without `api-version=` in front: the original puts it into the query as it stands. */
  readonly api_version?: string
  /** With or without `clientId=` in front. */
  readonly client_id?: string
}

export interface CertCacheAmbient {
  readonly fetch?: Fetch
  readonly clock?: Clock
}

/**
 * The source that such a configuration names, by `endpoint_type` AMD, AzCache or LocalTHIM; undefined where it names none.
 * The product in AMD's `tee_type` counts only for reports that do not say theirs.
 * @throws InvalidArgumentError naming the member
 */
export function certCacheSource(
  config: CertCacheConfig,
  ambient: CertCacheAmbient = {},
): CertificateSource | undefined {
  const { endpoint_type: type, endpoint } = config
  if (!endpoint) return undefined
  // The original puts a slash between the two and does not look at them: people divide the path as they like.
  const [host = '', ...path] = [endpoint.replace(/^https:\/\//, ''), config.tee_type ?? ''].flatMap((part) =>
    part.split('/'),
  )
  const teeType = path.filter((part) => part !== '').join('/')
  switch (type) {
    case 'AMD':
      return kdsSource({ endpoint: host, ...productOf(teeType), ...ambient })
    case 'LocalTHIM':
      return thimSource({ endpoint, ...ambient })
    case 'AzCache': {
      const apiVersion = withoutName('api-version', config.api_version)
      const clientId = withoutName('clientId', config.client_id)
      return azCacheSource({
        endpoint: host,
        ...(teeType && { teeType }),
        ...(apiVersion && { apiVersion }),
        ...(clientId && { clientId }),
        ...ambient,
      })
    }
    default:
      throw new InvalidArgumentError(
        'certcache.endpoint_type',
        `must be AMD, AzCache or LocalTHIM, not "${type ?? ''}"`,
      )
  }
}

function productOf(teeType: string): { product?: SnpProduct } {
  const product = (['Milan', 'Genoa', 'Turin'] as const).find((name) => teeType.endsWith(`/${name}`))
  return product === undefined ? {} : { product }
}

function withoutName(name: string, value: string | undefined): string | undefined {
  return value?.startsWith(`${name}=`) ? value.slice(name.length + 1) : value
}
