import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { derToPem, pemToDer } from '@skerry/guest/wire'
import type { EmulatorContext } from '../core/index.ts'
import { buildCertificate } from '../x509/certificate.ts'
import { distinguishedName } from '../x509/names.ts'

/** The key that signs access tokens, with the self-signed certificate that the key set shows. */
export interface TokenSigner {
  readonly privateKey: KeyObject
  /** Base64url SHA-1 of the certificate: Entra writes the same value as `kid` and as `x5t`. */
  readonly kid: string
  /** One member of the JWKS (RFC 7517), as Entra writes it. */
  readonly jwk: Readonly<Record<string, unknown>>
}

const YEAR_MS = 365 * 24 * 3600 * 1000

const signers = new WeakMap<EmulatorContext, Promise<TokenSigner>>()

/** The signer of this emulator's tenant; made once, kept with `ctx.keys`. */
export function tokenSigner(ctx: EmulatorContext): Promise<TokenSigner> {
  let signer = signers.get(ctx)
  if (signer === undefined) {
    signer = makeSigner(ctx)
    signers.set(ctx, signer)
    signer.catch(() => signers.delete(ctx))
  }
  return signer
}

async function makeSigner(ctx: EmulatorContext): Promise<TokenSigner> {
  const privateKey = await ctx.keys.rsa('entra-token', 2048)
  const publicKey = createPublicKey(privateKey)
  const spki = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
  const pem = await ctx.keys.file(`entra-token-${spki.slice(0, 16)}.pem`, async () => {
    const name = distinguishedName([['CN', 'Skerry emulator, not Microsoft Entra']])
    const notBefore = Math.floor((ctx.clock.now() - YEAR_MS) / 1000) * 1000
    const content = {
      serial: BigInt(`0x40${ctx.random.bytes(15).toString('hex')}`),
      subject: name,
      issuer: name,
      notBefore: new Date(notBefore),
      notAfter: new Date(notBefore + 10 * YEAR_MS),
      publicKey,
      extensions: [],
    }
    return derToPem(buildCertificate(content, privateKey, 'rsa-sha256'))
  })
  const certificate = Buffer.from(pemToDer(pem)[0]!)
  const kid = createHash('sha1').update(certificate).digest('base64url')
  const { n, e } = publicKey.export({ format: 'jwk' })
  return {
    privateKey,
    kid,
    jwk: { kty: 'RSA', use: 'sig', kid, x5t: kid, n, e, x5c: [certificate.toString('base64')] },
  }
}
