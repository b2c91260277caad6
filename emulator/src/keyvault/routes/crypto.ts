import { epochSeconds } from '../../core/index.ts'
import { has } from '../api-version.ts'
import { type Call, ok, type Reply } from '../call.ts'
import { type CryptoInput, open, seal, signDigest, verifyDigest } from '../crypto/operations.ts'
import { base64Url, bytesOf } from '../encoding.ts'
import { badParameter, forbidden } from '../errors.ts'
import { keyId } from '../personality/views.ts'
import type { KeyVersion } from '../state.ts'
import type { CryptoOperation } from '../target.ts'
import { type CryptoFields, readCrypto, readRandomCount } from './bodies.ts'
import { requireVersion } from './lookup.ts'

/** Encrypt, decrypt, wrap, unwrap, sign, verify with the key in the vault; and random bytes. */

export async function encrypt(call: Call): Promise<Reply> {
  return await sealWith(call, 'encrypt')
}

export async function wrapKey(call: Call): Promise<Reply> {
  return await sealWith(call, 'wrapKey')
}

export async function decrypt(call: Call): Promise<Reply> {
  return await openWith(call, 'decrypt')
}

export async function unwrapKey(call: Call): Promise<Reply> {
  return await openWith(call, 'unwrapKey')
}

export async function sign(call: Call): Promise<Reply> {
  const { kid, material, fields } = await prepare(call, 'sign')
  const value = signDigest(material, fields.alg, required(fields, 'value'), call.parts.ctx.random)
  return ok(call.personality.operationResult(kid, { alg: fields.alg, value: base64Url(value) }))
}

export async function verify(call: Call): Promise<Reply> {
  const { kid, material, fields } = await prepare(call, 'verify')
  const value = verifyDigest(material, fields.alg, required(fields, 'digest'), required(fields, 'value'))
  return ok(call.personality.operationResult(kid, { alg: fields.alg, value }))
}

export async function random(call: Call): Promise<Reply> {
  const count = readRandomCount(await call.body())
  return ok({ value: base64Url(call.parts.ctx.random.bytes(count)) })
}

async function sealWith(call: Call, use: 'encrypt' | 'wrapKey'): Promise<Reply> {
  const { kid, material, fields } = await prepare(call, use)
  const { value, iv, tag } = seal(material, inputOf(fields), use, call.parts.ctx.random)
  return ok(
    call.personality.operationResult(kid, {
      alg: fields.alg,
      value: base64Url(value),
      ...(iv === undefined ? {} : { iv: base64Url(iv) }),
      ...(tag === undefined ? {} : { tag: base64Url(tag) }),
    }),
  )
}

async function openWith(call: Call, use: 'decrypt' | 'unwrapKey'): Promise<Reply> {
  const { kid, material, fields } = await prepare(call, use)
  const { value } = open(material, inputOf(fields), use)
  return ok(call.personality.operationResult(kid, { alg: fields.alg, value: base64Url(value) }))
}

async function prepare(call: Call, operation: CryptoOperation) {
  const fields = readCrypto(await call.body())
  requireKnownAlgorithm(call.apiVersion, fields.alg)
  const { key, version } = requireVersion(call)
  requireUsable(version, operation, epochSeconds(call.parts.ctx.clock))
  const kid = keyId(call, key, version)
  requireCurve(kid, version, fields.alg)
  return { fields, kid, material: call.parts.keys.material(key, version) }
}

const CURVE_OF: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521', ES256K: 'P-256K' }

/** In the words of the live service. Algorithms of other kinds of keys are refused where they are used. */
function requireCurve(kid: string, { publicJwk: { crv } }: KeyVersion, alg: string): void {
  const wanted = Object.hasOwn(CURVE_OF, alg) ? CURVE_OF[alg] : undefined
  if (crv === undefined || wanted === undefined || crv === wanted) return
  throw badParameter(
    `Key and signing algorithm are incompatible. Key ${kid} uses curve '${crv}', and algorithm '${alg}' can only be used with curve '${wanted}'.`,
  )
}

/** Came with 2025-06-01-preview; an earlier version of the API has no such names. */
const LATER_ALGORITHMS = /^(HS(256|384|512)|CKM_AES_KEY_WRAP(_PAD)?)$/

function requireKnownAlgorithm(apiVersion: string, alg: string): void {
  if (!LATER_ALGORITHMS.test(alg) || has(apiVersion, 'hmac')) return
  throw badParameter(`The algorithm ${alg} is not supported under api-version ${apiVersion}`)
}

/** What made a secret may no longer make new ones, but whoever has something of it can still open and check that. */
const ALLOWED_OUTSIDE_LIFETIME: readonly CryptoOperation[] = ['decrypt', 'unwrapKey', 'verify']

function requireUsable(version: KeyVersion, operation: CryptoOperation, now: number): void {
  // The words are those that were reported of secrets, whose refusals differ in the noun alone.
  if (!version.enabled) throw forbidden(`Operation ${operation} is not allowed on a disabled key.`, 'KeyDisabled')
  if (!ALLOWED_OUTSIDE_LIFETIME.includes(operation)) {
    if (version.notBefore !== undefined && now < version.notBefore) {
      throw forbidden(`Operation ${operation} is not allowed on a not yet valid key.`, 'KeyNotYetValid')
    }
    if (version.expires !== undefined && now >= version.expires) {
      throw forbidden(`Operation ${operation} is not allowed on a expired key.`, 'KeyExpired')
    }
  }
  if (!version.keyOps.includes(operation)) {
    throw forbidden(`Operation ${operation} is not permitted on this key.`, 'KeyOperationForbidden')
  }
}

function inputOf(fields: CryptoFields): CryptoInput {
  const { iv, aad, tag } = fields
  return {
    alg: fields.alg,
    value: required(fields, 'value'),
    ...(iv === undefined ? {} : { iv: bytesOf(iv, 'iv') }),
    ...(aad === undefined ? {} : { aad: bytesOf(aad, 'aad') }),
    ...(tag === undefined ? {} : { tag: bytesOf(tag, 'tag') }),
  }
}

function required(fields: CryptoFields, name: 'value' | 'digest'): Buffer {
  const text = fields[name]
  if (text === undefined) throw badParameter(`Property ${name} is required`)
  return bytesOf(text, name)
}
