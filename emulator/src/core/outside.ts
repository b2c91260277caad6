import type { InternalFetch } from './service.ts'

/** Thrown for settings that cannot be used; `setting` names the one. */
export class SettingsError extends Error {
  readonly code = 'ERR_SETTINGS'
  readonly setting: string
  constructor(setting: string, message: string) {
    super(`${setting}: ${message}`)
    this.name = 'SettingsError'
    this.setting = setting
  }
}

/** Thrown for a request to an origin that was not allowed at the start. */
export class OriginNotAllowedError extends Error {
  readonly code = 'ERR_ORIGIN_NOT_ALLOWED'
  constructor(origin: string) {
    super(`${origin} was not allowed at the start (--authority)`)
    this.name = 'OriginNotAllowedError'
  }
}

/** Whether the host name of a URL is this machine's own, whatever the resolver says. */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname)
}

/** How long an authority may take to answer, its body included, in milliseconds. */
const PATIENCE_MS = 10_000

/**
 * The one way out of the emulator: to the origins named, with the TLS roots of this process (`NODE_EXTRA_CA_CERTS`). A
 * redirect is an error: it would lead to where nobody allowed it.
 * @throws SettingsError for what is not an origin, or is plain http to anything but loopback
 */
export function outsideFetch(origins: readonly string[], patienceMs: number = PATIENCE_MS): InternalFetch {
  const allowed = new Set(origins.map(originOf))
  return async (request) => {
    const { origin } = new URL(request.url)
    if (!allowed.has(origin)) throw new OriginNotAllowedError(origin)
    return await fetch(request, { redirect: 'error', signal: AbortSignal.timeout(patienceMs) })
  }
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  // No path, query, fragment or credentials: those would look as if they narrowed what is allowed.
  if (url === undefined || url.href !== `${url.origin}/` || /[?#*]/.test(text)) {
    throw new SettingsError(
      'authorities',
      `${JSON.stringify(text)} is not an origin such as https://attest.example:8443`,
    )
  }
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))) return url.origin
  throw new SettingsError('authorities', `${text} must be https, or http to loopback`)
}
