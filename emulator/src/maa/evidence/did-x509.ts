import {
  type DidX509Document,
  didX509Document,
  leafUses,
  matchDidX509,
  parseDidX509,
  WireError,
} from '@skerry/guest/wire'
import { pathFault } from './certificate-path.ts'
import { readCertificate } from './certificates.ts'

const REFUSED = 'ERR_DID_X509'

/**
 * Resolves a did:x509 against a chain. Source: Microsoft, "did:x509 Method Specification", Resolve; the messages are
 * those of its test vectors.
 * @param chainDers leaf first, trust anchor last
 * @throws WireError `ERR_DID_X509`, `ERR_CERTIFICATE`
 */
export async function resolveDidX509(did: string, chainDers: readonly Uint8Array[]): Promise<DidX509Document> {
  if (chainDers.length < 2) {
    throw new WireError(REFUSED, 'Certificate chain must contain at least two certificates.', 'chain')
  }
  parseDidX509(did)
  const path = chainDers.map(read)
  const fault = pathFault(path)
  if (fault !== undefined) {
    throw new WireError(
      REFUSED,
      fault.endsWith('.') ? fault : `Certificate chain verification failed: ${fault}.`,
      'chain',
    )
  }
  await matchDidX509(did, chainDers)
  leafUses(chainDers[0]!)
  const jwk = path[0]!.publicKey.export({ format: 'jwk' }) as Record<string, string>
  return didX509Document(did, chainDers[0]!, jwk)
}

function read(der: Uint8Array) {
  try {
    return readCertificate(der)
  } catch (cause) {
    throw new WireError('ERR_CERTIFICATE', 'not an X.509 certificate in DER', 'chain', { cause })
  }
}
