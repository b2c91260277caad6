import { InvalidArgumentError } from '../http/endpoint.ts'
import type { CertCacheConfig } from '../thim/certcache.ts'
import { decodeGoBase64 } from './go-base64.ts'
import { GoJsonError, type GoObject, objectOf, parseGoObject, textOf } from './go-json.ts'
import { LOG_LEVELS, type LogLevel } from './log.ts'

export const SERVER_TYPES = ['http', 'grpc'] as const
export type ServerType = (typeof SERVER_TYPES)[number]

/** How the sidecar is started. */
export interface SidecarSettings {
  /** One of the two, on the same port. */
  readonly serverType: ServerType
  /** 0: any free port. Default 8080. */
  readonly port: number
  /** Default `warning`. */
  readonly logLevel: LogLevel
  /** Default: standard error. */
  readonly logFile?: string
  /** Which user-assigned identity asks the vault. */
  readonly clientId?: string
  /** How it names itself to the attestation service; default: with the subscription that its identity belongs to. */
  readonly userAgent?: string
  /** Whom to ask for certificates that do not fit a report; default: THIM. */
  readonly certCache?: CertCacheConfig
  /** Begins with certificates that fit no report, to see them asked for anew: for tests. */
  readonly mismatchedTcb?: true
}

/** What a command line says; each member wins over its environment variable. */
export interface SidecarFlags {
  /** Base64 of JSON: `identity.client_id`, `maaconfig.user_agent`, `certcache`. */
  readonly base64?: string
  /** Decimal, 0 to 65535. */
  readonly port?: string
  /** `panic` to `trace`. */
  readonly loglevel?: string
  /** A path. */
  readonly logfile?: string
  /** `http` or `grpc`. */
  readonly serverType?: string
  /** A boolean as Go's flags write it. */
  readonly allowTestingMismatchedTCB?: string | boolean
  /** What stood behind the flags: the original's start script takes SkrSideCarArgs and Port there, too. */
  readonly positionals?: readonly string[]
}

/**
 * The settings of the open-source SKR sidecar: flags `-base64 -port -loglevel -logfile -server_type
 * -allowTestingMismatchedTCB`, then the variables that its image takes them from (SkrSideCarArgs, Port, LogLevel, LogFile,
 * ServerType), then the arguments of its start script (SkrSideCarArgs, Port). SkrSideCarArgs is base64 of JSON:
 * `identity.client_id`, `maaconfig.user_agent` and `certcache`.
 * @throws InvalidArgumentError naming the flag
 */
export function readSettings(flags: SidecarFlags, env: Readonly<Record<string, string | undefined>>): SidecarSettings {
  const [azureInfo, port] = flags.positionals ?? []
  const logFile = flags.logfile || env.LogFile || undefined
  const azure = readAzureInformation(flags.base64 || env.SkrSideCarArgs || azureInfo || undefined)
  return {
    serverType: readServerType(flags.serverType || env.ServerType || 'http'),
    port: readPort(flags.port || env.Port || port || '8080'),
    logLevel: readLevel(flags.loglevel || env.LogLevel || 'warning'),
    ...(logFile !== undefined && { logFile }),
    ...azure,
    ...(readBoolean('-allowTestingMismatchedTCB', flags.allowTestingMismatchedTCB) && { mismatchedTcb: true as const }),
  }
}

function readServerType(text: string): ServerType {
  const type = SERVER_TYPES.find((known) => known === text)
  if (type === undefined) throw new InvalidArgumentError('-server_type', `must be http or grpc, not "${text}"`)
  return type
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535)) throw new InvalidArgumentError('-port', `must be a number from 0 to 65535, not "${text}"`)
  return port
}

function readLevel(text: string): LogLevel {
  const name = text.toLowerCase() === 'warn' ? 'warning' : text.toLowerCase()
  const level = LOG_LEVELS.find((known) => known === name)
  if (level === undefined)
    throw new InvalidArgumentError('-loglevel', `must be one of ${LOG_LEVELS.join(', ')}, not "${text}"`)
  return level
}

/** The words that Go's `strconv.ParseBool` takes. */
function readBoolean(flag: string, value: string | boolean | undefined): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false
  if (/^(1|t|T|true|TRUE|True)$/.test(value)) return true
  if (/^(0|f|F|false|FALSE|False)$/.test(value)) return false
  throw new InvalidArgumentError(flag, `must be true or false, not "${value}"`)
}

type AzureInformation = Pick<SidecarSettings, 'clientId' | 'userAgent' | 'certCache'>

function readAzureInformation(base64: string | undefined): AzureInformation {
  if (base64 === undefined) return {}
  try {
    const azure = parseGoObject(decodeGoBase64(base64)?.toString() ?? '')
    const clientId = textOf(objectOf(azure, 'identity'), 'client_id')
    const userAgent = textOf(objectOf(azure, 'maaconfig'), 'user_agent')
    const certCache = readCertCache(objectOf(azure, 'certcache'))
    return {
      ...(clientId !== '' && { clientId }),
      ...(userAgent !== '' && { userAgent }),
      ...(certCache !== undefined && { certCache }),
    }
  } catch (error) {
    if (!(error instanceof GoJsonError)) throw error
    throw new InvalidArgumentError(
      '-base64',
      `(SkrSideCarArgs) must be base64 of JSON, such as {"identity":{"client_id":"…"}}: ${error.message}`,
    )
  }
}

const CERT_CACHE = ['endpoint_type', 'endpoint', 'tee_type', 'api_version', 'client_id'] as const

/** Undefined when it names no endpoint. */
function readCertCache(certcache: GoObject): CertCacheConfig | undefined {
  const read = CERT_CACHE.map((name) => [name, textOf(certcache, name)] as const)
  const config: CertCacheConfig = Object.fromEntries(read.filter(([, text]) => text !== ''))
  return config.endpoint === undefined ? undefined : config
}
