import {
  DEFAULT_RELEASE_ENC,
  encodeKeyHsm,
  evaluateReleasePolicy,
  isReleaseEnc,
  type ReleaseEnc,
  type ReleasePolicy,
} from '@skerry/guest/wire'
import { type JournalCondition, type RsaSigner, signJws } from '../../core/index.ts'
import { type Call, ok, type Reply } from '../call.ts'
import { wrapForRelease } from '../crypto/key-wrap.ts'
import { releasablePlaintext } from '../crypto/material.ts'
import { badParameter, forbidden } from '../errors.ts'
import { keyId } from '../personality/views.ts'
import { readRelease } from '../routes/bodies.ts'
import { ReleasePolicyProblem, readReleasePolicy } from '../rules/release-policy.ts'
import { type KeyRecord, type KeyVersion, type StoredReleasePolicy, versionOf } from '../state.ts'
import { policyConditions, refusalEvidence } from './evidence.ts'
import { chooseWrappingKey, type WrappingKey } from './wrapping-key.ts'

/** The two refusals of a release, word for word: they never say which condition failed. The journal does. */
const NOT_VERIFIED = 'Target environment attestation statement cannot be verified.'
const NOT_ALLOWED = 'Target environment attestation does not meet key release policy requirements'

/**
 * `POST /keys/{name}[/{version}]/release`: the key goes out, wrapped for the key that an attestation token vouches for,
 * if that token is genuine and its claims meet the key's policy. Neither `nbf`, `exp` nor `key_ops` are looked at.
 *
 * An issuer that cannot be asked for its keys is a token that cannot be verified (403): so did a live vault answer where
 * the test service of Microsoft's SDKs was out of reach. AKV.SKR.1012 speaks of the authorities of a policy.
 */
export async function release(call: Call): Promise<Reply> {
  const { parts, personality } = call
  const { settings, journal } = parts.ctx
  const request = readRelease(await call.body())
  requireReleasable(call)
  if (request.target === undefined || request.target === '') throw badParameter('Property target is required')
  const enc = request.enc ?? DEFAULT_RELEASE_ENC
  if (!isReleaseEnc(enc)) throw badParameter(`Property enc has invalid value: ${enc}`)

  const reading = await parts.attestationTokens.read(request.target)
  // Meanwhile the key may have been disabled, deleted or given another policy: what counts is what it is now.
  const { key, version, subject, policy } = requireReleasable(call)
  const { issuer = '', claims } = reading
  const conditions: JournalCondition[] = [...reading.conditions]
  const refusal = (message: string) =>
    forbidden(message, 'AccessDenied', refusalEvidence(subject, conditions, { enc, authority: reading.issuer }))
  // Nobody stands for the claims of such a token: they are not held against the policy, not even for the journal.
  if (claims === undefined) throw refusal(NOT_VERIFIED)

  const decision = evaluateReleasePolicy(policy, { issuer, claims }, settings.releasePolicy)
  const wrapping = chooseWrappingKey(claims)
  conditions.push(...policyConditions(decision, issuer), wrapping.condition)
  if (!reading.verified) throw refusal(NOT_VERIFIED)
  if (!decision.allowed) throw refusal(NOT_ALLOWED)
  const wrappingKey = wrapping.chosen
  if (wrappingKey === undefined) throw refusal(NOT_VERIFIED)

  const value = await signedRelease(call, key, version, { wrappingKey, enc, nonce: request.nonce })
  journal.write({
    service: personality.service,
    operation: 'release',
    outcome: 'allowed',
    subject,
    summary: `${key.name} was released to a key that ${issuer} vouches for.`,
    conditions,
    answer: { status: 200, requestId: call.requestId },
    details: { wrappingKeyKid: wrappingKey.kid, enc, authority: issuer, principalId: call.principal.objectId },
  })
  return ok({ value })
}

interface Releasable {
  readonly key: KeyRecord
  readonly version: KeyVersion
  /** The id of the version, for the journal. */
  readonly subject: string
  readonly policy: ReleasePolicy
}

function requireReleasable(call: Call): Releasable {
  const { parts, personality, target, vault } = call
  const key = parts.keys.find(vault.host, target.name!)
  const version = key === undefined || key.deleted ? undefined : versionOf(key, target.version)
  if (key === undefined || version === undefined) {
    const named = target.version === undefined ? {} : { version: target.version }
    throw personality.says.keyNotFound(call, target.name!, named)
  }
  const subject = keyId(call, key, version)
  const { releasePolicy } = key
  if (version.enabled && key.exportable && releasePolicy !== undefined) {
    return { key, version, subject, policy: storedPolicy(releasePolicy, subject) }
  }
  const evidence = { subject, ...whyNot(key, version) }
  if (!version.enabled) throw forbidden('Operation release is not allowed on a disabled key.', 'KeyDisabled', evidence)
  throw forbidden('Operation release is not permitted on this key.', 'KeyOperationForbidden', evidence)
}

/** Parsed once for as long as the key has it. */
const policies = new WeakMap<StoredReleasePolicy, ReleasePolicy>()

/** What cannot be read allows nothing: a state that was brought here may hold what this version would not have stored. */
function storedPolicy(stored: StoredReleasePolicy, subject: string): ReleasePolicy {
  try {
    const policy = policies.get(stored) ?? readReleasePolicy(stored.data)
    policies.set(stored, policy)
    return policy
  } catch (error) {
    if (!(error instanceof ReleasePolicyProblem)) throw error
    const hint = 'Give the key a policy again: this one is not in the grammar of release policies.'
    const condition = { name: 'release_policy', wanted: 'a release policy', found: error.message, met: false, hint }
    throw forbidden(NOT_ALLOWED, 'AccessDenied', { subject, conditions: [condition], action: hint })
  }
}

function whyNot(key: KeyRecord, version: KeyVersion): { conditions: JournalCondition[]; action: string } {
  const enabling = 'Enable this version.'
  const exporting = 'Whether a key can leave is settled when it is made: import or create one that is exportable.'
  const looked = [
    { name: 'key.enabled', wanted: true, found: version.enabled, met: version.enabled, hint: enabling },
    { name: 'key.exportable', wanted: true, found: key.exportable, met: key.exportable, hint: exporting },
  ]
  const conditions = looked.map(({ hint, ...condition }) => (condition.met ? condition : { ...condition, hint }))
  return { conditions, action: key.exportable ? enabling : exporting }
}

/** Wraps the key and signs the answer with the service's certificate: a compact JWS. */
async function signedRelease(
  call: Call,
  key: KeyRecord,
  version: KeyVersion,
  to: { readonly wrappingKey: WrappingKey; readonly enc: ReleaseEnc; readonly nonce: string | undefined },
): Promise<string> {
  const { ctx, keys } = call.parts
  const shapes = call.personality.release
  const kek = ctx.random.bytes(32)
  const plaintext = releasablePlaintext(keys.material(key, version))
  const ciphertext = wrapForRelease(to.wrappingKey.key, to.enc, kek, plaintext)
  kek.fill(0)
  plaintext.fill(0)
  const { name, version: askedVersion } = call.target
  const asked = `${call.origin}/keys/${name}${askedVersion === undefined ? '' : `/${askedVersion}`}`
  const payload = shapes.payload(call, key, version, {
    kid: asked,
    enc: to.enc,
    nonce: to.nonce,
    keyHsm: encodeKeyHsm({ kid: to.wrappingKey.kid, enc: to.enc, ciphertext }, shapes.memberOrder),
  })
  const signer = await ctx.authority.rsaSigner(shapes.signerNames(call.vault))
  const header = headers.get(signer) ?? { alg: 'RS256', ...shapes.header(signer.chain) }
  headers.set(signer, header)
  return signJws(header, JSON.stringify(payload), signer.privateKey)
}

/** The certificates of a signer in the header of what it signs: worked out once. Each kind of vault has signers of its own. */
const headers = new WeakMap<RsaSigner, Parameters<typeof signJws>[0]>()
