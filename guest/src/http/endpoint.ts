/** A service's address as configuration files and requests write it. */
export interface Endpoint {
  /** Host, with the port if it is not 443. */
  readonly host: string
  /** Host without a port: what a certificate names. */
  readonly hostName: string
  /** `https://host[:port]`, no slash at the end. */
  readonly url: string
}

/** An argument that cannot be used. `field` names it as the caller wrote it. */
export class InvalidArgumentError extends Error {
  readonly code = 'ERR_INVALID_ARGUMENT'
  /** The name as the caller wrote it: an option, a flag, a member. */
  readonly field: string

  constructor(field: string, message: string) {
    super(`${field} ${message}`)
    this.name = 'InvalidArgumentError'
    this.field = field
  }
}

/**
 * Reads a host name (as the sidecar's API takes it) or an https URL of one.
 * @throws InvalidArgumentError
 */
export function parseEndpoint(field: string, text: string): Endpoint {
  const trimmed = text.trim()
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `https://${trimmed}`)
  if (url === null || url.hostname === '') throw new InvalidArgumentError(field, `must be a host name; it is "${text}"`)
  if (url.protocol !== 'https:')
    throw new InvalidArgumentError(field, `must be reached by https, not ${url.protocol.slice(0, -1)}`)
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '' || url.pathname !== '/') {
    throw new InvalidArgumentError(field, 'must be a host name alone: no path, no query, no user')
  }
  return { host: url.host, hostName: url.hostname, url: `https://${url.host}` }
}
