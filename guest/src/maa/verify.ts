import { AttestationError } from '../attest/errors.ts'
import { type Clock, systemClock } from '../clock.ts'
import { parseEndpoint } from '../http/endpoint.ts'
import { type Fetch, globalFetch, reasonOf, requestJson } from '../http/upstream.ts'

export interface VerifyAttestationTokenOptions {
  /** The provider that must have issued it. Keys come from there, never from where the token points. */
  readonly maaEndpoint: string
  readonly fetch?: Fetch
  readonly clock?: Clock
}

interface SigningKey {
  readonly kid?: string
  readonly x5c?: readonly string[]
}

/**
 * Verifies a token of Microsoft Azure Attestation: RS256 by a key of the provider's `/certs` (picked by `kid`, taken
 * from its certificate: the service publishes no modulus), issuer, expiry and not-before with a minute of slack.
 * @returns the claims
 * @throws AttestationError `ERR_ATTESTATION_TOKEN`; UpstreamError
 */
export async function verifyAttestationToken(
  token: string,
  options: VerifyAttestationTokenOptions,
): Promise<Record<string, unknown>> {
  const { fetch = globalFetch, clock = systemClock } = options
  const endpoint = parseEndpoint('maa_endpoint', options.maaEndpoint)
  const { importX509, jwtVerify } = await import('jose')
  const set = (await requestJson(fetch, `MAA ${endpoint.host}`, `${endpoint.url}/certs`, {})) as {
    keys?: readonly SigningKey[]
  }
  try {
    const { payload } = await jwtVerify(
      token,
      async (header) => {
        const certificate = set.keys?.find((key) => key.kid === header.kid && header.kid !== undefined)?.x5c?.[0]
        if (certificate === undefined) throw new Error('its key is not among those that the provider publishes')
        return await importX509(`-----BEGIN CERTIFICATE-----\n${certificate}\n-----END CERTIFICATE-----`, 'RS256')
      },
      {
        issuer: endpoint.url,
        algorithms: ['RS256'],
        currentDate: new Date(clock.now()),
        clockTolerance: 60,
        requiredClaims: ['exp'],
      },
    )
    return payload
  } catch (cause) {
    throw new AttestationError(
      'ERR_ATTESTATION_TOKEN',
      `the attestation token does not verify: ${reasonOf(cause)}`,
      cause,
    )
  }
}
