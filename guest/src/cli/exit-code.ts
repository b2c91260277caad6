import { constants } from 'node:os'
import { AttestationError } from '../attest/errors.ts'
import { SnpDeviceError } from '../device/errors.ts'
import { InvalidArgumentError } from '../http/endpoint.ts'
import { UpstreamError } from '../http/upstream.ts'
import { IdentityError } from '../identity/vault-token.ts'
import { AttestationTokenError } from '../maa/token-error.ts'
import { KeyReleaseError } from '../skr/errors.ts'
import { SecurityContextError } from '../uvm/security-context.ts'

/** What a script learns from the exit code. */
export const EXIT = {
  failed: 1,
  /** A flag is missing or wrong. */
  usage: 2,
  /** No SNP device, or it refused. */
  device: 3,
  /** No attestation: evidence, certificates, or the attestation service refused. */
  attestation: 4,
  /** No key: identity, vault, or its answer was not accepted. */
  release: 5,
  /** The same may pass later (EX_TEMPFAIL of sysexits.h): out of reach, busy, throttled. */
  later: 75,
  /** As shells have it: the program cannot be run, or is not there. */
  notExecutable: 126,
  notFound: 127,
} as const

export function exitCodeOf(error: unknown): number {
  if (error instanceof InvalidArgumentError) return EXIT.usage
  if (error instanceof SnpDeviceError) return error.retry === 'again' ? EXIT.later : EXIT.device
  if (error instanceof UpstreamError) return upstreamExitCode(error)
  if (error instanceof AttestationError || error instanceof AttestationTokenError) return EXIT.attestation
  if (error instanceof SecurityContextError) return EXIT.attestation
  if (error instanceof KeyReleaseError || error instanceof IdentityError) return EXIT.release
  return EXIT.failed
}

function upstreamExitCode({ code, status = 0, service }: UpstreamError): number {
  if (code === 'ERR_UPSTREAM_UNREACHABLE' || status === 429 || status >= 500) return EXIT.later
  return service.startsWith('vault ') ? EXIT.release : EXIT.attestation
}

/** What shells say of a program that a signal ended. */
export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}
