import { COLLECTIONS, manualClock } from '../../../emulator/src/core/index.ts'
import { TEST_CACHE_DIRECTORY as cacheDir } from '../../../emulator/src/core/test-context.ts'
import { createEmulator, type Emulator } from '../../../emulator/src/emulator.ts'
import { DEFAULT_SEED } from '../../../emulator/src/seed/default-document.ts'
import type { SeedDocument } from '../../../emulator/src/seed/index.ts'

/*
 * A whole emulator in this process, what is sent to it, and what must hold of every answer, whatever that was.
 */

export const VAULT = 'https://skerry.vault.azure.net'
export const MANAGED_HSM = 'https://skerry.managedhsm.azure.net'
export const ARM = 'https://management.azure.com'
export const GRAPH = 'https://graph.microsoft.com'
export const LOGIN = 'https://login.microsoftonline.com'

/** What is sent. `url` is absolute; a body of bytes need not be text. */
export interface Sent {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array<ArrayBuffer>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export interface HostileWorld extends AsyncDisposable {
  readonly emulator: Emulator
  /** `Authorization` of the administrator, by resource. */
  readonly authorization: (resource: string) => Promise<Readonly<Record<string, string>>>
  /** Undefined for what no client can send: a URL that is none, a header that no header can be. */
  send(sent: Sent): Promise<Answer | undefined>
  /** The collections that are not as they were kept. */
  changed(): string[]
  /** From now on the state to come back to. */
  keep(): void
  /** Back to the state that was kept. */
  reset(): void
}

export async function createHostileWorld(seedDocument: SeedDocument = DEFAULT_SEED): Promise<HostileWorld> {
  const emulator = await createEmulator({ cacheDir, seedDocument, clock: manualClock() })
  const { store } = emulator.context
  let kept = store.contents()
  let touched = false
  const collections = () => [...new Set([...Object.values(COLLECTIONS), ...Object.keys(kept)])]
  let watch = store.watch(collections(), () => (touched = true))
  const send: HostileWorld['send'] = async ({ method, url, headers = {}, body }) => {
    const request = requestOf({ method, url, headers, ...(body !== undefined && { body }) })
    if (request === undefined) return undefined
    const answer = await emulator.dispatcher.dispatch(request, { door: 'wire' })
    return { status: answer.status, headers: answer.headers, text: await answer.text() }
  }
  const tokens = new Map<string, Promise<Readonly<Record<string, string>>>>()
  const signIn = async (resource: string) => {
    const { tenantId, admin } = emulator.context.seed
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: admin.clientId,
      client_secret: admin.clientSecret,
      scope: `${resource}/.default`,
    }).toString()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await send({ method: 'POST', url: `${LOGIN}/${tenantId}/oauth2/v2.0/token`, headers, body })
    const { access_token: token } = JSON.parse(answer!.text) as { access_token: string }
    return { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  }
  return {
    emulator,
    send,
    authorization(resource) {
      const token = tokens.get(resource) ?? signIn(resource)
      tokens.set(resource, token)
      return token
    },
    changed() {
      if (!touched) return []
      touched = false
      const now = store.contents()
      const names = new Set([...Object.keys(kept), ...Object.keys(now)])
      return [...names].filter((name) => JSON.stringify(kept[name]) !== JSON.stringify(now[name]))
    },
    keep() {
      kept = store.contents()
      watch[Symbol.dispose]()
      watch = store.watch(collections(), () => (touched = true))
    },
    reset() {
      store.replace(kept)
      touched = false
    },
    [Symbol.asyncDispose]: () => emulator.close(),
  }
}

function requestOf({ method, url, headers, body }: Sent): Request | undefined {
  try {
    const carries = body !== undefined && !['GET', 'HEAD'].includes(method.toUpperCase())
    return new Request(url, { method, ...(headers !== undefined && { headers }), ...(carries && { body }) })
  } catch {
    return undefined
  }
}

/** How a service says no. */
export interface Manner {
  /** Whether a refusal's JSON has the shape of this service. */
  readonly isRefusal: (json: unknown, answer: Answer) => boolean
  /** Headers of every answer. */
  readonly headers: readonly string[]
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

/** `{"error": {"code", "message"}}`. */
export const hasErrorObject = (json: unknown) =>
  isObject(json) && isObject(json.error) && isText(json.error.code) && isText(json.error.message)
/** RFC 6749, section 5.2. */
export const hasErrorText = (json: unknown) => isObject(json) && isText(json.error) && isText(json.error_description)

/** What is wrong with an answer to anything at all; undefined: nothing. */
export function faultOf(
  { method }: Sent,
  answer: Answer,
  manner: Manner,
  secrets: readonly string[],
): string | undefined {
  const { status, headers, text } = answer
  const leaked = secrets.find(
    (secret) => text.includes(secret) || [...headers.values()].some((v) => v.includes(secret)),
  )
  if (leaked !== undefined) return 'the answer repeats a secret'
  if (status < 400) return undefined
  const missing = manner.headers.find((name) => !headers.has(name))
  if (missing !== undefined) return `the answer (${status}) has no header ${missing}`
  // A client's first request, which is answered with a challenge.
  if (status === 401 && headers.has('www-authenticate') && ['', 'OK'].includes(text)) return undefined
  // The answer to HEAD has no body.
  if (text === '' && method.toUpperCase() === 'HEAD') return status === 500 ? '500 to HEAD' : undefined
  const json = parsed(text)
  if (status === 501) {
    return /"Skerry[A-Za-z]+"/.test(text) ? undefined : `501 without a code of Skerry's: ${text.slice(0, 200)}`
  }
  if (status >= 500) return `${status}: ${text.slice(0, 200)}`
  return manner.isRefusal(json, answer) ? undefined : `a refusal of another shape (${status}): ${text.slice(0, 200)}`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
