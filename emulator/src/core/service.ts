import type { SnpProduct } from '@skerry/guest/wire'

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
  /**
   * The same for a door that has the request in plain parts and sends the answer in plain parts: making a Request and a
   * Response costs more than many an answer.
   */
  answer?(request: PlainRequest, caller: Caller): Promise<PlainAnswer>
  /** Which requests `answer` is for. Absent: all. */
  answers?(method: string, url: URL): boolean
}

/** What of a Request a service reads that is asked often. Every Request is one. */
export interface PlainRequest {
  readonly method: string
  readonly url: string
  readonly headers: Pick<Headers, 'get'>
  text(): Promise<string>
  bytes(): Promise<Uint8Array>
}

export interface PlainAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | null
}

export type PlainAnswerer = (request: PlainRequest) => Promise<PlainAnswer>

/** The web-standard form of an answer. */
export function toResponse({ status, headers, body }: PlainAnswer): Response {
  return new Response(body as BodyInit | null, { status, headers })
}

/** Through which door a request came, and for whom. */
export interface Caller {
  readonly door: 'process' | 'wire' | 'group'
  /** The ARM resource id (lower case) of the container group whose network the request came out of. */
  readonly containerGroupId?: string
  /** The ARM id of the one managed identity that the caller has; absent: all that its door gives it. */
  readonly managedIdentityId?: string
  /** The product of the processor that the caller's guest runs on; absent: the instance's own. */
  readonly product?: SnpProduct
}

/** Sends a request to whichever emulated service answers for its host; what a service uses to reach another one. */
export type InternalFetch = (request: Request) => Promise<Response>

export interface Dispatcher {
  /** Which service answers for this host name (no port); undefined: not emulated, and never forwarded. */
  serviceFor(hostname: string): Service | undefined
  dispatch(request: Request, caller: Caller): Promise<Response>
  /** How the service of this URL answers in plain parts, if it does. */
  plainAnswer(method: string, url: URL): Service['answer']
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
    plainAnswer(method, url) {
      const service = serviceFor(url.hostname)
      return service?.answers?.(method, url) === false ? undefined : service?.answer?.bind(service)
    },
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
