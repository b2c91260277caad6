import type { KeyObject } from 'node:crypto'
import type { TcbVersion } from '@skerry/guest/wire'
import { buildCertificate, buildRevocationList } from '../x509/certificate.ts'
import {
  authorityKeyIdentifier,
  caConstraints,
  crlDistributionPoint,
  crlNumber,
  keyUsage,
  rawExtension,
  subjectKeyIdentifier,
} from '../x509/extensions.ts'
import { distinguishedName } from '../x509/names.ts'
import { PRODUCT } from './chip.ts'

/**
 * The certificates of AMD's "Versioned Chip Endorsement Key Certificate and KDS Interface Specification" (57230), field
 * for field. Verifiers compare the names, so these stay AMD's own; what tells this root from AMD's is its key, which is
 * what every verifier must pin.
 */

const YEAR_MS = 365.25 * 24 * 3600 * 1000

const ARK_NAME = amdName(`ARK-${PRODUCT}`)
const ASK_NAME = amdName(`SEV-${PRODUCT}`)
const VCEK_NAME = amdName('SEV-VCEK')

const ARK_SERIAL = 0x10000n
const ASK_SERIAL = 0x10001n
const CRL_URI = `https://kdsintf.amd.com/vcek/v1/${PRODUCT}/crl`

export interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

/** AMD root key: self-signed, 25 years, from some years before `now`. */
export function buildArk(ark: KeyPair, now: number): Buffer {
  return buildCertificate(
    {
      serial: ARK_SERIAL,
      subject: ARK_NAME,
      issuer: ARK_NAME,
      ...validity(now, 6, 25),
      publicKey: ark.publicKey,
      extensions: [
        keyUsage('keyCertSign', 'cRLSign'),
        subjectKeyIdentifier(ark.publicKey),
        caConstraints(),
        crlDistributionPoint(CRL_URI),
      ],
    },
    ark.privateKey,
    'rsa-pss-sha384-trailer',
  )
}

/** AMD SEV signing key: issues VCEKs and nothing below them. */
export function buildAsk(askPublicKey: KeyObject, ark: KeyPair, now: number): Buffer {
  return buildCertificate(
    {
      serial: ASK_SERIAL,
      subject: ASK_NAME,
      issuer: ARK_NAME,
      ...validity(now, 6, 25),
      publicKey: askPublicKey,
      extensions: [
        subjectKeyIdentifier(askPublicKey),
        authorityKeyIdentifier(ark.publicKey),
        caConstraints(0),
        keyUsage('keyCertSign'),
        crlDistributionPoint(CRL_URI),
      ],
    },
    ark.privateKey,
    'rsa-pss-sha384-trailer',
  )
}

export interface VcekContent {
  readonly publicKey: KeyObject
  /** 64 bytes. */
  readonly chipId: Uint8Array
  readonly tcb: TcbVersion
}

/** The root's list of revoked certificates: none is. Times in milliseconds since the epoch. */
export function buildCrl(ark: KeyPair, times: { readonly thisUpdate: number; readonly nextUpdate: number }): Buffer {
  const content = {
    issuer: ARK_NAME,
    thisUpdate: new Date(times.thisUpdate),
    nextUpdate: new Date(times.nextUpdate),
    extensions: [authorityKeyIdentifier(ark.publicKey), crlNumber(1)],
  }
  return buildRevocationList(content, ark.privateKey, 'rsa-pss-sha384-trailer')
}

/** Versioned chip endorsement key: serial number 0, no standard extension, AMD's own in the order of real ones. */
export function buildVcek(content: VcekContent, askPrivateKey: KeyObject, now: number): Buffer {
  return buildCertificate(
    {
      serial: 0n,
      subject: VCEK_NAME,
      issuer: ASK_NAME,
      ...validity(now, 1, 7),
      publicKey: content.publicKey,
      extensions: vcekExtensions(content.chipId, content.tcb),
    },
    askPrivateKey,
    'rsa-pss-sha384',
  )
}

const AMD_ARC = '1.3.6.1.4.1.3704.1'

function vcekExtensions(chipId: Uint8Array, tcb: TcbVersion) {
  const integer = (suffix: string, value: number) => rawExtension(`${AMD_ARC}.${suffix}`, smallInteger(value))
  return [
    integer('1', 0),
    rawExtension(`${AMD_ARC}.2`, ia5String('Milan-B0')),
    integer('3.1', tcb.bootLoader),
    integer('3.2', tcb.tee),
    integer('3.4', 0),
    integer('3.5', 0),
    integer('3.6', 0),
    integer('3.7', 0),
    integer('3.3', tcb.snp),
    integer('3.8', tcb.microcode),
    // The hardware id stands bare in the OCTET STRING, without an ASN.1 tag of its own.
    rawExtension(`${AMD_ARC}.4`, chipId),
  ]
}

/** DER INTEGER of one byte; from 128 on a zero byte keeps it positive. */
export function smallInteger(value: number): Uint8Array {
  return value < 0x80 ? Uint8Array.of(0x02, 0x01, value) : Uint8Array.of(0x02, 0x02, 0x00, value)
}

function ia5String(text: string): Uint8Array {
  return Uint8Array.of(0x16, text.length, ...Buffer.from(text, 'ascii'))
}

function amdName(commonName: string) {
  return distinguishedName([
    ['OU', 'Engineering'],
    ['C', 'US'],
    ['L', 'Santa Clara'],
    ['ST', 'CA'],
    ['O', 'Advanced Micro Devices'],
    ['CN', commonName],
  ])
}

/** Issued `ageYears` before `now`, as the certificates of a machine in service are. */
function validity(now: number, ageYears: number, years: number) {
  const notBefore = Math.floor((now - ageYears * YEAR_MS) / 1000) * 1000
  return { notBefore: new Date(notBefore), notAfter: new Date(notBefore + years * YEAR_MS) }
}
