import { InvalidArgumentError } from '../http/endpoint.ts'
import { decodeBase64, decodeUtf8 } from '../wire/index.ts'
import { LOG_LEVELS, type LogLevel } from './log.ts'

/** How the sidecar is started. */
export interface SidecarSettings {
  /** 0: any free port. Default 8080. */
  readonly port: number
  readonly logLevel: LogLevel
  /** Default: standard error. */
  readonly logFile?: string
  /** Which user-assigned identity asks the vault. */
  readonly clientId?: string
}

/** What a command line says; each member wins over its environment variable. */
export interface SidecarFlags {
  readonly base64?: string
  readonly port?: string
  readonly loglevel?: string
  readonly logfile?: string
  readonly serverType?: string
}

/**
 * The settings of the open-source SKR sidecar: flags `-base64 -port -loglevel -logfile -server_type`, and the variables
 * that its image takes them from: SkrSideCarArgs (base64 of JSON: `identity.client_id`, `certcache`, `maaconfig`), Port,
 * LogLevel, LogFile, ServerType. Of SkrSideCarArgs only `identity` has an effect: certificates come from the security
 * context and from THIM.
 * @throws InvalidArgumentError naming the flag
 */
export function readSettings(flags: SidecarFlags, env: Readonly<Record<string, string | undefined>>): SidecarSettings {
  const logFile = flags.logfile || env.LogFile || undefined
  const clientId = readClientId(flags.base64 || env.SkrSideCarArgs || undefined)
  const serverType = flags.serverType || env.ServerType || 'http'
  if (serverType === 'grpc')
    throw new InvalidArgumentError('-server_type', 'grpc is not covered yet; use http, which is the default')
  if (serverType !== 'http') throw new InvalidArgumentError('-server_type', `must be http, not "${serverType}"`)
  return {
    port: readPort(flags.port || env.Port || '8080'),
    logLevel: readLevel(flags.loglevel || env.LogLevel || 'debug'),
    ...(logFile !== undefined && { logFile }),
    ...(clientId !== undefined && { clientId }),
  }
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

function readClientId(base64: string | undefined): string | undefined {
  if (base64 === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(decodeUtf8(decodeBase64(base64)))
  } catch {
    throw new InvalidArgumentError(
      '-base64',
      '(SkrSideCarArgs) must be base64 of JSON, such as {"identity":{"client_id":"…"}}',
    )
  }
  const clientId = (value as { identity?: { client_id?: unknown } } | null)?.identity?.client_id
  if (clientId === undefined || clientId === '') return undefined
  if (typeof clientId !== 'string')
    throw new InvalidArgumentError('-base64', '(SkrSideCarArgs): /identity/client_id must be a string')
  return clientId
}
