import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { buildCertificate } from '../x509/certificate.ts'
import {
  authorityKeyIdentifier,
  caConstraints,
  extendedKeyUsage,
  keyUsage,
  subjectKeyIdentifier,
} from '../x509/extensions.ts'
import { distinguishedName } from '../x509/names.ts'

/**
 * The chain under the emulator's own UVM endorsements: leaf, issuing CA, root, as Azure's has three. Nothing in it is
 * AMD's or Microsoft's, and the names say so.
 */

/** The purpose that the issuer's DID asks of the leaf. Arc of the example enterprise number of RFC 5612. */
export const UVM_ENDORSEMENT_EKU = '1.3.6.1.4.1.32473.8.1'

const ORGANIZATION = 'Skerry emulator, not Microsoft Azure'
const YEAR_MS = 365.25 * 24 * 3600 * 1000
const LEAF_AGE_YEARS = 1

export interface UvmKeys {
  readonly root: KeyObject
  readonly issuing: KeyObject
  readonly leaf: KeyObject
}

/** Leaf first, self-signed root last; DER. The keys are private RSA keys. */
export function buildUvmChain(
  keys: UvmKeys,
  serials: readonly [bigint, bigint, bigint],
  now: number,
): readonly Buffer[] {
  const publicKeys = {
    root: createPublicKey(keys.root),
    issuing: createPublicKey(keys.issuing),
    leaf: createPublicKey(keys.leaf),
  }
  const names = {
    root: subject('Skerry emulator UVM root'),
    issuing: subject('Skerry emulator UVM issuing CA'),
    leaf: subject('Skerry emulator ContainerPlat'),
  }
  const root = buildCertificate(
    {
      serial: serials[0],
      subject: names.root,
      issuer: names.root,
      ...validity(now, 4, 20),
      publicKey: publicKeys.root,
      extensions: [keyUsage('keyCertSign', 'cRLSign'), caConstraints(), subjectKeyIdentifier(publicKeys.root)],
    },
    keys.root,
    'rsa-sha384',
  )
  const issuing = buildCertificate(
    {
      serial: serials[1],
      subject: names.issuing,
      issuer: names.root,
      ...validity(now, 4, 15),
      publicKey: publicKeys.issuing,
      extensions: [
        keyUsage('keyCertSign', 'cRLSign'),
        caConstraints(0),
        subjectKeyIdentifier(publicKeys.issuing),
        authorityKeyIdentifier(publicKeys.root),
      ],
    },
    keys.root,
    'rsa-sha384',
  )
  const leaf = buildCertificate(
    {
      serial: serials[2],
      subject: names.leaf,
      issuer: names.issuing,
      ...validity(now, LEAF_AGE_YEARS, 10),
      publicKey: publicKeys.leaf,
      extensions: [
        keyUsage('digitalSignature'),
        extendedKeyUsage(UVM_ENDORSEMENT_EKU),
        subjectKeyIdentifier(publicKeys.leaf),
        authorityKeyIdentifier(publicKeys.issuing),
      ],
    },
    keys.issuing,
    'rsa-sha384',
  )
  return [leaf, issuing, root]
}

function subject(commonName: string) {
  return distinguishedName([
    ['O', ORGANIZATION],
    ['CN', commonName],
  ])
}

function validity(now: number, ageYears: number, years: number) {
  const notBefore = Math.floor((now - ageYears * YEAR_MS) / 1000) * 1000
  return { notBefore: new Date(notBefore), notAfter: new Date(notBefore + years * YEAR_MS) }
}

/** When that leaf was made, milliseconds since the epoch: then its whole chain is valid. */
export function uvmSigningTime(leafDer: Uint8Array): number {
  return new X509Certificate(leafDer).validFromDate.getTime() + LEAF_AGE_YEARS * YEAR_MS
}
