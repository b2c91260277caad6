import { isList, isObject, isPage } from './exchange.ts'

/*
 * Brings a recorded answer and ours to one form, in which they must be equal, members in order. What stands here is all
 * that may differ: what the services make up at random, what they answer otherwise today, and what the recorders changed.
 */

/** What today's services say instead of what they said then. */
const NOW_OTHERWISE: Readonly<Record<string, string>> = {
  'Backup blob is corrupt.': 'Backup blob contains invalid or corrupt version.',
  'AKV10000: Request is missing a Bearer or PoP token.':
    'AKV10000: Request is missing a Bearer, PoP, or MTLS_POP token.',
}

/** Made up at random, or by the clock: only their types are compared. */
const MADE_UP = new Set(['created', 'updated', 'deletedDate', 'n', 'e', 'x', 'y', 'iv', 'tag'])

export interface About {
  /** What the client sent in this exchange: of an imported key the public part comes back as it was. */
  readonly sent: unknown
  /** The times of expiry that the client has sent so far, which come back as they were. */
  readonly expiries: ReadonlySet<unknown>
  /** Whether `value` is what the client once encrypted, wrapped or asked to be checked, and so not made up. */
  readonly valueIsKnown: boolean
  readonly managedHsm: boolean
}

/** Levels our answer; what the recorded one had not yet is taken out of it. */
export function levelOurs(ours: unknown, recorded: unknown, about: About): unknown {
  return level(withoutNews(withReleased(ours), withReleased(recorded)), about)
}

export function levelRecorded(recorded: unknown, about: About): unknown {
  return level(withReleased(recorded), about)
}

function level(value: unknown, about: About, name = ''): unknown {
  if (isPage(value)) return '<page>'
  if (Array.isArray(value)) {
    const items = value.map((item) => level(item, about))
    // A managed HSM gives them in an order that changes from call to call.
    return name === 'key_ops' && about.managedHsm ? items.toSorted() : items
  }
  if (isObject(value)) return levelObject(value, about)
  if (MADE_UP.has(name)) return isSent(about, name, value) ? value : `<${typeof value}>`
  if (name === 'exp' || name === 'scheduledPurgeDate') return value
  return typeof value === 'string' ? levelText(value, about, name) : value
}

/** Times that are said relative to others keep that relation. */
function levelObject(value: Readonly<Record<string, unknown>>, about: About): unknown {
  const members = Object.entries(value).map(([member, inner]) => {
    if (member === 'scheduledPurgeDate') return [member, difference(value, member, 'deletedDate')]
    if (member === 'exp' && !about.expiries.has(inner)) return [member, difference(value, member, 'created')]
    return [member, level(inner, about, member)]
  })
  return Object.fromEntries(members)
}

function difference(of: Readonly<Record<string, unknown>>, late: string, early: string): string {
  return `${early} + ${Number(of[late]) - Number(of[early])} s`
}

function isSent({ sent }: About, name: string, value: unknown): boolean {
  if (!isObject(sent)) return false
  return isObject(sent.key) && sent.key[name] === value
}

function levelText(text: string, about: About, name: string): unknown {
  if (name === 'value') return about.valueIsKnown ? text : '<text>'
  if (name === 'key_hsm') return level(JSON.parse(Buffer.from(text, 'base64url').toString()), about)
  if (name === 'ciphertext') return '<text>'
  if (name === 'data') return policyOf(text)
  if (name === 'message') return levelMessage(text)
  return text
    .replace(/skiptoken=[^&]+/, 'skiptoken=…')
    .replace(/https:\/\/[^/:]+/, 'https://h')
    .replace(/\/[0-9a-f]{32}$/, '/<version>')
}

function levelMessage(message: string): string {
  const deleted = /^Deleted Key not found: (.*)$/.exec(message)
  if (deleted !== null) return `A key with (name/id) ${deleted[1]} was not found`
  return (NOW_OTHERWISE[message] ?? message)
    .replace(/ was not found in this key vault\..*$/, ' was not found')
    .replace(/Activity ID: [0-9a-f-]+/, 'Activity ID: …')
    .replace(/https:\/\/[^/]+/, 'https://h')
    .replace(/\/[0-9a-f]{32}(?=[ '])/, '/<version>')
}

/** An answer whose value is the JWS of a release, with what stands in it. */
function withReleased(body: unknown): unknown {
  const parts = isObject(body) && typeof body.value === 'string' ? body.value.split('.') : []
  if (parts.length !== 3) return body
  const [header, payload] = parts.slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
  const { key, release_policy, ...rest } = payload.response.key
  // The service put the suffix of the type there in 2022, and leaves it away today.
  const plain = { ...key, kty: key.kty.replace(/-HSM$/, '') }
  // The recorder gave hosts other names, but did not look into a signature's payload.
  const data = Buffer.from(release_policy.data, 'base64url')
    .toString()
    .replaceAll(/https:\/\/[^"]+/g, 'https://h')
  const policy = { ...release_policy, data: Buffer.from(data).toString('base64url') }
  return {
    value: {
      header: levelHeader(header),
      ...payload,
      response: { key: { key: plain, ...rest, release_policy: policy } },
    },
  }
}

/** Which members it has, in order: the certificates are the signer's own. */
const levelHeader = (header: object) =>
  Object.entries(header).map(([name, value]) => (['alg', 'typ'].includes(name) ? `${name}=${value}` : name))

/** Booleans became text in 2022 and no longer do; the recorder's own stand-ins change members' order and final slashes. */
function policyOf(data: string): unknown {
  const sort = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sort)
    if (!isObject(value)) return typeof value === 'boolean' ? String(value) : value
    const members = Object.entries(value).map(([member, inner]) => [member, sort(inner)])
    return Object.fromEntries(members.toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)))
  }
  const text = JSON.stringify(sort(JSON.parse(Buffer.from(data, 'base64url').toString())))
  return JSON.parse(text.replaceAll(/(https:\/\/[^"/]+)\//g, '$1'))
}

/** What came later: `exportable` of what is not, `key_size`, and `deriveKey` of a managed HSM's EC keys. */
function withoutNews(ours: unknown, recorded: unknown): unknown {
  if (isList(ours) && isList(recorded)) {
    const items = ours.value.map((item, index) => withoutNews(item, recorded.value[index] ?? recorded.value[0]))
    return { ...ours, value: items }
  }
  if (!isObject(ours) || !isObject(recorded)) return ours
  const members = Object.entries(ours)
    .filter(([name]) => name in recorded || !['exportable', 'key_size'].includes(name))
    .map(([name, inner]) => {
      const theirs = recorded[name]
      if (name === 'key_ops' && Array.isArray(inner) && Array.isArray(theirs) && !theirs.includes('deriveKey')) {
        return [name, inner.filter((operation) => operation !== 'deriveKey')]
      }
      return [name, withoutNews(inner, theirs)]
    })
  return Object.fromEntries(members)
}
