import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { concatBytes, decodeBase64Url, decodeSgxQuote, encodeUtf8, SGX_QUOTE_SIGNED_SIZE } from '@skerry/guest/wire'
import { createTestContext } from '../../core/test-context.ts'
import type { SgxCollateral } from './collateral.ts'
import { createSgxPlatform } from './platform.ts'
import { ownSgxRoot } from './trust.ts'
import type { EnclaveOptions } from './types.ts'
import { createQuoteVerifier, type QuoteEvidence, type QuoteFindings } from './verifier.ts'

/* For the tests of this folder: quotes of the virtual platform, altered and signed again where the test wants it. */

export const RUNTIME_DATA = { data: encodeUtf8('{ "keys": [] }\n'), dataType: 'JSON' } as const
export const RUNTIME_DIGEST = new Uint8Array(createHash('sha256').update(RUNTIME_DATA.data).digest())

export interface VerifyOptions {
  readonly baseline?: string
  readonly at?: number
  /** In place of the platform's own. */
  readonly collateral?: (own: SgxCollateral) => SgxCollateral | undefined
}

export function createEnclaveWorld() {
  const world = createTestContext()
  const { ctx } = world
  const platform = createSgxPlatform(ctx)
  const verify = async (evidence: QuoteEvidence, options: VerifyOptions = {}): Promise<QuoteFindings> => {
    const root = await ownSgxRoot(platform)
    const { collateral = (own) => own } = options
    const source = async (query: Parameters<NonNullable<typeof root.collateral>>[0]) => {
      const own = await root.collateral!(query)
      return own === undefined ? undefined : collateral(own)
    }
    const verifier = createQuoteVerifier(async () => ({ roots: [{ ...root, collateral: source }] }))
    return verifier.verify(evidence, options.baseline ?? 'azuredefault', options.at ?? ctx.clock.now())
  }
  return {
    world,
    ctx,
    platform,
    verify,
    /** A quote for `RUNTIME_DATA`. */
    quote: (options?: EnclaveOptions) => platform.launch(options).quote(RUNTIME_DIGEST),
    /** The names of the checks that were not met. */
    unmet: async (evidence: QuoteEvidence, options?: VerifyOptions): Promise<string[]> =>
      (await verify(evidence, options)).checks.filter(({ met }) => !met).map(({ name }) => name),
    keys: {
      attestation: () => ctx.keys.ec('sgx-attestation', 'P-256'),
      signing: () => ctx.keys.ec('sgx-tcb-signing', 'P-256'),
      root: () => ctx.keys.ec('sgx-root', 'P-256'),
      ca: () => ctx.keys.ec('sgx-pck-ca', 'P-256'),
    },
  }
}

/** The same bytes with one bit of one byte turned. */
export function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[at] = copy[at]! ^ 1
  return copy
}

/** Where the parts of a quote begin. Source: Intel "SGX ECDSA Quote Library Reference". */
export const AT = {
  signature: 436,
  attestationKey: 500,
  qeReport: 564,
  qeSignature: 948,
  authSize: 1012,
  authData: 1014,
  certificationType: 1046,
  certificationSize: 1048,
  certificates: 1052,
} as const

/** The quote with its signed content changed, and signed again by that key. */
export function resigned(quote: Uint8Array, key: KeyObject, change: (content: Uint8Array) => void): Uint8Array {
  const copy = Uint8Array.from(quote)
  change(copy.subarray(0, SGX_QUOTE_SIGNED_SIZE))
  copy.set(signBytes(copy.subarray(0, SGX_QUOTE_SIGNED_SIZE), key), AT.signature)
  return copy
}

/** The quote with other certificates, whose lengths are right. */
export function withCertificates(quote: Uint8Array, pem: string): Uint8Array {
  const certificates = encodeUtf8(pem)
  const copy = concatBytes(quote.subarray(0, AT.certificates), certificates)
  const view = new DataView(copy.buffer)
  view.setUint32(AT.certificationSize, certificates.length, true)
  view.setUint32(432, copy.length - 436, true)
  return copy
}

export function certificatesOf(quote: Uint8Array): string {
  return new TextDecoder().decode(decodeSgxQuote(quote).certificationData).replace('\0', '')
}

export function signBytes(bytes: Uint8Array, key: KeyObject): Uint8Array {
  return new Uint8Array(sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }))
}

/** x and y, 64 bytes. */
export function pointOf(key: KeyObject): Uint8Array {
  const { x, y } = createPublicKey(createPrivateKey(key.export({ type: 'pkcs8', format: 'pem' }))).export({
    format: 'jwk',
  })
  return concatBytes(decodeBase64Url(x!), decodeBase64Url(y!))
}
