import type { Faults } from '../../core/faults.ts'
import { AUTHORITY, MANAGED_HSM, VAULT, type VaultWorld } from '../test-vaults.ts'
import { type Exchange, isList, isObject, isRelease } from './exchange.ts'
import { type About, levelOurs, levelRecorded } from './level.ts'

export interface Levelled {
  readonly status: number
  readonly body: unknown
  readonly headers: readonly string[]
}

export interface Comparison {
  readonly ours: Levelled
  readonly recorded: Levelled
}

/** The test service of the SDKs that signed the recorded tokens, which were blanked. */
const TEST_ISSUER = 'https://fakeattestation'
/** How long a recorded vault seems to have taken to delete a key, to recover it, to purge it. */
const DELAY_MS = 10_000
export const SLOW: Faults = {
  tamper: 'none',
  keyVault: { deletionDelayMs: DELAY_MS, recoveryDelayMs: DELAY_MS, purgeDelayMs: DELAY_MS },
}

/** Operations whose `value` is what was put in, or a verdict: the service does not make it up. */
const VALUE_IS_KNOWN = /\/(decrypt|unwrapkey|verify)\?/

/** Sends a recording's requests again, one after the other. */
export class Replay {
  /** What the recording gave, and what was given here instead: versions, ciphertexts, next links. */
  private readonly given = new Map<string, string>()
  private readonly world: VaultWorld
  private readonly origin: string
  private readonly expiries = new Set<unknown>()
  /** Whether lists show keys from before the recording began: of those only the form is compared. */
  private readonly strangers: boolean

  constructor(world: VaultWorld, service: 'vault' | 'mhsm', exchanges: readonly Exchange[]) {
    this.world = world
    this.origin = service === 'mhsm' ? MANAGED_HSM : VAULT
    this.strangers = showsStrangers(exchanges)
    world.use(testIssuer(world))
  }

  /** Undefined for the one request that goes to another service, which signed the tokens. */
  async compare(exchange: Exchange): Promise<Comparison | undefined> {
    if (exchange.url.startsWith(TEST_ISSUER)) return undefined
    if (!foundItTooSoon(exchange)) await this.world.clock.advance(DELAY_MS)
    const url = new URL(exchange.url)
    const target = this.given.get(exchange.url) ?? `${this.origin}${this.translate(`${url.pathname}${url.search}`)}`
    const answer = await this.send(exchange, target)
    const text = await answer.text()
    const body: unknown = text.startsWith('{') ? JSON.parse(text) : text || null
    this.learn(exchange.responseBody, body)
    const bodies = this.levelled(exchange, body)
    return {
      ours: {
        status: answer.status,
        body: bodies.ours,
        headers: headersOf(Object.fromEntries(answer.headers), exchange),
      },
      recorded: {
        status: exchange.status,
        body: bodies.recorded,
        headers: headersOf(exchange.responseHeaders, exchange),
      },
    }
  }

  private levelled(exchange: Exchange, body: unknown) {
    const { requestBody } = exchange
    if (isObject(requestBody) && isObject(requestBody.attributes)) this.expiries.add(requestBody.attributes.exp)
    const about: About = {
      sent: exchange.requestBody,
      expiries: this.expiries,
      valueIsKnown: VALUE_IS_KNOWN.test(exchange.url),
      managedHsm: this.origin === MANAGED_HSM,
    }
    const recordedBody = exchange.responseBody
    const ours = levelOurs(body, recordedBody, about)
    const recorded = levelRecorded(recordedBody, about)
    return this.strangers && isList(recordedBody)
      ? { ours: formOf(ours), recorded: formOf(recorded) }
      : { ours, recorded }
  }

  private async send(exchange: Exchange, url: string): Promise<Response> {
    const { Authorization: authorization } = exchange.requestHeaders
    const audience = this.origin === VAULT ? 'https://vault.azure.net' : 'https://managedhsm.azure.net'
    const headers: Record<string, string> =
      authorization === undefined ? {} : { authorization: `Bearer ${await this.world.token(audience)}` }
    const body = isRelease(exchange)
      ? JSON.stringify({ ...(exchange.requestBody as object), target: await this.attestation() })
      : this.translate(JSON.stringify(exchange.requestBody))
    const sent = exchange.requestBody === null ? {} : { body }
    return await this.world.fetch(new Request(url, { method: exchange.method, headers, ...sent }))
  }

  /** What the test service would have said, in its claims. */
  private async attestation(): Promise<string> {
    const { privateKey } = this.world.issuer.wrapping
    const { n, e } = privateKey.export({ format: 'jwk' })
    return await this.world.issuer.sign({
      iss: TEST_ISSUER,
      'sdk-test': true,
      'x-ms-runtime': { keys: [{ kty: 'RSA', kid: 'fake-release-key', use: 'enc', n, e }] },
    })
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

function testIssuer({ issuer }: VaultWorld) {
  return {
    name: 'recorded-test-issuer',
    hosts: [new URL(TEST_ISSUER).host],
    handle: (request: Request) => {
      const { pathname } = new URL(request.url)
      if (pathname === '/.well-known/openid-configuration') {
        return Response.json({ issuer: TEST_ISSUER, jwks_uri: `${TEST_ISSUER}/certs` })
      }
      return issuer.service.handle(new Request(`${AUTHORITY}${pathname}`), { door: 'process' })
    },
  }
}

function showsStrangers(exchanges: readonly Exchange[]): boolean {
  const made = new Set(exchanges.map(({ url }) => nameIn(url)))
  return exchanges
    .flatMap(({ responseBody }) => (isList(responseBody) ? responseBody.value : []))
    .some((item) => !made.has(nameIn(String((item as { kid: string }).kid))))
}

const nameIn = (url: string) => /\/keys\/([^/?]+)/.exec(url)?.[1]

/** A page of strangers: what it has beside them, and what it has of the first one. */
function formOf(page: unknown): unknown {
  if (!isObject(page) || !Array.isArray(page.value)) return page
  return Object.keys(page).filter((name) => name !== 'nextLink')
}

/** Whether the recorded service was still at work on what the client asked about, which asked again later. */
function foundItTooSoon({ method, url, status }: Exchange): boolean {
  return (method === 'GET' && status === 404) || (url.includes('/keys/restore') && status === 409)
}

/** Of the proxy and of the recorder, of the web server's older days, and those that came and went over the years. */
const IGNORED = new Set([
  'date',
  'server',
  'x-powered-by',
  'x-ms-build-version',
  'x-ms-keyvault-rbac-cache',
  'content-length',
])
const SOMETIMES = new Set(['x-ms-keyvault-rbac-assignment-id'])

/** Their names; and the type of what there is. */
function headersOf(headers: Readonly<Record<string, string>>, { responseBody, responseHeaders }: Exchange): string[] {
  const typed = 'Content-Type' in responseHeaders && responseBody !== null
  return Object.entries(headers)
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !IGNORED.has(name) && !SOMETIMES.has(name) && (typed || name !== 'content-type'))
    .map(([name, value]) => (name === 'content-type' ? `${name}: ${value}` : name))
    .toSorted()
}
