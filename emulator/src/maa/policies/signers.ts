import type { X509Certificate } from 'node:crypto'
import { encodeBase64 } from '@skerry/guest/wire'
import type { EmulatorContext } from '../../core/index.ts'
import { AttestationError } from '../errors.ts'
import { readX5c, type Signer, signerJwk } from './policy-jws.ts'
import { signerStore } from './state.ts'

/** Who may sign policies here, as the answer to GET has them. */
export function listSigners(ctx: EmulatorContext, host: string): { keys: Record<string, unknown>[] } {
  return {
    keys: signerStore(ctx)
      .get(host)
      .map((chain) => signerJwk(signerOf(readX5c(chain)), true)),
  }
}

/** Whether one of these certificates is registered: the one that signed, or one that vouches for it. */
export function isRegistered(ctx: EmulatorContext, host: string, chain: readonly X509Certificate[]): boolean {
  const registered = new Set(
    signerStore(ctx)
      .get(host)
      .map(([leaf]) => leaf),
  )
  return encodedChain(chain).some((certificate) => registered.has(certificate))
}

/** A key in `policySigningCertificates` that has no certificates. */
export class PolicySignerError extends Error {
  readonly code = 'ERR_POLICY_SIGNER'
  constructor(message: string) {
    super(message)
    this.name = 'PolicySignerError'
  }
}

/**
 * Registers whom a new isolated provider begins with: JSON Web Keys with `x5c`.
 * @throws PolicySignerError
 */
export function registerSigners(ctx: EmulatorContext, host: string, keys: readonly unknown[]): void {
  const chains = keys.map((key, at) => {
    try {
      return encodedChain(readX5c((key as { x5c?: unknown } | null)?.x5c))
    } catch (error) {
      if (!(error instanceof AttestationError)) throw error
      throw new PolicySignerError(`policySigningCertificates.keys[${at}] must have x5c: certificates in base64.`)
    }
  })
  signerStore(ctx).put(host, chains)
}

/** DER in standard base64. */
export const encodedChain = (chain: readonly X509Certificate[]): string[] =>
  chain.map((certificate) => encodeBase64(certificate.raw))

function signerOf(chain: X509Certificate[]): Signer {
  return { keyType: chain[0]!.publicKey.asymmetricKeyType === 'ec' ? 'EC' : 'RSA', chain }
}
