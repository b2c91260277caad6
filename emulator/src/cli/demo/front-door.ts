import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'

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
  // Plain node:http with its own agent: proxy settings of the environment do not apply to it.
  const agent = new Agent({ keepAlive: true })
  const call = async (method: string, path: string, key: string, body?: unknown): Promise<Answer> => {
    const headers = { 'x-functions-key': key, ...(body !== undefined && { 'content-type': 'application/json' }) }
    const asking = httpRequest(new URL(path, url), { method, headers, agent })
    asking.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = (await once(asking, 'response')) as [IncomingMessage]
    return { status: response.statusCode ?? 0, location: response.headers.location, body: parse(await text(response)) }
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
