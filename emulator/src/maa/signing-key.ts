import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { derToPem, encodeBase64, pemToDer } from '@skerry/guest/wire'
import type { EmulatorContext } from '../core/index.ts'
import { buildCertificate } from '../x509/certificate.ts'
import { distinguishedName } from '../x509/names.ts'
import { currentRing } from './key-ring.ts'
import { evidenceExtensions, type ServiceEvidence } from './service-evidence.ts'

/** A key that signs, or signed, the tokens of every provider of this emulator. */
export interface SigningKey {
  readonly privateKey: KeyObject
  /** Standard base64, padded. */
  readonly kid: string
}

/** Worked out once for each key. */
const signingKeys = new WeakMap<KeyObject, SigningKey>()

/** The key that signs now. */
export async function signingKey(ctx: EmulatorContext): Promise<SigningKey> {
  return await keyOf(ctx, currentRing(ctx).generation)
}

async function keyOf(ctx: EmulatorContext, generation: number): Promise<SigningKey> {
  const privateKey = await ctx.keys.rsa(generation === 0 ? 'maa-signing' : `maa-signing-${generation}`, 2048)
  const known = signingKeys.get(privateKey) ?? { privateKey, kid: keyIdOf(createPublicKey(privateKey)) }
  signingKeys.set(privateKey, known)
  return known
}

/**
 * `kid` of an attestation service's own key: standard base64 of SHA-256 over the PEM of the SubjectPublicKeyInfo and
 * one zero byte (checked against a JWKS of the real service).
 */
export function keyIdOf(publicKey: KeyObject): string {
  const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string
  return createHash('sha256').update(`${pem}\0`).digest('base64')
}

/** The certificate's dates, as the service had them in 2021 and 2023. */
const NOT_BEFORE = '2019-05-01T00:00:00Z'
const NOT_AFTER = '2050-12-31T23:59:59Z'

/**
 * The self-signed certificate of a signing key under a provider's name, in DER, with the evidence of where the key lives.
 * Kept beside the key, under a name that changes with it.
 */
async function signingCertificate(
  ctx: EmulatorContext,
  issuer: string,
  { privateKey, kid }: SigningKey,
  evidence: ServiceEvidence | undefined,
): Promise<Uint8Array> {
  const mark = createHash('sha256').update(`${kid} ${issuer} ${evidence?.tee}`).digest('hex').slice(0, 16)
  const pem = await ctx.keys.file(`maa-signing-${mark}.pem`, async () => {
    const name = distinguishedName([
      ['O', 'Skerry emulator'],
      ['CN', issuer],
    ])
    const der = buildCertificate(
      {
        serial: 1n,
        subject: name,
        issuer: name,
        notBefore: new Date(NOT_BEFORE),
        notAfter: new Date(NOT_AFTER),
        publicKey: createPublicKey(privateKey),
        extensions: evidence === undefined ? [] : await evidenceExtensions(evidence, Buffer.from(kid, 'base64')),
      },
      privateKey,
      'rsa-sha256',
    )
    return derToPem(der)
  })
  return pemToDer(pem)[0]!
}

/**
 * The JWK set of a provider, newest key first: the one that signs, and those that signed until not long ago. Members and
 * order as the service has them: a key itself stands only in `x5c`.
 */
export async function jwks(
  ctx: EmulatorContext,
  issuer: string,
  evidence: ServiceEvidence | undefined,
): Promise<{ keys: unknown[] }> {
  const { generation, retired } = currentRing(ctx)
  const generations = [generation, ...retired.map((one) => one.generation)]
  const keys = generations.map(async (one) => {
    const key = await keyOf(ctx, one)
    const certificate = await signingCertificate(ctx, issuer, key, evidence)
    return { x5c: [encodeBase64(certificate)], kid: key.kid, kty: 'RSA' }
  })
  return { keys: await Promise.all(keys) }
}
