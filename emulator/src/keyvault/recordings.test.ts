import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { createVaultWorld, MANAGED_HSM, VAULT, type VaultWorld } from './test-vaults.ts'

/*
 * Traffic of the live services, recorded by Microsoft's SDK tests (MIT licence) and kept beside this repository where
 * its authors have it: each request is sent again and the answer compared, member for member and in order. What the
 * services have changed since, or what differs from run to run, is levelled out by name below.
 */

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), '../../../../shared/vectors/recordings')

interface Exchange {
  readonly method: string
  readonly url: string
  readonly requestHeaders: Record<string, string>
  readonly requestBody: unknown
  readonly status: number
  readonly responseHeaders: Record<string, string>
  readonly responseBody: unknown
}

const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => /^(vault|mhsm)-.*\.json$/.test(name)) : []

describe.skipIf(files.length === 0)('recorded traffic (skipped where ../shared/vectors/recordings is absent)', () => {
  it.each(files)('%s', async (file) => {
    const { service, exchanges } = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as {
      service: 'vault' | 'mhsm'
      exchanges: Exchange[]
    }
    const strangers = showsStrangers(exchanges)
    const replay = new Replay(createVaultWorld(), service === 'mhsm' ? MANAGED_HSM : VAULT)
    for (const [index, exchange] of exchanges.entries()) {
      if (strangers && isList(exchange)) continue
      const difference = await replay.compare(exchange)
      if (difference !== undefined) {
        const where = `${file} #${index} ${exchange.method} ${exchange.url}`
        expect({ where, ...difference.ours }).toEqual({ where, ...difference.recorded })
        expect(JSON.stringify(difference.ours.body)).toBe(JSON.stringify(difference.recorded.body))
        expect(difference.ours.headers).toEqual(difference.recorded.headers)
      }
    }
  })
})

interface Levelled {
  readonly status: number
  readonly body: unknown
  readonly headers: readonly string[]
}

class Replay {
  /** What the recording gave, and what was given here instead: versions, ciphertexts, next links. */
  private readonly given = new Map<string, string>()
  private readonly world: VaultWorld
  private readonly origin: string

  constructor(world: VaultWorld, origin: string) {
    this.world = world
    this.origin = origin
  }

  async compare(exchange: Exchange): Promise<{ ours: Levelled; recorded: Levelled } | undefined> {
    if (!isCovered(exchange)) return undefined
    const url = new URL(exchange.url)
    const target = this.given.get(exchange.url) ?? `${this.origin}${this.translate(`${url.pathname}${url.search}`)}`
    const answer = await this.send(exchange, target)
    const text = await answer.text()
    const body: unknown = text === '' ? null : text.startsWith('{') ? JSON.parse(text) : text
    if (isPage(exchange.responseBody)) expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
    if (isStillWorking(exchange, answer.status)) return undefined
    this.learn(exchange.responseBody, body)
    return {
      ours: { status: answer.status, body: level(body, this.origin), headers: namesOf([...answer.headers.keys()]) },
      recorded: {
        status: exchange.status,
        body: level(exchange.responseBody, url.origin),
        headers: namesOf(Object.keys(exchange.responseHeaders)),
      },
    }
  }

  private async send(exchange: Exchange, url: string): Promise<Response> {
    const { Authorization: authorization } = exchange.requestHeaders
    const audience = this.origin === VAULT ? 'https://vault.azure.net' : 'https://managedhsm.azure.net'
    const headers: Record<string, string> =
      authorization === undefined ? {} : { authorization: `Bearer ${await this.world.token(audience)}` }
    const body = exchange.requestBody === null ? {} : { body: this.translate(JSON.stringify(exchange.requestBody)) }
    return await this.world.fetch(new Request(url, { method: exchange.method, headers, ...body }))
  }

  private translate(text: string): string {
    let translated = text
    for (const [recorded, ours] of this.given) translated = translated.replaceAll(recorded, ours)
    return translated
  }

  private learn(recorded: unknown, ours: unknown): void {
    if (typeof recorded !== 'object' || recorded === null || typeof ours !== 'object' || ours === null) return
    for (const [name, value] of Object.entries(recorded)) {
      const mine = (ours as Record<string, unknown>)[name]
      if (typeof value === 'string' && typeof mine === 'string') {
        if (name === 'kid') this.given.set(lastSegment(value), lastSegment(mine))
        else if (['value', 'iv', 'tag', 'nextLink'].includes(name)) this.given.set(value.replace(':443/', '/'), mine)
      } else if (name !== 'value') this.learn(value, mine)
    }
  }
}

const lastSegment = (url: string) => url.slice(url.lastIndexOf('/') + 1)

const isList = ({ responseBody }: Exchange) => Array.isArray((responseBody as { value?: unknown } | null)?.value)

/** Whether the recorded lists show keys that were there before the recording began. */
function showsStrangers(exchanges: readonly Exchange[]): boolean {
  const made = new Set(exchanges.map(({ url }) => /\/keys\/([^/?]+)/.exec(url)?.[1]))
  return exchanges
    .filter(isList)
    .some(({ responseBody }) =>
      (responseBody as { value: { kid: string }[] }).value.some(
        ({ kid }) => !made.has(/\/keys\/([^/]+)/.exec(kid)?.[1]),
      ),
    )
}

/** The web server before the service answers in HTML, in words of its own. */
const isPage = (body: unknown) => typeof body === 'string' && body.startsWith('<!DOCTYPE html>')

/**
 * Not sent: another service, a release whose token was blanked, and the refusal of a vault that is still purging the key
 * that is to be restored, which here is purged at once.
 */
function isCovered({ url, requestBody, status }: Exchange): boolean {
  if (url.includes('fakeattestation') || /\/release(\?|$)/.test(url)) return false
  if (JSON.stringify(requestBody ?? '').includes('"redacted"')) return false
  return !(url.includes('/keys/restore') && status === 409)
}

/** The service deletes and recovers over some seconds, in which it answers as if nothing had happened; here at once. */
function isStillWorking({ status, method, url }: Exchange, ours: number): boolean {
  return method === 'GET' && status === 404 && ours === 200 && /\/(deletedkeys|keys)\//.test(url)
}

const NOW_OTHERWISE: Readonly<Record<string, string>> = {
  'Backup blob is corrupt.': 'Backup blob contains invalid or corrupt version.',
  'AKV10000: Request is missing a Bearer or PoP token.':
    'AKV10000: Request is missing a Bearer, PoP, or MTLS_POP token.',
}

const VARYING = new Set([
  'created',
  'updated',
  'deletedDate',
  'scheduledPurgeDate',
  'exp',
  'n',
  'e',
  'x',
  'y',
  'iv',
  'tag',
])

/** Without what differs from run to run, and with what the services changed since brought to one form. */
function level(value: unknown, origin: string, name = ''): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => level(item, origin))
    return name === 'key_ops' ? items.filter((item) => item !== 'deriveKey').toSorted() : items
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([member]) => !(name === 'attributes' && ['exportable', 'key_size'].includes(member)))
      .map(([member, inner]) => [member, level(inner, origin, member)])
    return Object.fromEntries(members)
  }
  if (isPage(value)) return '<page>'
  if (VARYING.has(name)) return `<${typeof value}>`
  if (typeof value !== 'string') return value
  if (name === 'value') return '<text>'
  if (name === 'data') return policyOf(value)
  if (name === 'nextLink')
    return value.replace(/skiptoken=[^&]+/, 'skiptoken=…').replace(/https:\/\/[^/:]+/, 'https://h')
  if (name === 'message') return levelMessage(value)
  return value.replace(/https:\/\/[^/]+/, 'https://h').replace(/\/[0-9a-f]{32}$/, '/<version>')
}

function levelMessage(message: string): string {
  const deleted = /^Deleted Key not found: (.*)$/.exec(message)
  if (deleted !== null) return `A key with (name/id) ${deleted[1]} was not found`
  const known = NOW_OTHERWISE[message] ?? message
  return known
    .replace(/ was not found in this key vault\..*$/, ' was not found')
    .replace(/Activity ID: [0-9a-f-]+/, 'Activity ID: …')
    .replace(/https:\/\/[^/]+/, 'https://h')
    .replace(/\/[0-9a-f]{32} /, '/<version> ')
}

/** Booleans became text in 2022 and no longer do; the recorder's own stand-ins change the order of members. */
function policyOf(data: string): unknown {
  const sort = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sort)
    if (typeof value !== 'object' || value === null) return typeof value === 'boolean' ? String(value) : value
    return Object.fromEntries(
      Object.entries(value)
        .map(([member, inner]) => [member, sort(inner)])
        .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
    )
  }
  return JSON.parse(
    JSON.stringify(sort(JSON.parse(Buffer.from(data, 'base64url').toString()))).replaceAll(
      /(https:\/\/[^"/]+)\//g,
      '$1',
    ),
  )
}

/** Headers of the proxy and of the recorder, and those that came and went over the years. */
const IGNORED = new Set(['date', 'server', 'x-powered-by', 'x-ms-build-version', 'x-ms-keyvault-rbac-cache'])
const SOMETIMES = new Set(['x-ms-keyvault-rbac-assignment-id', 'content-length', 'content-type'])

function namesOf(names: readonly string[]): string[] {
  return names
    .map((name) => name.toLowerCase())
    .filter((name) => !IGNORED.has(name) && !SOMETIMES.has(name))
    .toSorted()
}
