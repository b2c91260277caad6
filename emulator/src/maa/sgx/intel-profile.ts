import { createHash, type KeyObject } from 'node:crypto'
import { AsnArray, AsnConvert, AsnType, AsnTypeTypes, OctetString } from '@peculiar/asn1-schema'
import { AlgorithmIdentifier } from '@peculiar/asn1-x509'
import { PCK_OIDS, type PckExtensions, SGX_EXTENSIONS_OID } from '@skerry/guest/wire'
import { buildCertificate, buildRevocationList, type RevokedCertificate } from '../../x509/certificate.ts'
import {
  authorityKeyIdentifier,
  caConstraints,
  crlDistributionPoint,
  crlNumber,
  keyUsage,
  leafConstraints,
  rawExtension,
  subjectKeyIdentifier,
} from '../../x509/extensions.ts'
import { distinguishedName } from '../../x509/names.ts'

/*
 * The certificates of Intel's "SGX PCK Certificate and Certificate Revocation List Profile Specification", field for
 * field. Verifiers compare the names, so these stay Intel's own; what tells this root from Intel's is its key, which is
 * what every verifier must pin.
 */

export const SGX_NAMES = {
  root: 'Intel SGX Root CA',
  processorCa: 'Intel SGX PCK Processor CA',
  platformCa: 'Intel SGX PCK Platform CA',
  pck: 'Intel SGX PCK Certificate',
  tcbSigning: 'Intel SGX TCB Signing',
} as const

const ROOT_CRL_URI = 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der'
const PCK_CRL_URI = 'https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=processor&encoding=der'
const YEAR_MS = 365.25 * 24 * 3600 * 1000

export interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

/** Self-signed, 31 years. Times in milliseconds since the epoch. */
export function buildSgxRoot(root: KeyPair, now: number): Buffer {
  return certificate(root.publicKey, SGX_NAMES.root, root, SGX_NAMES.root, { now, past: 8, years: 31 }, [
    crlDistributionPoint(ROOT_CRL_URI),
    subjectKeyIdentifier(root.publicKey),
    keyUsage('keyCertSign', 'cRLSign'),
    caConstraints(1),
  ])
}

/** What issues the PCK certificates of machines with one processor. */
export function buildPckCa(publicKey: KeyObject, root: KeyPair, now: number): Buffer {
  return certificate(publicKey, SGX_NAMES.processorCa, root, SGX_NAMES.root, { now, past: 8, years: 15 }, [
    crlDistributionPoint(ROOT_CRL_URI),
    subjectKeyIdentifier(publicKey),
    keyUsage('keyCertSign', 'cRLSign'),
    caConstraints(0),
  ])
}

/** The key of one platform at one TCB. */
export function buildPck(publicKey: KeyObject, extensions: PckExtensions, ca: KeyPair, now: number): Buffer {
  return certificate(publicKey, SGX_NAMES.pck, ca, SGX_NAMES.processorCa, { now, past: 1, years: 7 }, [
    crlDistributionPoint(PCK_CRL_URI),
    subjectKeyIdentifier(publicKey),
    keyUsage('digitalSignature', 'nonRepudiation'),
    leafConstraints(),
    rawExtension(SGX_EXTENSIONS_OID, pckExtensions(extensions)),
  ])
}

/** What signs TCB information and the identity of the quoting enclave. */
export function buildTcbSigning(publicKey: KeyObject, root: KeyPair, now: number): Buffer {
  return certificate(publicKey, SGX_NAMES.tcbSigning, root, SGX_NAMES.root, { now, past: 1, years: 7 }, [
    crlDistributionPoint(ROOT_CRL_URI),
    subjectKeyIdentifier(publicKey),
    keyUsage('digitalSignature', 'nonRepudiation'),
    leafConstraints(),
  ])
}

export interface SgxCrlContent {
  readonly thisUpdate: number
  readonly nextUpdate: number
  readonly revoked?: readonly RevokedCertificate[]
}

export function buildSgxCrl(name: 'root' | 'processorCa', issuer: KeyPair, content: SgxCrlContent): Buffer {
  return buildRevocationList(
    {
      issuer: intelName(SGX_NAMES[name]),
      thisUpdate: new Date(content.thisUpdate),
      nextUpdate: new Date(content.nextUpdate),
      ...(content.revoked !== undefined && { revoked: content.revoked }),
      extensions: [crlNumber(1), authorityKeyIdentifier(issuer.publicKey)],
    },
    issuer.privateKey,
    'ecdsa-sha256',
  )
}

/** The serial number of a key's certificate: as Intel's, the identifier of the key. */
export function serialOf(publicKey: KeyObject): bigint {
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  // The key bits are the last 65 bytes of a P-256 SubjectPublicKeyInfo.
  return BigInt(`0x${createHash('sha1').update(spki.subarray(-65)).digest('hex')}`)
}

interface Lifetime {
  readonly now: number
  readonly past: number
  readonly years: number
}

function certificate(
  publicKey: KeyObject,
  subject: string,
  issuer: KeyPair,
  issuerName: string,
  { now, past, years }: Lifetime,
  extensions: Parameters<typeof buildCertificate>[0]['extensions'],
): Buffer {
  const notBefore = now - past * YEAR_MS
  return buildCertificate(
    {
      serial: serialOf(publicKey),
      subject: intelName(subject),
      issuer: intelName(issuerName),
      notBefore: new Date(notBefore),
      notAfter: new Date(notBefore + years * YEAR_MS),
      publicKey,
      extensions: [authorityKeyIdentifier(issuer.publicKey), ...extensions],
    },
    issuer.privateKey,
    'ecdsa-sha256',
  )
}

function intelName(commonName: string) {
  return distinguishedName([
    ['CN', commonName],
    ['O', 'Intel Corporation'],
    ['L', 'Santa Clara'],
    ['ST', 'CA'],
    ['C', 'US'],
  ])
}

/** A pair of object identifier and any value has the form of an AlgorithmIdentifier. */
class Pairs extends AsnArray<AlgorithmIdentifier> {}
AsnType({ type: AsnTypeTypes.Sequence, itemType: AlgorithmIdentifier })(Pairs)

function pckExtensions(values: PckExtensions): Uint8Array {
  const pair = (algorithm: string, parameters: ArrayBuffer) => new AlgorithmIdentifier({ algorithm, parameters })
  const octets = (oid: string, bytes: Uint8Array) => pair(oid, AsnConvert.serialize(new OctetString(bytes)))
  const tcb = new Pairs([
    ...values.tcbComponents.map((svn, index) => pair(`${PCK_OIDS.tcbComponent}${index + 1}`, integer(0x02, svn))),
    pair(PCK_OIDS.pceSvn, integer(0x02, values.pceSvn)),
    octets(PCK_OIDS.cpuSvn, values.cpuSvn),
  ])
  const all = new Pairs([
    octets(PCK_OIDS.ppid, values.ppid),
    pair(PCK_OIDS.tcb, AsnConvert.serialize(tcb)),
    octets(PCK_OIDS.pceId, values.pceId),
    octets(PCK_OIDS.fmspc, values.fmspc),
    pair(PCK_OIDS.sgxType, integer(0x0a, values.sgxType)),
  ])
  return new Uint8Array(AsnConvert.serialize(all))
}

/** DER of a small number that is not negative. */
function integer(tag: number, value: number): ArrayBuffer {
  const bytes = value > 0xff ? [value >> 8, value & 0xff] : [value]
  const content = bytes[0]! >= 0x80 ? [0, ...bytes] : bytes
  return Uint8Array.of(tag, content.length, ...content).buffer
}
