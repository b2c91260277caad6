import { type Call, ok, type Reply } from '../call.ts'
import { base64Url } from '../encoding.ts'
import { keyBundle, keyId } from '../personality/views.ts'
import { isHardware } from '../rules/key-types.ts'
import { requireVersion } from './lookup.ts'

/** Not a version that a vendor ever gave its statements. */
const NO_REAL_VERSION = '0.0-skerry'

/**
 * The key with what its HSM would state about it ("Managed HSM key attestation"). There is no HSM: the shape is Azure's,
 * and every byte in it says that it is not real. The statements are sentences, and the certificate is the emulator's own
 * authority, whose subject names it. A software key of a vault has nothing that could state anything.
 */
export function attestation(call: Call): Reply {
  const { key, version } = requireVersion(call)
  const bundle = keyBundle(call, key, version)
  if (!isHardware(version.kty)) return ok(bundle)
  const kid = keyId(call, key, version)
  const attested = {
    certificatePemFile: base64Url(Buffer.from(call.parts.ctx.authority.rootPem, 'utf8')),
    privateKeyAttestation: statement('private', kid),
    // A symmetric key has no public part.
    ...(version.kty === 'oct-HSM' ? {} : { publicKeyAttestation: statement('public', kid) }),
    version: NO_REAL_VERSION,
  }
  return ok({ ...bundle, attributes: { ...bundle.attributes, attestation: attested } })
}

const statement = (part: string, kid: string): string =>
  base64Url(
    Buffer.from(
      `Not an attestation: Skerry emulates ${kid} in software, and no HSM vouches for its ${part} part.`,
      'utf8',
    ),
  )
