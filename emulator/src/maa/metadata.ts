/** `GET /.well-known/openid-configuration`: members and order as recorded from the service. */
export function openIdConfiguration(issuer: string): Record<string, unknown> {
  return {
    response_types_supported: ['token', 'none'],
    id_token_signing_alg_values_supported: ['RS256'],
    revocation_endpoint: `${issuer}/revoke`,
    issuer,
    jwks_uri: `${issuer}/certs`,
    claims_supported: [
      'cnf',
      'nonce',
      'x-ms-ver',
      'x-ms-attestation-type',
      'x-ms-policy-hash',
      'x-ms-policy-signer',
      'x-ms-sgx-is-debuggable',
      'x-ms-sgx-mrenclave',
      'x-ms-sgx-mrsigner',
      'x-ms-sgx-svn',
      'x-ms-sgx-ehd',
      'x-ms-sgx-collateral',
      'is-debuggable',
      'sgx-mrsigner',
      'sgx-mrenclave',
      'product-id',
      'svn',
      'tee',
    ],
  }
}
