/**
 * A service is a function from a web-standard Request to a Response, known by the host names it answers for. The doors
 * (MSW handlers, the TLS proxy, a container group's own listeners) all end in one dispatcher over these.
 */
export interface Service {
  /** Short name, as the journal writes it. */
  readonly name: string
  /** Host names, lower case. A leading `*.` stands for one or more labels: `*.vault.azure.net`. */
  readonly hosts: readonly string[]
  handle(request: Request, caller: Caller): Response | Promise<Response>
}

/** Through which door a request came, and for whom. */
export interface Caller {
  readonly door: 'process' | 'wire' | 'group'
  /** The ARM resource id (lower case) of the container group whose network the request came out of. */
  readonly containerGroupId?: string
}

/** Sends a request to whichever emulated service answers for its host; what a service uses to reach another one. */
export type InternalFetch = (request: Request) => Promise<Response>

export interface Dispatcher {
  /** Which service answers for this host name (no port); undefined: not emulated, and never forwarded. */
  serviceFor(hostname: string): Service | undefined
  dispatch(request: Request, caller: Caller): Promise<Response>
}

/** What is answered for a host that nothing here emulates: 501 with a code that says so, never a forwarded request. */
export const NOT_EMULATED = 'SkerryHostNotEmulated'

export function createDispatcher(services: readonly Service[]): Dispatcher {
  const serviceFor = (hostname: string) => {
    const host = hostname.toLowerCase()
    return services.find((service) => service.hosts.some((pattern) => hostMatches(pattern, host)))
  }
  return {
    serviceFor,
    async dispatch(request, caller) {
      const { hostname } = new URL(request.url)
      const service = serviceFor(hostname)
      if (service === undefined) {
        return Response.json(
          { error: { code: NOT_EMULATED, message: `Skerry does not emulate ${hostname} and forwards nothing.` } },
          { status: 501 },
        )
      }
      return await service.handle(request, caller)
    },
  }
}

export function hostMatches(pattern: string, host: string): boolean {
  return pattern.startsWith('*.')
    ? host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1
    : host === pattern
}
