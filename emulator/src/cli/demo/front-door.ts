/** The app's own HTTP API, called as any client would: function keys, JSON, polling by Location. */
export interface FrontDoor {
  request(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Answer>
  /** `POST /admin/functions/{name}`: how a timer is fired by hand on Azure. Needs the master key. */
  fire(functionName: string): Promise<Answer>
}

export interface Answer {
  readonly status: number
  readonly location: string | undefined
  readonly body: unknown
}

/** What `GET /api/deployments/{name}` shows; the members that the run reads. */
export interface DeploymentView {
  readonly name: string
  readonly phase: string
  readonly operation?: string
  readonly steps: readonly { name: string; startedAt: string; endedAt?: string; outcome: string; detail?: string }[]
  readonly key?: { id: string; name: string; version: string }
  readonly hostData?: string
  readonly group?: { id: string; state: string }
  readonly identity?: { id: string; clientId: string; created: boolean }
  readonly role?: { name: string; scope: string }
  readonly proof?: { keyVersion: string; plaintextSha256: string; container: string; provenAt?: string }
  readonly rotations?: readonly { at: string; fromVersion: string; toVersion: string }[]
  readonly failure?: { step: string; code: string; reason: string }
  readonly remains?: readonly string[]
}

export function frontDoor(url: string, keys: { functionKey: string; masterKey: string }): FrontDoor {
  const call = async (method: string, path: string, key: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(new URL(path, url), {
      method,
      headers: { 'x-functions-key': key, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const content = await response.text()
    return { status: response.status, location: response.headers.get('location') ?? undefined, body: parse(content) }
  }
  return {
    request: (method, path, body) => call(method, path, keys.functionKey, body),
    fire: (functionName) => call('POST', `/admin/functions/${functionName}`, keys.masterKey, {}),
  }
}

function parse(content: string): unknown {
  try {
    return content === '' ? undefined : JSON.parse(content)
  } catch {
    return content
  }
}
