import { createHash, generateKeyPairSync } from 'node:crypto'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  type Extension,
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  NameConstraints,
  SubjectAlternativeName,
} from '@peculiar/asn1-x509'
import { describe, expect, it } from 'vitest'
import { buildCertificate } from '../../x509/certificate.ts'
import { caConstraints, extendedKeyUsage, keyUsage, leafConstraints, rawExtension } from '../../x509/extensions.ts'
import { distinguishedName } from '../../x509/names.ts'
import { resolveDidX509 } from './did-x509.ts'

/* Chains made here: each rule of the path broken alone. The published vectors are in test/conformance. */

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const EKU = '1.3.6.1.4.1.32473.8.1'
const NOT_KNOWN = '1.3.6.1.4.1.32473.99'
const critical = (oid: string) => rawExtension(oid, Uint8Array.of(5, 0), true)
const name = (commonName: string) => distinguishedName([['CN', commonName]])

const certificate = (subject: string, issuer: string, extensions: readonly Extension[]) =>
  new Uint8Array(
    buildCertificate(
      {
        serial: 1n,
        subject: name(subject),
        issuer: name(issuer),
        notBefore: new Date('2020-01-01T00:00:00Z'),
        notAfter: new Date('2021-01-01T00:00:00Z'),
        publicKey: key.publicKey,
        extensions,
      },
      key.privateKey,
      'ecdsa-sha256',
    ),
  )

const CA = [keyUsage('keyCertSign'), caConstraints()]
const LEAF = [keyUsage('digitalSignature'), extendedKeyUsage(EKU)]
const root = certificate('Root', 'Root', CA)
const middle = certificate('Middle', 'Root', CA)
const leaf = certificate('Leaf', 'Middle', LEAF)

const names = (...all: Partial<GeneralName>[]) =>
  rawExtension(
    '2.5.29.17',
    new Uint8Array(AsnConvert.serialize(new SubjectAlternativeName(all.map((one) => new GeneralName(one))))),
  )
const constraints = (permitted: Partial<GeneralName>[], excluded: Partial<GeneralName>[] = []) => {
  const trees = (bases: Partial<GeneralName>[]) =>
    new GeneralSubtrees(bases.map((base) => new GeneralSubtree({ base: new GeneralName(base) })))
  const value = new NameConstraints({
    ...(permitted.length > 0 && { permittedSubtrees: trees(permitted) }),
    ...(excluded.length > 0 && { excludedSubtrees: trees(excluded) }),
  })
  return rawExtension('2.5.29.30', new Uint8Array(AsnConvert.serialize(value)), true)
}

const didOf = (ca: Uint8Array, predicate = `eku:${EKU}`) =>
  `did:x509:0:sha256:${createHash('sha256').update(ca).digest('base64url')}::${predicate}`
const outcome = (chain: readonly Uint8Array[], did = didOf(chain.at(-1)!)) =>
  resolveDidX509(did, chain).then(
    () => 'resolved',
    (error: Error) => error.message,
  )
const failed = (reason: string) => `Certificate chain verification failed: ${reason}.`

describe('a did:x509 resolves', () => {
  it('by its root and by an authority between, to a document with the key of the leaf; dates do not matter', async () => {
    const did = didOf(middle)
    const jwk = key.publicKey.export({ format: 'jwk' })
    expect(await outcome([leaf, middle, root])).toBe('resolved')
    expect(await resolveDidX509(`${did}#a-fragment`, [leaf, middle, root])).toEqual({
      '@context': 'https://www.w3.org/ns/cid/v1',
      id: did,
      verificationMethod: [{ id: `${did}#0`, type: 'JsonWebKey', controller: did, publicKeyJwk: jwk }],
      authentication: [`${did}#0`],
      assertionMethod: [`${did}#0`],
    })
  })

  it('also where a leaf has no key usage: then its key agrees on keys as well', async () => {
    const plain = certificate('Leaf', 'Root', [extendedKeyUsage(EKU)])
    expect(await resolveDidX509(didOf(root), [plain, root])).toHaveProperty('keyAgreement')
  })
})

describe('a did:x509 does not resolve', () => {
  const withMiddle = (extensions: readonly Extension[]) => [leaf, certificate('Middle', 'Root', extensions), root]
  const withLeaf = (extensions: readonly Extension[]) => [certificate('Leaf', 'Middle', extensions), middle, root]
  const broken = Uint8Array.from(leaf)
  broken[broken.length - 1]! ^= 1

  it.each([
    ['a signature that is not the issuer’s', [broken, middle, root], failed('certificate signature failure')],
    ['an issuer without basic constraints', withMiddle([keyUsage('keyCertSign')]), failed('invalid CA certificate')],
    ['an issuer that is no authority', withMiddle([leafConstraints()]), failed('invalid CA certificate')],
    [
      'an issuer whose key may not sign certificates',
      withMiddle([caConstraints(), keyUsage('cRLSign')]),
      failed('invalid CA certificate'),
    ],
    [
      'a critical extension of the leaf that is not known',
      withLeaf([...LEAF, critical(NOT_KNOWN)]),
      failed('unhandled critical extension'),
    ],
    [
      'a critical extension of an authority that is not known',
      withMiddle([...CA, critical(NOT_KNOWN)]),
      failed('unhandled critical extension'),
    ],
    [
      'a root that allows no authority below',
      [leaf, middle, certificate('Root', 'Root', [keyUsage('keyCertSign'), caConstraints(0)])],
      failed('path length constraint exceeded'),
    ],
    [
      'a malformed extension',
      withMiddle([keyUsage('keyCertSign'), rawExtension('2.5.29.19', Uint8Array.of(4, 0), true)]),
      failed('a certificate with a malformed extension'),
    ],
    [
      'a root that somebody else issued',
      [leaf, middle, certificate('Root', 'Other', CA)],
      failed('Root is not self-signed'),
    ],
    ['a missing issuer', [leaf, root], failed('Leaf does not name its issuer in this chain')],
    [
      'an authority that is spare',
      [leaf, certificate('Spare', 'Spare', CA), middle, root],
      'Supplied chain does not match the verified chain.',
    ],
    [
      'a leaf whose key may be used for nothing of a DID',
      withLeaf([keyUsage('keyEncipherment'), extendedKeyUsage(EKU)]),
      'Leaf certificate key usage does not support DID operations.',
    ],
  ])('with %s', async (_, chain, message) => {
    expect(await outcome(chain)).toBe(message)
  })

  it('for bytes that are no certificate', async () => {
    await expect(resolveDidX509(didOf(root), [leaf, Uint8Array.of(1), root])).rejects.toMatchObject({
      code: 'ERR_CERTIFICATE',
    })
  })
})

describe('name constraints', () => {
  const address = (text: string) => ({ iPAddress: text })
  const permittedFault = failed('permitted subtree violation')
  const excludedFault = failed('excluded subtree violation')
  const under = (constraint: Extension, ...all: Partial<GeneralName>[]) => [
    certificate('Leaf', 'Middle', [...LEAF, ...(all.length > 0 ? [names(...all)] : [])]),
    certificate('Middle', 'Root', [...CA, constraint]),
    root,
  ]
  const dns = (dNSName: string) => ({ dNSName })
  const mail = (rfc822Name: string) => ({ rfc822Name })
  const uri = (uniformResourceIdentifier: string) => ({ uniformResourceIdentifier })

  it.each([
    ['a host is within itself', constraints([dns('a.example')]), [dns('a.example')], 'resolved'],
    ['a host is within the domain above', constraints([dns('example')]), [dns('A.Example')], 'resolved'],
    ['a host is not within another', constraints([dns('a.example')]), [dns('ba.example')], permittedFault],
    [
      'one of two hosts is outside',
      constraints([dns('a.example')]),
      [dns('a.example'), dns('b.example')],
      permittedFault,
    ],
    ['a host is excluded with its domain', constraints([], [dns('example')]), [dns('a.example')], excludedFault],
    [
      'exclusion goes before permission',
      constraints([dns('example')], [dns('a.example')]),
      [dns('a.example')],
      excludedFault,
    ],
    ['what is not of the form is free', constraints([dns('a.example')]), [mail('a@b.example')], 'resolved'],
    ['no name is free', constraints([dns('a.example')]), [], 'resolved'],
    ['a mailbox is within its host', constraints([mail('b.example')]), [mail('a@B.example')], 'resolved'],
    ['a mailbox is not within the domain above', constraints([mail('example')]), [mail('a@b.example')], permittedFault],
    ['a mailbox is within .domain', constraints([mail('.example')]), [mail('a@b.example')], 'resolved'],
    ['a mailbox is itself', constraints([mail('a@b.example')]), [mail('a@b.example')], 'resolved'],
    ['a mailbox is not another', constraints([mail('a@b.example')]), [mail('A@b.example')], permittedFault],
    ['a URI is within its host', constraints([uri('b.example')]), [uri('https://b.example/path')], 'resolved'],
    [
      'a URI is not within another host',
      constraints([uri('b.example')]),
      [uri('https://c.example/b.example')],
      permittedFault,
    ],
    ['a URI without host is outside', constraints([uri('b.example')]), [uri('urn:b.example')], permittedFault],
    ['a directory name is within its beginning', constraints([{ directoryName: name('Leaf') }]), [], 'resolved'],
    ['the subject is outside', constraints([{ directoryName: name('Other') }]), [], permittedFault],
    ['the subject is excluded', constraints([], [{ directoryName: name('Leaf') }]), [], excludedFault],
    ['an empty base excludes all hosts', constraints([], [dns('')]), [dns('a.example')], excludedFault],
    [
      'a form that is not compared counts against a name of it',
      constraints([{ registeredID: '1.2.3' }]),
      [{ registeredID: '1.2.3' }],
      failed('unsupported name constraint type'),
    ],
  ])('%s', async (_, constraint, all, wanted) => {
    expect(await outcome(under(constraint, ...all))).toBe(wanted)
  })

  it('count addresses by their prefix', async () => {
    const within = (base: string, one: string) => outcome(under(constraints([address(base)]), address(one)))
    // Names of this form are none that a did:x509 knows, once the path is found good.
    const unsupported = 'Certificate contains an unsupported SAN type.'
    expect(await within('10.1.0.0/16', '10.1.255.255')).toBe(unsupported)
    expect(await within('10.1.0.0/16', '10.2.0.0')).toBe(permittedFault)
    expect(await within('2001:db8::/32', '2001:db8::1')).toBe(unsupported)
    expect(await within('2001:db8::/32', '10.1.0.0')).toBe(permittedFault)
  })

  it('apply to the authorities below as well', async () => {
    const anchor = certificate('Root', 'Root', [...CA, constraints([{ directoryName: name('Leaf') }])])
    expect(await outcome([leaf, middle, anchor])).toBe(permittedFault)
  })

  it('of more names than anybody has are refused, not compared', async () => {
    const many = Array.from({ length: 300 }, (_, index) => dns(`a${index}.example`))
    expect(await outcome(under(constraints(many), ...many))).toBe(failed('too many names'))
  })

  it('in an octet string of their own are malformed', async () => {
    const odd = rawExtension('2.5.29.30', new Uint8Array(AsnConvert.serialize(new OctetString(1))), true)
    expect(await outcome(under(odd))).toBe(failed('a certificate with a malformed extension'))
  })
})
