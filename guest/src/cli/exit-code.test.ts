import { describe, expect, it } from 'vitest'
import { AttestationError } from '../attest/errors.ts'
import { SnpDeviceError } from '../device/errors.ts'
import { InvalidArgumentError } from '../http/endpoint.ts'
import { UpstreamError } from '../http/upstream.ts'
import { IdentityError } from '../identity/vault-token.ts'
import { AttestationTokenError } from '../maa/token-error.ts'
import { KeyReleaseError } from '../skr/errors.ts'
import { SecurityContextError } from '../uvm/security-context.ts'
import { exitCodeOf, exitCodeOfSignal } from './exit-code.ts'

const upstream = (service: string, status: number) => new UpstreamError('ERR_UPSTREAM_STATUS', service, 'x', { status })

describe('the exit code', () => {
  it.each([
    ['a wrong flag', new InvalidArgumentError('--x', 'is wrong'), 2],
    ['no device', new SnpDeviceError('ERR_SNP_DEVICE_MISSING', 'x'), 3],
    ['a busy device', new SnpDeviceError('ERR_SNP_BUSY', 'x', { retry: 'again' }), 75],
    ['certificates that do not fit', new AttestationError('ERR_TCB_MISMATCH', 'x'), 4],
    ['a broken security context', new SecurityContextError('f', 'x'), 4],
    ['a token that does not verify', new AttestationTokenError('ERR_TOKEN_SIGNATURE', 'x'), 4],
    ['a refusal of the attestation service', upstream('MAA x', 400), 4],
    ['a refusal of the vault', upstream('vault x', 403), 5],
    ['an answer of the vault that is not accepted', new KeyReleaseError('ERR_RELEASE_CHAIN', 'x'), 5],
    ['no identity', new IdentityError('x', undefined), 5],
    ['a throttle', upstream('vault x', 429), 75],
    ['a service in trouble', upstream('MAA x', 503), 75],
    ['a service out of reach', new UpstreamError('ERR_UPSTREAM_UNREACHABLE', 'THIM', 'x'), 75],
    ['anything else', new Error('x'), 1],
  ])('of %s is its own', (_what, error, code) => {
    expect(exitCodeOf(error)).toBe(code)
  })

  it('of a signal is that of shells', () => {
    expect([exitCodeOfSignal('SIGTERM'), exitCodeOfSignal('SIGKILL')]).toEqual([143, 137])
  })
})
