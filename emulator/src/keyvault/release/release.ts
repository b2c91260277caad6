import type { KeyObject } from 'node:crypto'
import {
  DEFAULT_RELEASE_ENC,
  encodeKeyHsm,
  evaluateReleasePolicy,
  isReleaseEnc,
  type ReleaseDecision,
  type ReleaseEnc,
} from '@skerry/guest/wire'
import { CompactSign } from 'jose'
import type { JournalCondition } from '../../core/index.ts'
import { type Call, ok, type Reply } from '../call.ts'
import { wrapForRelease } from '../crypto/key-wrap.ts'
import { releasablePlaintext } from '../crypto/material.ts'
import { badParameter, type Evidence, forbidden } from '../errors.ts'
import { keyId } from '../personality/views.ts'
import { readRelease } from '../routes/bodies.ts'
import { readReleasePolicy } from '../rules/release-policy.ts'
import { type KeyRecord, type KeyVersion, versionOf } from '../state.ts'
import { publicKeyOf } from './attestation-token.ts'
import { hintFor } from './hints.ts'

/** The two refusals of a release, word for word: they never say which condition failed. The journal does. */
const NOT_VERIFIED = 'Target environment attestation statement cannot be verified.'
const NOT_ALLOWED = 'Target environment attestation does not meet key release policy requirements'

/**
 * `POST /keys/{name}[/{version}]/release`: the key goes out, wrapped for the key that an attestation token vouches for,
 * if that token is genuine and its claims meet the key's policy. Neither `nbf`, `exp` nor `key_ops` are looked at.
 */
export async function release(call: Call): Promise<Reply> {
  const { parts, personality, target, vault } = call
  const request = readRelease(await call.body())
  const key = parts.keys.find(vault.host, target.name!)
  const version = key === undefined || key.deleted ? undefined : versionOf(key, target.version)
  if (key === undefined || version === undefined) {
    throw personality.says.keyNotFound(
      call,
      target.name!,
      target.version === undefined ? {} : { version: target.version },
    )
  }
  const subject = keyId(call, key, version)
  requireReleasable(key, version, subject)

  if (request.target === undefined || request.target === '') throw badParameter('Property target is required')
  const enc = request.enc ?? DEFAULT_RELEASE_ENC
  if (!isReleaseEnc(enc)) throw badParameter(`Property enc has invalid value: ${enc}`)

  const reading = await parts.attestationTokens.read(request.target)
  const refusal = (message: string, conditions: readonly JournalCondition[]) =>
    forbidden(message, 'AccessDenied', refusalEvidence(subject, conditions, { enc, authority: reading.issuer }))
  if (!reading.verified) throw refusal(NOT_VERIFIED, reading.conditions)

  const { issuer = '', claims } = reading
  const decision = evaluateReleasePolicy(readReleasePolicy(key.releasePolicy!.data), { issuer, claims })
  const conditions = [...reading.conditions, ...policyConditions(decision, issuer)]
  if (!decision.allowed) throw refusal(NOT_ALLOWED, conditions)

  const wrappingKey = findWrappingKey(claims)
  conditions.push(wrappingKeyCondition(wrappingKey))
  if (wrappingKey === undefined) throw refusal(NOT_VERIFIED, conditions)

  const value = await signedRelease(call, key, version, { wrappingKey, enc, nonce: request.nonce })
  parts.ctx.journal.write({
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

function requireReleasable(key: KeyRecord, version: KeyVersion, subject: string): void {
  if (!version.enabled) {
    throw forbidden('Operation release is not allowed on a disabled key.', 'KeyDisabled', {
      subject,
      conditions: [{ name: 'key.enabled', wanted: true, found: false, met: false, hint: 'Enable this version.' }],
    })
  }
  if (key.exportable && key.releasePolicy !== undefined) return
  const hint = 'Whether a key can leave is settled when it is made: import or create one that is exportable.'
  throw forbidden('Operation release is not permitted on this key.', 'KeyOperationForbidden', {
    subject,
    conditions: [{ name: 'key.exportable', wanted: true, found: key.exportable, met: false, hint }],
    action: hint,
  })
}

function refusalEvidence(
  subject: string,
  conditions: readonly JournalCondition[],
  details: { readonly enc: string; readonly authority: string | undefined },
): Evidence {
  // Where one of the authorities did issue the token, those that did not are beside the point.
  const issued = conditions.some(({ name, met }) => name === 'iss' && met)
  const failed = conditions.find(({ name, met }) => !met && !(issued && name === 'iss'))
  return {
    subject,
    summary:
      failed === undefined ? 'The release was refused.' : `The release was refused: ${failed.name} did not hold.`,
    conditions,
    ...(failed?.hint === undefined ? {} : { action: failed.hint }),
    details,
  }
}

/** Every condition of every authority; of an allowed release only those of the authority that allowed it. */
function policyConditions(decision: ReleaseDecision, issuer: string): JournalCondition[] {
  const deciding = decision.authorities.filter(({ allowed }) => allowed || !decision.allowed)
  const listed = decision.allowed ? deciding.slice(0, 1) : deciding
  return listed.flatMap(({ authority, issuerMatched, conditions }) => [
    {
      name: 'iss',
      wanted: authority,
      found: issuer,
      met: issuerMatched,
      ...(issuerMatched ? {} : { hint: hintFor({ claim: 'iss', found: issuer }) }),
    },
    ...conditions.map((condition) => ({
      name: condition.claim,
      wanted: condition.operator === 'equals' ? condition.wanted : `${condition.operator} ${condition.wanted}`,
      found: condition.found ?? null,
      met: condition.met,
      ...(condition.met ? {} : { hint: hintFor(condition) }),
    })),
  ])
}

interface WrappingKey {
  readonly kid: string
  readonly key: KeyObject
}

/** The first RSA JWK for encryption among the token's `x-ms-runtime.keys`. */
function findWrappingKey(claims: Readonly<Record<string, unknown>>): WrappingKey | undefined {
  const runtime = claims['x-ms-runtime'] as { keys?: unknown } | undefined
  const keys: unknown[] = Array.isArray(runtime?.keys) ? runtime.keys : []
  for (const candidate of keys) {
    if (typeof candidate !== 'object' || candidate === null) continue
    const jwk = candidate as Readonly<Record<string, unknown>>
    const operations = Array.isArray(jwk.key_ops) ? jwk.key_ops : []
    const encrypts = jwk.use === 'enc' || jwk.key_use === 'enc' || operations.includes('encrypt')
    if (jwk.kty !== 'RSA' || !encrypts || typeof jwk.kid !== 'string') continue
    const key = publicKeyOf(jwk)
    return key !== undefined && isWrappingKey(key) ? { kid: jwk.kid, key } : undefined
  }
  return undefined
}

/** DER of the public part of an RSA key of 8192 bits. */
const LARGEST_SPKI = 1_100

/**
 * An RSA key that hides what is encrypted for it, and that OpenSSL can use: an exponent of 1 encrypts to the plaintext
 * itself, an even number belongs to no key, and asking a huge key for its details leaves an error in OpenSSL's queue,
 * which ends the next key that anybody in this process reads.
 */
function isWrappingKey(key: KeyObject): boolean {
  if (key.asymmetricKeyType !== 'rsa' || key.export({ type: 'spki', format: 'der' }).length > LARGEST_SPKI) return false
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  const modulus = Buffer.from(key.export({ format: 'jwk' }).n ?? '', 'base64url')
  const usable = isOdd(publicExponent) && publicExponent >= 3n && publicExponent < 1n << 64n
  return modulusLength >= 2048 && usable && isOdd(BigInt(modulus.at(-1) ?? 0))
}

const isOdd = (number: bigint) => (number & 1n) === 1n

function wrappingKeyCondition(found: WrappingKey | undefined): JournalCondition {
  const name = 'x-ms-runtime.keys'
  const wanted = 'an RSA key for encryption of at least 2048 bits, with a kid'
  if (found !== undefined) return { name, wanted, found: found.kid, met: true }
  const hint =
    'Put the public wrapping key into the runtime data that is attested: {"keys":[{"kty":"RSA","use":"enc",…}]}.'
  return { name, wanted, found: null, met: false, hint }
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
  const asked = `${call.origin}/keys/${key.name}${call.target.version === undefined ? '' : `/${version.version}`}`
  const payload = shapes.payload(call, key, version, {
    kid: asked,
    enc: to.enc,
    nonce: to.nonce,
    keyHsm: encodeKeyHsm({ kid: to.wrappingKey.kid, enc: to.enc, ciphertext }, shapes.memberOrder),
  })
  const signer = await ctx.authority.rsaSigner(shapes.signerNames(call.vault))
  return await new CompactSign(Buffer.from(JSON.stringify(payload), 'utf8'))
    .setProtectedHeader({ alg: 'RS256', ...shapes.header(signer.chain) })
    .sign(signer.privateKey)
}
