import type { AttestationType } from '../attestation-types.ts'

/*
 * What a provider has until somebody sets another policy. The texts are exact: their hashes are in every token. Source:
 * tokens and policies of shared providers (SEV-SNP 2023 to 2025, SGX 2023).
 */

const PERMIT_ALL = 'version= 1.0;authorizationrules{=> permit();};'

const SGX =
  'version= 1.1;' +
  'configurationrules{=> issueproperty(type="x-ms-sgx-tcbidentifier", value="azuredefault");};' +
  'authorizationrules{=> permit();};' +
  'issuancerules{' +
  'c:[type=="x-ms-sgx-is-debuggable"] => issue(type="is-debuggable", value=c.value);' +
  'c:[type=="x-ms-sgx-mrsigner"] => issue(type="sgx-mrsigner", value=c.value);' +
  'c:[type=="x-ms-sgx-mrenclave"] => issue(type="sgx-mrenclave", value=c.value);' +
  'c:[type=="x-ms-sgx-product-id"] => issue(type="product-id", value=c.value);' +
  'c:[type=="x-ms-sgx-svn"] => issue(type="svn", value=c.value);' +
  'c:[type=="x-ms-attestation-type"] => issue(type="tee", value=c.value);' +
  '};'

/**
 * `text`; `none` where Azure has none, so that nothing is attested until a policy is set; `unknown` where it has one that
 * nobody published.
 */
export type DefaultPolicy = { readonly text: string } | 'none' | 'unknown'

export const DEFAULT_POLICIES: Readonly<Record<AttestationType, DefaultPolicy>> = {
  SevSnpVm: { text: PERMIT_ALL },
  TdxVm: { text: PERMIT_ALL },
  SgxEnclave: { text: SGX },
  OpenEnclave: { text: SGX },
  AzureGuest: 'unknown',
  Tpm: 'none',
}
