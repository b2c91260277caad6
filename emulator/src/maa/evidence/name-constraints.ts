import { BlockList, isIP, isIPv6 } from 'node:net'
import { AsnConvert } from '@peculiar/asn1-schema'
import {
  type Certificate,
  type Extension,
  GeneralName,
  type GeneralSubtree,
  type Name,
  NameConstraints,
  SubjectAlternativeName,
} from '@peculiar/asn1-x509'

/**
 * Name constraints of a CA against the names of a certificate below it. Source: RFC 5280, 4.2.1.10 and 6.1.
 * A constraint on a form of name that is not compared here counts against any certificate that has such a name.
 */

const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17'
const NAME_CONSTRAINTS = '2.5.29.30'
const EMAIL_ATTRIBUTE = '1.2.840.113549.1.9.1'
/** Names times constraints of one certificate: beyond it, somebody wants work done. */
const MOST_COMPARISONS = 65_536

export type NameFault =
  | 'permitted subtree violation'
  | 'excluded subtree violation'
  | 'unsupported name constraint type'
  | 'too many names'

/** What the constraints of `authority` say against the names of `subject`; undefined: nothing. */
export function nameFault(authority: Certificate, subject: Certificate): NameFault | undefined {
  const extension = extensionOf(authority, NAME_CONSTRAINTS)
  if (extension === undefined) return undefined
  const { permittedSubtrees, excludedSubtrees } = AsnConvert.parse(extension.extnValue, NameConstraints)
  const permitted = [...(permittedSubtrees ?? [])]
  const excluded = [...(excludedSubtrees ?? [])]
  const names = namesOf(subject)
  if (names.length * (permitted.length + excluded.length) > MOST_COMPARISONS) return 'too many names'
  // A subtree that does not start at its base is of no form in use (RFC 5280: minimum is zero, maximum absent).
  const odd = ({ minimum, maximum }: GeneralSubtree) => (minimum ?? 0) !== 0 || maximum !== undefined
  if ([...permitted, ...excluded].some(odd)) return 'unsupported name constraint type'
  for (const name of names) {
    const form = formOf(name)
    if (form === undefined) {
      if (constrainsOther([...permitted, ...excluded])) return 'unsupported name constraint type'
      continue
    }
    const permits = permitted.filter(({ base }) => formOf(base) === form)
    const excludes = excluded.filter(({ base }) => formOf(base) === form)
    if (permits.length > 0 && !permits.some(({ base }) => isWithin(name, base))) return 'permitted subtree violation'
    if (excludes.some(({ base }) => isWithin(name, base))) return 'excluded subtree violation'
  }
  return undefined
}

const FORMS = ['rfc822Name', 'dNSName', 'uniformResourceIdentifier', 'iPAddress', 'directoryName'] as const
type Form = (typeof FORMS)[number]

function formOf(name: GeneralName): Form | undefined {
  return FORMS.find((form) => name[form] !== undefined)
}

function constrainsOther(subtrees: readonly GeneralSubtree[]): boolean {
  return subtrees.some(({ base }) => formOf(base) === undefined)
}

/** Every name that constraints apply to: subject, alternative names, and an e-mail address in the subject without those. */
function namesOf(certificate: Certificate): GeneralName[] {
  const { subject } = certificate.tbsCertificate
  const extension = extensionOf(certificate, SUBJECT_ALTERNATIVE_NAME)
  const alternative = extension === undefined ? [] : [...AsnConvert.parse(extension.extnValue, SubjectAlternativeName)]
  const emails = alternative.some(({ rfc822Name }) => rfc822Name !== undefined)
    ? []
    : attributesOf(subject).filter(({ type }) => type === EMAIL_ATTRIBUTE)
  return [
    ...(subject.length > 0 ? [new GeneralName({ directoryName: subject })] : []),
    ...alternative,
    ...emails.map(({ value }) => new GeneralName({ rfc822Name: value })),
  ]
}

/** Of one form, both. */
function isWithin(name: GeneralName, base: GeneralName): boolean {
  if (base.dNSName !== undefined) return isHostWithin(name.dNSName!, base.dNSName, 'with everything below')
  if (base.rfc822Name !== undefined) return isMailWithin(name.rfc822Name!, base.rfc822Name)
  if (base.uniformResourceIdentifier !== undefined) {
    const host = URL.canParse(name.uniformResourceIdentifier!) ? new URL(name.uniformResourceIdentifier!).hostname : ''
    return host !== '' && isHostWithin(host, base.uniformResourceIdentifier, 'itself only')
  }
  if (base.iPAddress !== undefined) return isAddressWithin(name.iPAddress!, base.iPAddress)
  return isDirectoryWithin(name.directoryName!, base.directoryName!)
}

/** `example.com` stands for itself, in DNS names for what is below it too; `.example.com` for what is below it. */
function isHostWithin(host: string, base: string, bare: 'with everything below' | 'itself only'): boolean {
  const [name, wanted] = [host.toLowerCase(), base.toLowerCase()]
  if (wanted === '') return true
  if (wanted.startsWith('.')) return name.endsWith(wanted)
  return name === wanted || (bare === 'with everything below' && name.endsWith(`.${wanted}`))
}

/** A mailbox stands for itself, a host for all its mailboxes, `.host` for those of the hosts below. */
function isMailWithin(mailbox: string, base: string): boolean {
  const at = mailbox.lastIndexOf('@')
  const [local, host] = [mailbox.slice(0, at), mailbox.slice(at + 1)]
  const baseAt = base.lastIndexOf('@')
  if (baseAt < 0) return isHostWithin(host, base, 'itself only')
  return local === base.slice(0, baseAt) && host.toLowerCase() === base.slice(baseAt + 1).toLowerCase()
}

/** `base` is an address with the length of its prefix. */
function isAddressWithin(address: string, base: string): boolean {
  const [network = '', prefix = ''] = base.split('/')
  if (isIP(address) === 0 || isIP(address) !== isIP(network)) return false
  const family = isIPv6(network) ? 'ipv6' : 'ipv4'
  const list = new BlockList()
  list.addSubnet(network, Number(prefix), family)
  return list.check(address, family)
}

/** The base is the beginning of the name. */
function isDirectoryWithin(name: Name, base: Name): boolean {
  const text = (part: Name[number]) =>
    [...part]
      .map(({ type, value }) => `${type}=${value.toString().trim().replace(/\s+/g, ' ').toLowerCase()}`)
      .sort()
      .join('+')
  return [...base].every((part, index) => name[index] !== undefined && text(name[index]) === text(part))
}

function attributesOf(name: Name): { type: string; value: string }[] {
  return [...name].flatMap((part) => [...part].map(({ type, value }) => ({ type, value: value.toString() })))
}

function extensionOf(certificate: Certificate, oid: string): Extension | undefined {
  return certificate.tbsCertificate.extensions?.find(({ extnID }) => extnID === oid)
}
