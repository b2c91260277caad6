/** A request as it stands on the wire, and an answer as it is to stand there. */
export interface HttpRequest {
  readonly method: string
  /** Of the request line: a path with its query, or a whole URL. */
  readonly target: string
  /** The Host header; undefined or empty where an old client sends none. */
  readonly host?: string | undefined
  /** Whole, decoded as UTF-8; empty when there is none. */
  readonly body: string
}

export interface HttpAnswer {
  readonly status: number
  /** Names are sent as they are written here. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What a request asks for, and by which name. */
export interface Target {
  /** Percent-decoded, and not normalised: what is compared with the names of routes. */
  readonly path: string
  /** With its question mark; empty when there is none. */
  readonly query: string
  /** Without port, in lower case; empty when the client named none. */
  readonly hostName: string
}

/** @returns undefined for a target whose percent-encoding is broken */
export function parseTarget({ target, host }: Pick<HttpRequest, 'target' | 'host'>): Target | undefined {
  // A whole URL, as proxies are asked: its host counts, whatever the header says.
  const [, authority, rest] = /^[a-z][a-z\d+.-]*:\/\/([^/?]*)(.*)$/is.exec(target) ?? [undefined, host ?? '', target]
  const [path = '', ...query] = (rest ?? '').split('?')
  try {
    return {
      path: decodeURIComponent(path),
      query: query.length === 0 ? '' : `?${query.join('?')}`,
      hostName: (authority ?? '').replace(/:[^:\]]*$/, '').toLowerCase(),
    }
  } catch {
    return undefined
  }
}

/** Whether a name leads to this machine alone wherever it is asked for; old clients give none. */
export function isLoopbackName(hostName: string): boolean {
  return /^(|localhost\.?|127(\.\d{1,3}){3}|\[::1\])$/.test(hostName)
}
