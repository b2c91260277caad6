import { constants, type KeyObject, sign } from 'node:crypto'
import { AlgorithmIdentifier } from '@peculiar/asn1-x509'

/**
 * How a certificate or a list is signed. The two PSS forms differ in one thing: whether the default trailer field is
 * written (AMD's CA certificates and older VCEKs do; newer VCEKs omit it, as DER asks).
 */
export type CertificateSignature =
  | 'ecdsa-sha256'
  | 'rsa-sha256'
  | 'rsa-sha384'
  | 'rsa-pss-sha384'
  | 'rsa-pss-sha384-trailer'

const RSASSA_PSS = '1.2.840.113549.1.1.10'

/** RSASSA-PSS-params (RFC 4055, 3.1): SHA-384, MGF1 with SHA-384, salt of 48 bytes. */
const PSS_SHA384 =
  'a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130'
const TRAILER = 'a303020101'

export function signatureAlgorithm(signature: CertificateSignature): AlgorithmIdentifier {
  switch (signature) {
    case 'ecdsa-sha256':
      return new AlgorithmIdentifier({ algorithm: '1.2.840.10045.4.3.2' })
    case 'rsa-sha256':
      return new AlgorithmIdentifier({ algorithm: '1.2.840.113549.1.1.11', parameters: null })
    case 'rsa-sha384':
      return new AlgorithmIdentifier({ algorithm: '1.2.840.113549.1.1.12', parameters: null })
    case 'rsa-pss-sha384':
      return new AlgorithmIdentifier({ algorithm: RSASSA_PSS, parameters: derSequence(PSS_SHA384) })
    case 'rsa-pss-sha384-trailer':
      return new AlgorithmIdentifier({ algorithm: RSASSA_PSS, parameters: derSequence(PSS_SHA384 + TRAILER) })
  }
}

export function signBytes(signature: CertificateSignature, bytes: Uint8Array, key: KeyObject): Uint8Array<ArrayBuffer> {
  switch (signature) {
    case 'ecdsa-sha256':
    case 'rsa-sha256':
      return Uint8Array.from(sign('sha256', bytes, key))
    case 'rsa-sha384':
      return Uint8Array.from(sign('sha384', bytes, key))
    default:
      return Uint8Array.from(sign('sha384', bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }))
  }
}

function derSequence(contentHex: string): ArrayBuffer {
  const content = Buffer.from(contentHex, 'hex')
  return Uint8Array.of(0x30, content.length, ...content).buffer
}
