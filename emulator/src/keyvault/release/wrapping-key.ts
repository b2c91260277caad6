import type { KeyObject } from 'node:crypto'
import type { JournalCondition } from '../../core/index.ts'
import { readRsaJwk } from './rsa-jwk.ts'

/** The key that an attestation token vouches for: what is released goes out under it. */
export interface WrappingKey {
  /** As the token has it. */
  readonly kid: string
  readonly key: KeyObject
}

export interface WrappingKeyChoice {
  readonly chosen: WrappingKey | undefined
  /** For the journal: why each key before the chosen one, or every key, was passed over. */
  readonly condition: JournalCondition
}

const HINT =
  'Put the public wrapping key into the runtime data that is attested: {"keys":[{"kty":"RSA","use":"enc","kid":…,"n":…,"e":…}]}.'

/**
 * The first RSA key among `x-ms-runtime.keys` that has a `kid` and is marked for encryption: `use` (the documentation
 * writes `key_use`) is `enc`, or `key_ops` holds `encrypt`. That key and no later one: when it is too weak, nothing is
 * released (Microsoft Learn, "Azure Key Vault secure key release policy grammar", environment assertion).
 */
export function chooseWrappingKey(claims: Readonly<Record<string, unknown>>): WrappingKeyChoice {
  const runtime = claims['x-ms-runtime'] as { keys?: unknown } | null | undefined
  const keys: unknown[] = Array.isArray(runtime?.keys) ? runtime.keys : []
  const passedOver: { readonly kid: unknown; readonly problem: string }[] = []
  for (const candidate of keys) {
    const jwk = typeof candidate === 'object' && candidate !== null ? (candidate as Record<string, unknown>) : {}
    const unfit = unsuitable(jwk)
    const kid = typeof jwk.kid === 'string' ? jwk.kid : null
    if (unfit !== undefined) {
      passedOver.push({ kid, problem: unfit })
      continue
    }
    const reading = readRsaJwk(jwk)
    if ('key' in reading) return { chosen: { kid: kid!, key: reading.key }, condition: conditionOf(kid!, true) }
    passedOver.push({ kid, problem: reading.problem })
    break
  }
  return { chosen: undefined, condition: conditionOf(passedOver.length === 0 ? null : passedOver, false) }
}

function unsuitable(jwk: Readonly<Record<string, unknown>>): string | undefined {
  if (jwk.kty !== 'RSA') return 'is not an RSA key'
  const operations = Array.isArray(jwk.key_ops) ? jwk.key_ops : []
  const encrypts = jwk.use === 'enc' || jwk.key_use === 'enc' || operations.includes('encrypt')
  if (!encrypts) return 'is not marked for encryption (use, key_use or key_ops)'
  return typeof jwk.kid === 'string' && jwk.kid !== '' ? undefined : 'has no kid'
}

function conditionOf(found: unknown, met: boolean): JournalCondition {
  const wanted = 'an RSA key for encryption of at least 2048 bits, with a kid'
  return { name: 'x-ms-runtime.keys', wanted, found, met, ...(met ? {} : { hint: HINT }) }
}
