import type { KeyObject } from 'node:crypto'
import type { Extension } from '@peculiar/asn1-x509'
import type { SnpProduct, TcbVersion } from '@skerry/guest/wire'
import { buildCertificate, buildRevocationList, type RevokedCertificate } from '../x509/certificate.ts'
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
import { type CertificateFacts, PRODUCT_FACTS } from './products.ts'

/**
 * The certificates of AMD's "Versioned Chip Endorsement Key Certificate and KDS Interface Specification" (57230), field
 * for field. Verifiers compare the names, so these stay AMD's own; what tells this root from AMD's is its key, which is
 * what every verifier must pin. Without a product they are a Milan's.
 */

export interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

/** AMD root key: self-signed. */
export function buildArk(ark: KeyPair, product: SnpProduct = 'Milan'): Buffer {
  const name = amdName(`ARK-${product}`)
  return buildCertificate(
    {
      subject: name,
      issuer: name,
      ...authorityFacts(PRODUCT_FACTS[product].ark),
      publicKey: ark.publicKey,
      extensions: [
        keyUsage('keyCertSign', 'cRLSign'),
        subjectKeyIdentifier(ark.publicKey),
        caConstraints(),
        crlDistributionPoint(crlUri('vcek', product)),
      ],
    },
    ark.privateKey,
    'rsa-pss-sha384-trailer',
  )
}

/** AMD SEV signing key: issues VCEKs and nothing below them. */
export function buildAsk(askPublicKey: KeyObject, ark: KeyPair, product: SnpProduct = 'Milan'): Buffer {
  const facts = PRODUCT_FACTS[product].ask
  return buildIntermediate(askPublicKey, ark, { name: `SEV-${product}`, product, facts, kind: 'vcek' })
}

/** AMD SEV VLEK signing key: issues VLEKs and nothing below them. */
export function buildAsvk(asvkPublicKey: KeyObject, ark: KeyPair, product: SnpProduct = 'Milan'): Buffer {
  const facts = PRODUCT_FACTS[product].asvk
  return buildIntermediate(asvkPublicKey, ark, { name: `SEV-VLEK-${product}`, product, facts, kind: 'vlek' })
}

/** `keyUsage: keyCertSign`, with one unused bit as AMD writes it, where DER would have two. */
const ISSUES_CERTIFICATES = rawExtension('2.5.29.15', Uint8Array.of(0x03, 0x02, 0x01, 0x04), true)

interface Intermediate {
  readonly name: string
  readonly product: SnpProduct
  readonly facts: CertificateFacts
  readonly kind: 'vcek' | 'vlek'
}

function buildIntermediate(publicKey: KeyObject, ark: KeyPair, { name, product, facts, kind }: Intermediate): Buffer {
  return buildCertificate(
    {
      subject: amdName(name),
      issuer: amdName(`ARK-${product}`),
      ...authorityFacts(facts),
      publicKey,
      extensions: [
        subjectKeyIdentifier(publicKey),
        authorityKeyIdentifier(ark.publicKey),
        caConstraints(0),
        ISSUES_CERTIFICATES,
        crlDistributionPoint(crlUri(kind, product)),
      ],
    },
    ark.privateKey,
    'rsa-pss-sha384-trailer',
  )
}

export interface VcekContent {
  readonly publicKey: KeyObject
  /** 64 bytes, of which a Turin's certificate has the first 8. */
  readonly chipId: Uint8Array
  readonly tcb: TcbVersion
  /** Default Milan. */
  readonly product?: SnpProduct
}

/**
 * Versioned chip endorsement key: serial number 0, no standard extension, AMD's own in the order of real ones, 7 years.
 * @param notBefore milliseconds since the epoch
 */
export function buildVcek(content: VcekContent, askPrivateKey: KeyObject, notBefore: number): Buffer {
  const { product = 'Milan', publicKey, chipId, tcb } = content
  const { vcekName, hwidSize } = PRODUCT_FACTS[product]
  const bound: AmdExtensions = { product, productName: vcekName, tcb, hwid: chipId.subarray(0, hwidSize) }
  return buildLeaf('SEV-VCEK', `SEV-${product}`, { publicKey, bound, notBefore, years: 7 }, askPrivateKey)
}

export interface VlekContent {
  readonly publicKey: KeyObject
  readonly cspId: string
  readonly tcb: TcbVersion
  readonly product?: SnpProduct
}

/** Versioned loaded endorsement key: as a VCEK, but of a cloud provider in place of a chip, and for one year. */
export function buildVlek(content: VlekContent, asvkPrivateKey: KeyObject, notBefore: number): Buffer {
  const { product = 'Milan', publicKey, cspId, tcb } = content
  const bound: AmdExtensions = { product, productName: PRODUCT_FACTS[product].vlekName, tcb, cspId }
  return buildLeaf('SEV-VLEK', `SEV-VLEK-${product}`, { publicKey, bound, notBefore, years: 1 }, asvkPrivateKey)
}

interface Leaf {
  readonly publicKey: KeyObject
  readonly bound: AmdExtensions
  readonly notBefore: number
  readonly years: number
}

function buildLeaf(subject: string, issuer: string, leaf: Leaf, issuerKey: KeyObject): Buffer {
  return buildCertificate(
    {
      serial: 0n,
      subject: amdName(subject),
      issuer: amdName(issuer),
      ...validity(leaf.notBefore, leaf.years),
      publicKey: leaf.publicKey,
      extensions: amdExtensions(leaf.bound),
    },
    issuerKey,
    'rsa-pss-sha384',
  )
}

export interface CrlContent {
  readonly thisUpdate: number
  readonly nextUpdate: number
  /** Below 128; goes up with each list. */
  readonly number?: number
  readonly revoked?: readonly RevokedCertificate[]
}

/** The root's list of revoked certificates. Times in milliseconds since the epoch. */
export function buildCrl(ark: KeyPair, content: CrlContent, product: SnpProduct = 'Milan'): Buffer {
  const list = {
    issuer: amdName(`ARK-${product}`),
    thisUpdate: new Date(content.thisUpdate),
    nextUpdate: new Date(content.nextUpdate),
    revoked: content.revoked ?? [],
    extensions: [authorityKeyIdentifier(ark.publicKey), crlNumber(content.number ?? 1)],
  }
  return buildRevocationList(list, ark.privateKey, 'rsa-pss-sha384-trailer')
}

const AMD_ARC = '1.3.6.1.4.1.3704.1'

export interface AmdExtensions {
  readonly product: SnpProduct
  readonly productName: string
  readonly tcb: TcbVersion
  /** 64 bytes, 8 on Turin; a VCEK's. */
  readonly hwid?: Uint8Array
  /** A VLEK's. */
  readonly cspId?: string
}

/** AMD's extensions in the order in which its certificates have them, which differs from product to product. */
export function amdExtensions({ product, productName, tcb, hwid, cspId }: AmdExtensions): Extension[] {
  const { structureVersion } = PRODUCT_FACTS[product]
  const integer = (suffix: string, value: number) => rawExtension(`${AMD_ARC}.${suffix}`, smallInteger(value))
  const level = {
    bootLoader: integer('3.1', tcb.bootLoader),
    tee: integer('3.2', tcb.tee),
    snp: integer('3.3', tcb.snp),
    reserved: ['3.5', '3.6', '3.7'].map((suffix) => integer(suffix, 0)),
    microcode: integer('3.8', tcb.microcode),
  }
  const levels =
    structureVersion === 0
      ? [level.bootLoader, level.tee, integer('3.4', 0), ...level.reserved, level.snp, level.microcode]
      : [integer('3.9', tcb.fmc ?? 0), level.bootLoader, level.tee, level.snp, ...level.reserved, level.microcode]
  return [
    integer('1', structureVersion),
    rawExtension(`${AMD_ARC}.2`, ia5String(productName)),
    ...levels,
    // The hardware id stands bare in the OCTET STRING, without an ASN.1 tag of its own.
    ...(hwid === undefined ? [] : [rawExtension(`${AMD_ARC}.4`, hwid)]),
    ...(cspId === undefined ? [] : [rawExtension(`${AMD_ARC}.5`, ia5String(cspId))]),
  ]
}

/** DER INTEGER of one byte; from 128 on a zero byte keeps it positive. */
export function smallInteger(value: number): Uint8Array {
  return value < 0x80 ? Uint8Array.of(0x02, 0x01, value) : Uint8Array.of(0x02, 0x02, 0x00, value)
}

/** At most 127 characters. */
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

function crlUri(kind: 'vcek' | 'vlek', product: SnpProduct): string {
  return `https://kdsintf.amd.com/${kind}/v1/${product}/crl`
}

function authorityFacts({ serial, notBefore }: CertificateFacts) {
  return { serial, ...validity(Date.parse(notBefore), 25) }
}

/** To the same day and second so many years later. */
function validity(notBeforeMs: number, years: number) {
  const notBefore = new Date(Math.floor(notBeforeMs / 1000) * 1000)
  const notAfter = new Date(notBefore)
  notAfter.setUTCFullYear(notBefore.getUTCFullYear() + years)
  return { notBefore, notAfter }
}
