import { createLocalJWKSet, type JSONWebKeySet } from 'jose'
import * as v from 'valibot'
import { COLLECTIONS, type EmulatorContext, type IssuerKeysRecord } from '../../core/index.ts'
import { issuerUnreachable } from '../assertion-errors.ts'

export interface IssuerKeys {
  /**
   * The key set of an OpenID issuer: the one it was given at the start, or what its metadata leads to. `again`: a key was
   * missed; asks anew unless that was just done. @throws TokenServiceError AADSTS501661
   */
  of(issuer: string, again: boolean): Promise<KeySet>
}

type KeySet = ReturnType<typeof createLocalJWKSet>

const LIFETIME_MS = 24 * 3600 * 1000
const COOLDOWN_MS = 30_000
/** Characters. */
const LARGEST_ANSWER = 512 * 1024
const MOST_ISSUERS = 100

const Metadata = v.object({ issuer: v.string(), jwks_uri: v.pipe(v.string(), v.url()) })
const Keys = v.object({ keys: v.array(v.record(v.string(), v.unknown())) })

export function createIssuerKeys(ctx: EmulatorContext): IssuerKeys {
  const known = new Map<string, { readonly fetchedAt: number; readonly keys: Promise<KeySet> }>()
  return {
    async of(issuer, again) {
      const given = ctx.store.collection<IssuerKeysRecord>(COLLECTIONS.oidcIssuers).get(issuer)
      if (given !== undefined) return createLocalJWKSet({ keys: given.keys } as unknown as JSONWebKeySet)
      const now = ctx.clock.now()
      const cached = known.get(issuer)
      if (cached !== undefined && now - cached.fetchedAt < (again ? COOLDOWN_MS : LIFETIME_MS)) return await cached.keys
      const entry = { fetchedAt: now, keys: fetchKeys(ctx, issuer) }
      if (known.size >= MOST_ISSUERS) known.clear()
      known.set(issuer, entry)
      try {
        return await entry.keys
      } catch (error) {
        if (known.get(issuer) === entry) known.delete(issuer)
        throw error
      }
    },
  }
}

/** OpenID Connect Discovery 1.0, section 4: the metadata must name the very issuer. */
async function fetchKeys(ctx: EmulatorContext, issuer: string): Promise<KeySet> {
  const metadata = await fetchJson(
    ctx,
    issuer,
    `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
    Metadata,
  )
  if (metadata.issuer !== issuer) {
    throw issuerUnreachable(issuer, `the metadata is of ${metadata.issuer}`)
  }
  const { keys } = await fetchJson(ctx, issuer, metadata.jwks_uri, Keys)
  return createLocalJWKSet({ keys } as unknown as JSONWebKeySet)
}

async function fetchJson<T>(
  ctx: EmulatorContext,
  issuer: string,
  url: string,
  schema: v.GenericSchema<unknown, T>,
): Promise<T> {
  const { origin } = new URL(url)
  const isOutside = ctx.settings.authorities.some(
    (allowed) => URL.canParse(allowed) && new URL(allowed).origin === origin,
  )
  let answer: unknown
  try {
    const response = await (isOutside ? ctx.outside(new Request(url)) : ctx.fetch(new Request(url)))
    if (!response.ok) throw new Error(`GET ${url} was answered with ${response.status}`)
    answer = JSON.parse(await readText(response))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const action = isOutside
      ? undefined
      : `Allow the origin at the start (skerry up --authority ${origin}), or give the keys of the issuer beforehand.`
    throw issuerUnreachable(issuer, reason, action)
  }
  const parsed = v.safeParse(schema, answer)
  if (!parsed.success) throw issuerUnreachable(issuer, `${url}: ${v.summarize(parsed.issues)}`)
  return parsed.output
}

async function readText(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += part.length
    if (size > LARGEST_ANSWER) throw new Error(`the answer is larger than ${LARGEST_ANSWER} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
