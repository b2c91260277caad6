import { decodeHex, encodeHex } from '@skerry/guest/wire'
import { requireText } from './fields.ts'

/**
 * What a verifier of quotes must know beside the quote: the state of the platform's TCB, the identity of the quoting
 * enclave, and what was revoked. Source: Intel "SGX DCAP Quote Verification Library", `sgx_ql_qve_collateral_t`.
 */
export interface SgxCollateral {
  /** DER, signed by the root. */
  readonly rootCaCrl: Uint8Array
  /** PEM: the issuer of the PCK certificate, root. */
  readonly pckCrlIssuerChain: string
  /** DER, signed by the issuer of the PCK certificate. */
  readonly pckCrl: Uint8Array
  /** PEM, leaf first. */
  readonly tcbInfoIssuerChain: string
  /** The signed text: the value of the member `tcbInfo` of Intel's answer, to the byte. */
  readonly tcbInfo: string
  /** 64 bytes, r and s. */
  readonly tcbInfoSignature: Uint8Array
  /** PEM, leaf first. */
  readonly qeIdentityIssuerChain: string
  /** The signed text: the value of the member `enclaveIdentity` of Intel's answer, to the byte. */
  readonly qeIdentity: string
  /** 64 bytes, r and s. */
  readonly qeIdentitySignature: Uint8Array
}

/** The same as other verifiers keep it in JSON: lists and signatures in hexadecimal, members with underscores. */
export type SgxCollateralDocument = Readonly<
  Record<
    | 'root_ca_crl'
    | 'pck_crl_issuer_chain'
    | 'pck_crl'
    | 'tcb_info_issuer_chain'
    | 'tcb_info'
    | 'tcb_info_signature'
    | 'qe_identity_issuer_chain'
    | 'qe_identity'
    | 'qe_identity_signature',
    string
  >
>

export function collateralDocument(collateral: SgxCollateral): SgxCollateralDocument {
  return {
    root_ca_crl: encodeHex(collateral.rootCaCrl),
    pck_crl_issuer_chain: collateral.pckCrlIssuerChain,
    pck_crl: encodeHex(collateral.pckCrl),
    tcb_info_issuer_chain: collateral.tcbInfoIssuerChain,
    tcb_info: collateral.tcbInfo,
    tcb_info_signature: encodeHex(collateral.tcbInfoSignature),
    qe_identity_issuer_chain: collateral.qeIdentityIssuerChain,
    qe_identity: collateral.qeIdentity,
    qe_identity_signature: encodeHex(collateral.qeIdentitySignature),
  }
}

/** @throws WireError `ERR_SGX_COLLATERAL`, `ERR_HEX` */
export function readCollateralDocument(document: Readonly<Record<string, unknown>>): SgxCollateral {
  const text = (name: keyof SgxCollateralDocument) => requireText(document, name)
  return {
    rootCaCrl: decodeHex(text('root_ca_crl')),
    pckCrlIssuerChain: text('pck_crl_issuer_chain'),
    pckCrl: decodeHex(text('pck_crl')),
    tcbInfoIssuerChain: text('tcb_info_issuer_chain'),
    tcbInfo: text('tcb_info'),
    tcbInfoSignature: decodeHex(text('tcb_info_signature')),
    qeIdentityIssuerChain: text('qe_identity_issuer_chain'),
    qeIdentity: text('qe_identity'),
    qeIdentitySignature: decodeHex(text('qe_identity_signature')),
  }
}
