import type { KeyObject } from 'node:crypto'
import { type EmulatorContext, NOT_EMULATED } from '../../core/index.ts'
import { readRsaJwk } from './rsa-jwk.ts'

/*
 * What an attestation service publishes about itself: OpenID Connect Discovery 1.0 section 4, and the JSON Web Key Set
 * (RFC 7517) that it leads to.
 */

/** Why the keys of an authority could not be had. The message names addresses and never what was answered. */
export class AuthorityProblem extends Error {
  readonly code: 'ERR_AUTHORITY_NOT_ALLOWED' | 'ERR_AUTHORITY_UNREACHABLE' | 'ERR_AUTHORITY_METADATA'
  /** What a person would do about it. */
  readonly hint: string
  constructor(code: AuthorityProblem['code'], message: string) {
    super(message)
    this.name = 'AuthorityProblem'
    this.code = code
    this.hint = HINTS[code]
  }
}

const HINTS: Readonly<Record<AuthorityProblem['code'], string>> = {
  ERR_AUTHORITY_NOT_ALLOWED:
    'The vault asks the issuer for its keys. Attest with a provider that this emulator has, or allow this one at the start: skerry up --authority ORIGIN.',
  ERR_AUTHORITY_UNREACHABLE:
    'The vault asks the issuer for its keys: it must answer within seconds, directly and under a certificate that this process trusts (NODE_EXTRA_CA_CERTS).',
  ERR_AUTHORITY_METADATA:
    'The issuer must publish /.well-known/openid-configuration with a jwks_uri that leads to a JSON Web Key Set.',
}

/** The RSA keys of an authority by their exact `kid`; `ambiguous` where two different ones have the same. */
export type AuthorityKeys = ReadonlyMap<string, KeyObject | 'ambiguous'>

/**
 * Asks an authority for its keys: its metadata must hold `jwks_uri`, and may hold nothing else; an `issuer` that is there
 * must be this one. Keys that are not RSA, too weak, or without `kid` are left out.
 * @param issuer the `iss` of a token, with or without a final slash
 * @throws AuthorityProblem
 */
export async function fetchAuthorityKeys(ctx: EmulatorContext, issuer: string): Promise<AuthorityKeys> {
  const base = issuer.replace(/\/$/, '')
  const address = `${base}/.well-known/openid-configuration`
  const metadata = await fetchJsonObject(ctx, address)
  if (metadata.issuer !== undefined && !isSameIssuer(metadata.issuer, base)) {
    throw new AuthorityProblem('ERR_AUTHORITY_METADATA', `${address} is the metadata of another issuer`)
  }
  const jwksUri = metadata.jwks_uri
  if (typeof jwksUri !== 'string' || !URL.canParse(jwksUri)) {
    throw new AuthorityProblem('ERR_AUTHORITY_METADATA', `${address} has no jwks_uri`)
  }
  const { keys } = await fetchJsonObject(ctx, jwksUri)
  if (!Array.isArray(keys)) {
    throw new AuthorityProblem('ERR_AUTHORITY_METADATA', `${withoutQuery(jwksUri)} is no key set`)
  }
  return byKid(keys)
}

const isSameIssuer = (issuer: unknown, base: string) => typeof issuer === 'string' && issuer.replace(/\/$/, '') === base

/** More keys than an authority has; the rest is not looked at. */
const MOST_KEYS = 100

function byKid(keys: readonly unknown[]): AuthorityKeys {
  const found = new Map<string, KeyObject | 'ambiguous'>()
  for (const candidate of keys.slice(0, MOST_KEYS)) {
    const jwk = (typeof candidate === 'object' ? candidate : null) as Record<string, unknown> | null
    if (jwk === null || typeof jwk.kid !== 'string') continue
    const reading = readRsaJwk(jwk)
    if (!('key' in reading)) continue
    const known = found.get(jwk.kid)
    const same = known === undefined || (known !== 'ambiguous' && known.equals(reading.key))
    found.set(jwk.kid, same ? reading.key : 'ambiguous')
  }
  return found
}

/** The key set of an attestation service of Azure, with its certificates, has some 40 KB. */
const LARGEST_ANSWER = 1024 * 1024

async function fetchJsonObject(ctx: EmulatorContext, url: string): Promise<Readonly<Record<string, unknown>>> {
  const address = withoutQuery(url)
  const response = await ask(ctx, url)
  let text: string
  try {
    text = await boundedText(response, LARGEST_ANSWER)
  } catch (error) {
    throw new AuthorityProblem('ERR_AUTHORITY_UNREACHABLE', `${address} could not be read: ${reasonOf(error)}`)
  }
  if (!response.ok) {
    throw new AuthorityProblem('ERR_AUTHORITY_UNREACHABLE', `${address} answered ${response.status}`)
  }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // What was answered may be anything; the message below quotes none of it.
  }
  throw new AuthorityProblem('ERR_AUTHORITY_METADATA', `${address} answered no JSON object`)
}

/**
 * The origins that were allowed at the start are asked over the network, and these first: whoever names one wants it and
 * not its double. Beyond them there are only the emulated services, at the names and the port that they have on Azure.
 */
async function ask(ctx: EmulatorContext, url: string): Promise<Response> {
  const address = withoutQuery(url)
  const request = () => new Request(url, { headers: { accept: 'application/json' } })
  try {
    return await ctx.outside(request())
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_ORIGIN_NOT_ALLOWED') {
      throw new AuthorityProblem('ERR_AUTHORITY_UNREACHABLE', `${address} could not be asked: ${reasonOf(error)}`)
    }
  }
  const { protocol, port, host } = new URL(url)
  const response = protocol === 'https:' && port === '' ? await ctx.fetch(request()) : undefined
  if (response === undefined || (await isNotEmulated(response))) {
    throw new AuthorityProblem('ERR_AUTHORITY_NOT_ALLOWED', `${host} is not emulated here, and was not allowed`)
  }
  return response
}

async function isNotEmulated(response: Response): Promise<boolean> {
  if (response.status !== 501) return false
  const body = (await response
    .clone()
    .json()
    .catch(() => undefined)) as { error?: { code?: string } } | undefined
  return body?.error?.code === NOT_EMULATED
}

async function boundedText(response: Response, limit: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    // Leaving the loop cancels the stream, and with it the connection.
    if (size > limit) throw new Error(`it is longer than ${limit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const withoutQuery = (url: string) => url.replace(/[?#].*$/s, '')

/** `fetch` hides why it failed in a cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { code?: string; message?: string } }
  return cause?.code ?? cause?.message ?? message ?? 'no reason given'
}
