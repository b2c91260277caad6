import { encodeBase64Url, encodeUtf8 } from '@skerry/guest/wire'
import type { AttestationProviderRecord, EmulatorContext } from '../../core/index.ts'
import type { AttestationType } from '../attestation-types.ts'
import { badMessage, notCovered } from '../errors.ts'
import { boundedCache } from '../evidence/bounded-cache.ts'
import { DEFAULT_POLICIES } from '../policy/defaults.ts'
import { hashOfEncodedPolicy, policyHash } from '../policy/hash.ts'
import { parsePolicy } from '../policy/parse.ts'
import type { Policy } from '../policy/syntax.ts'
import { decodeText, jsonObject, type PolicyJws, readPolicyJws, signerJwk, verifySigner } from './policy-jws.ts'
import { policyStore } from './state.ts'

/** A policy that is evaluated. */
export interface EffectivePolicy {
  readonly policy: Policy
  /** As `x-ms-policy-hash`. */
  readonly hash: string
  /** As `x-ms-policy-signer`. */
  readonly signer?: Readonly<Record<string, unknown>>
}

/** Policies that are not parsed again. */
const parsed = boundedCache<EffectivePolicy>(64)

/** The base64url text of the policy in a JWS. */
export function encodedPolicy({ payload }: PolicyJws): string {
  const { AttestationPolicy: encoded } = jsonObject(payload, 'the payload of the token')
  if (typeof encoded !== 'string') throw badMessage('Could not find "AttestationPolicy" claim in policy token')
  return encoded
}

/**
 * The policy that holds for a type; undefined where nobody set one and there is no default.
 * @throws AttestationError 501 for the default policy that nobody knows
 */
export function effectivePolicy(
  ctx: EmulatorContext,
  provider: AttestationProviderRecord,
  type: AttestationType,
): EffectivePolicy | undefined {
  const stored = policyStore(ctx).get(provider.host, type)
  if (stored !== undefined) {
    return parsed.get(`jws ${stored.jws}`, () => {
      const jws = readPolicyJws(stored.jws)
      const encoded = encodedPolicy(jws)
      const signer = verifySigner(jws)
      return {
        policy: parsePolicy(decodeText(encoded)),
        hash: hashOfEncodedPolicy(encoded),
        ...(signer !== undefined && { signer: signerJwk(signer, false) }),
      }
    })
  }
  const standard = DEFAULT_POLICIES[type]
  if (standard === 'none') return undefined
  if (standard === 'unknown') throw notCovered(`the default policy of ${type}, which is not published`)
  return draftPolicy(standard.text)
}

/**
 * A policy that came as text.
 * @throws PolicySyntaxError
 */
export function draftPolicy(text: string): EffectivePolicy {
  return parsed.get(`text ${text}`, () => ({ policy: parsePolicy(text), hash: policyHash(text) }))
}

/** A policy as GET hands it out: the JWS that was uploaded, or an unsigned one around the default. */
export function storedPolicyJws(
  ctx: EmulatorContext,
  provider: AttestationProviderRecord,
  type: AttestationType,
): string {
  const stored = policyStore(ctx).get(provider.host, type)
  if (stored !== undefined) return stored.jws
  const standard = DEFAULT_POLICIES[type]
  if (standard === 'unknown') throw notCovered(`the default policy of ${type}, which is not published`)
  const part = (value: unknown) => encodeBase64Url(encodeUtf8(JSON.stringify(value)))
  const header = part({ alg: 'none' })
  if (standard === 'none') return `${header}..`
  return `${header}.${part({ AttestationPolicy: encodeBase64Url(encodeUtf8(standard.text)) })}.`
}
