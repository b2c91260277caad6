/**
 * The vault's answer to a release was not accepted:
 * - `ERR_RELEASE_JWS`: not a JWS with a certificate chain, or its certificate is unfit to sign it;
 * - `ERR_RELEASE_ALGORITHM`: signed with an algorithm that is not allowed;
 * - `ERR_RELEASE_CHAIN`: the chain does not lead to a trusted root, or something in it is not valid now;
 * - `ERR_RELEASE_HOST_NAME`: the certificate is of another host than was asked;
 * - `ERR_RELEASE_SIGNATURE`: the signature does not verify;
 * - `ERR_RELEASE_PAYLOAD`: signed, but not an answer to this request;
 * - `ERR_RELEASE_UNWRAP`: the wrapped key cannot be opened, or is not the key that the answer describes.
 */
export class KeyReleaseError extends Error {
  /** Stable; see above. */
  readonly code:
    | 'ERR_RELEASE_JWS'
    | 'ERR_RELEASE_ALGORITHM'
    | 'ERR_RELEASE_CHAIN'
    | 'ERR_RELEASE_HOST_NAME'
    | 'ERR_RELEASE_SIGNATURE'
    | 'ERR_RELEASE_PAYLOAD'
    | 'ERR_RELEASE_UNWRAP'

  constructor(code: KeyReleaseError['code'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'KeyReleaseError'
    this.code = code
  }
}
