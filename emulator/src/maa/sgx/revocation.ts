import { verify } from 'node:crypto'
import { AsnConvert } from '@peculiar/asn1-schema'
import { CertificateList } from '@peculiar/asn1-x509'
import type { ParsedCertificate } from '../evidence/certificates.ts'
import { type Check, check } from '../evidence/check.ts'
import { isP256 } from './pck-chain.ts'

/*
 * Lists of revoked certificates (RFC 5280, 5) of the root and of the issuer of PCK certificates.
 */

const HINT = 'the collateral is damaged or out of date: fetch it again'
const ECDSA_SHA256 = '1.2.840.10045.4.3.2'

/**
 * Whether a list is the issuer's and of its time, and has none of these certificates.
 * @param name of the checks: `name`, `name.signature`, `name.validity`, `name.revoked`
 */
export function checkRevocation(
  name: string,
  der: Uint8Array,
  issuer: ParsedCertificate,
  certificates: readonly ParsedCertificate[],
  atMs: number,
): Check[] {
  const wanted = `a list of revoked certificates by ${issuer.commonName}`
  const list = readList(der)
  if (list === undefined) return [check(name, wanted, 'bytes that are no such list', false, HINT)]
  const { tbsCertList } = list
  const thisUpdate = tbsCertList.thisUpdate.getTime().getTime()
  const nextUpdate = tbsCertList.nextUpdate?.getTime().getTime() ?? Number.POSITIVE_INFINITY
  const serials = new Set(tbsCertList.revokedCertificates?.map(({ userCertificate }) => serialOf(userCertificate)))
  const revoked = certificates.filter(({ x509 }) => serials.has(BigInt(`0x${x509.serialNumber}`)))
  const isSigned = isSignedByIssuer(list, issuer)
  const isCurrent = thisUpdate <= atMs && atMs <= nextUpdate
  return [
    check(`${name}.signature`, wanted, isSigned ? wanted : 'a signature that does not verify', isSigned, HINT),
    check(
      `${name}.validity`,
      `valid at ${new Date(atMs).toISOString()}`,
      `${timeText(thisUpdate)} to ${timeText(nextUpdate)}`,
      isCurrent,
      HINT,
    ),
    check(
      `${name}.revoked`,
      'no certificate of the chain',
      revoked.length === 0 ? 'no certificate of the chain' : revoked.map(({ commonName }) => commonName).join(', '),
      revoked.length === 0,
      'the key of this platform was revoked: its quotes are worth nothing any more',
    ),
  ]
}

function readList(der: Uint8Array): CertificateList | undefined {
  try {
    const list = AsnConvert.parse(der as Uint8Array<ArrayBuffer>, CertificateList)
    list.tbsCertList.thisUpdate.getTime()
    return list
  } catch {
    return undefined
  }
}

function isSignedByIssuer(list: CertificateList, issuer: ParsedCertificate): boolean {
  const { tbsCertListRaw, signatureAlgorithm, signature } = list
  if (tbsCertListRaw === undefined || signatureAlgorithm.algorithm !== ECDSA_SHA256 || !isP256(issuer)) return false
  return verify('sha256', new Uint8Array(tbsCertListRaw), issuer.publicKey, new Uint8Array(signature))
}

function serialOf(integer: ArrayBuffer): bigint {
  return BigInt(`0x${Buffer.from(integer).toString('hex') || '0'}`)
}

function timeText(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString() : 'for ever'
}
