import { ClientSecretCredential, type TokenCredential } from '@azure/identity'
import { CryptographyClient, KeyClient, type KeyClientOptions, type KeyVaultKey } from '@azure/keyvault-keys'
import { expect } from 'vitest'
import { type Emulator, ensureApplication, type SeedDocument } from '../../../emulator/src/index.ts'

/** What the suite runs against: one emulator behind one door, and what leads the official clients there. */
export interface World extends AsyncDisposable {
  readonly emulator: Emulator
  /** For every client of the Azure SDK. */
  readonly options: ClientOptions
  /** A request that no client of ours sends, by the same door. */
  readonly fetch: (input: string, init?: RequestInit) => Promise<Response>
}

export type ClientOptions = Pick<KeyClientOptions, 'proxyOptions' | 'retryOptions'>

export type Kind = 'vault' | 'managedHsm'

/** The vaults and managed HSMs that each world has: names on the left, found by `placeOf`. */
export const SEED: SeedDocument = {
  vaults: [
    { name: 'contoso', resourceGroup: 'conformance' },
    { name: 'contoso-list', resourceGroup: 'conformance' },
    { name: 'contoso-guarded', resourceGroup: 'conformance', enablePurgeProtection: true },
    { name: 'contoso-standard', resourceGroup: 'conformance', sku: 'standard', softDeleteRetentionInDays: 7 },
  ],
  managedHsms: [
    { name: 'contoso', resourceGroup: 'conformance' },
    { name: 'contoso-list', resourceGroup: 'conformance' },
    { name: 'contoso-guarded', resourceGroup: 'conformance', enablePurgeProtection: true },
  ],
  managedIdentities: [{ name: 'app', resourceGroup: 'conformance' }],
}

/** The SDK's pollers wait two seconds between questions unless they are told not to. */
export const AT_ONCE = { intervalInMs: 1 }

/** One vault or managed HSM, as a program has it before it. */
export interface Place {
  readonly kind: Kind
  readonly isVault: boolean
  readonly world: World
  /** `https://contoso.vault.azure.net`, no slash. */
  readonly url: string
  /** The audience of its tokens. */
  readonly audience: string
  readonly client: KeyClient
  /** With a version of the API of its own, or as somebody else. */
  clientWith(options: { readonly serviceVersion?: string; readonly credential?: TokenCredential }): KeyClient
  cryptography(key: KeyVaultKey | string, credential?: TokenCredential): CryptographyClient
  /** A key name that nobody has had yet. */
  fresh(): string
  /** A request as the administrator, by hand: for what the official client does not send. */
  raw(method: string, path: string, body?: unknown): Promise<RawAnswer>
  /** The same service under another name: `list`, `guarded`, `standard`. */
  other(name: 'list' | 'guarded' | 'standard'): Place
  /** `HSM`-suffixed on a managed HSM, where there are no other keys. */
  storedType(kty: 'RSA' | 'EC'): string
}

export interface RawAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was answered
  readonly json: any
}

const SUFFIX = { vault: 'vault.azure.net', managedHsm: 'managedhsm.azure.net' } as const

let names = 0

export function placeOf(kind: Kind, world: World, name = 'contoso'): Place {
  const url = `https://${name}.${SUFFIX[kind]}`
  const audience = `https://${SUFFIX[kind]}`
  const isVault = kind === 'vault'
  const administrator = administratorOf(world)
  const clientWith: Place['clientWith'] = ({ serviceVersion, credential = administrator }) =>
    new KeyClient(url, credential, { ...world.options, ...(serviceVersion === undefined ? {} : { serviceVersion }) })
  let made: KeyClient | undefined
  return {
    kind,
    isVault,
    world,
    url,
    audience,
    get client() {
      made ??= clientWith({})
      return made
    },
    clientWith,
    cryptography: (key, credential = administrator) =>
      typeof key === 'string'
        ? new CryptographyClient(key, credential, { ...world.options })
        : new CryptographyClient(key, credential, { ...world.options }),
    fresh: () => `key-${++names}`,
    async raw(method, path, body) {
      const { token } = (await administrator.getToken(`${audience}/.default`))!
      const answer = await world.fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await answer.text()
      const json = text.startsWith('{') ? JSON.parse(text) : undefined
      return { status: answer.status, headers: answer.headers, text, json }
    },
    other: (which) => placeOf(kind, world, `contoso-${which}`),
    storedType: (kty) => (isVault ? kty : `${kty}-HSM`),
  }
}

const administrators = new WeakMap<World, TokenCredential>()

/** One credential for all clients: it remembers its tokens. */
export function administratorOf(world: World): TokenCredential {
  const known = administrators.get(world)
  if (known !== undefined) return known
  const { tenantId, admin } = world.emulator.context.seed
  const credential = new ClientSecretCredential(tenantId, admin.clientId, admin.clientSecret, world.options)
  administrators.set(world, credential)
  return credential
}

/** An application that may do nothing yet. */
export interface Program {
  readonly objectId: string
  readonly clientId: string
  readonly credential: TokenCredential
}

export function programIn(world: World, displayName: string): Program {
  const { context } = world.emulator
  const secret = `secret of ${displayName}`
  const { objectId, clientId } = ensureApplication(context, { displayName, secret })
  const credential = new ClientSecretCredential(context.seed.tenantId, clientId, secret, world.options)
  return { objectId, clientId, credential }
}

/** All that a list of the SDK gives. */
export async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of pages) items.push(item)
  return items
}

export const base64Url = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('base64url')

/** A refusal as the official client shows it: `code` is that of the body; a managed HSM has no inner one. */
export function refusal(place: Place, statusCode: number, code: string, inner?: string, message?: string) {
  const innerCode = inner === undefined ? {} : { innerError: expect.objectContaining({ code: inner }) }
  const innerError = place.isVault ? innerCode : { innerError: undefined }
  const told = message === undefined ? {} : { message: expect.stringContaining(message) }
  return { name: 'RestError', statusCode, code, ...told, details: { error: { code, ...innerError, ...told } } }
}
