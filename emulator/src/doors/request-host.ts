import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { BadRequestError } from './node-http.ts'

/** A host name or address, and a port (RFC 9110, section 7.2): no path, no user, nothing that would shift the URL. */
const HOST = /^(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]*)|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/

/**
 * The authority that a request in origin form is for: its one Host header, which must name what the connection was opened
 * to. A tunnel to one host must not carry requests for another: whoever looks at targets of tunnels would be deceived.
 *
 * @param connectedTo what the client said when it connected (CONNECT target, TLS server name); `localhost` and addresses
 *   of it say nothing about the service that is meant
 * @throws BadRequestError 400 for no Host header or several, 421 (section 15.5.20) for one that names another host
 */
export function requestAuthority(incoming: IncomingMessage, connectedTo: readonly (string | undefined)[]): string {
  const hosts = hostHeaders(incoming.rawHeaders)
  const said = connectedTo.filter((name) => name !== undefined && !isUnspecific(name)) as string[]
  const authority = hosts[0] ?? said[0]
  if (hosts.length > 1 || authority === undefined || !HOST.test(authority)) {
    throw new BadRequestError(400, 'a request must have one Host header that holds a host name')
  }
  const name = authority.replace(/:\d+$/, '').toLowerCase()
  const other = said.find((wanted) => wanted.toLowerCase() !== name)
  if (other === undefined) return authority
  throw new BadRequestError(421, `this connection was opened to ${other}, and the request is for ${name}`)
}

function hostHeaders(rawHeaders: readonly string[]): string[] {
  const hosts: string[] = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!
    if (name.length === 4 && name.toLowerCase() === 'host') hosts.push(rawHeaders[at + 1]!)
  }
  return hosts
}

function isUnspecific(name: string): boolean {
  if (name === '' || name === 'localhost') return true
  const mayBeAddress = name.includes(':') || /\d$/.test(name)
  return mayBeAddress && isIP(name) !== 0 && name !== '169.254.169.254'
}
