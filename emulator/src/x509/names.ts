import { AttributeTypeAndValue, AttributeValue, Name, RelativeDistinguishedName } from '@peculiar/asn1-x509'

/** One attribute of a distinguished name, in the short form that people write. */
export type NameAttribute = readonly [type: keyof typeof ATTRIBUTE_TYPES, value: string]

const ATTRIBUTE_TYPES = { CN: '2.5.4.3', C: '2.5.4.6', L: '2.5.4.7', ST: '2.5.4.8', O: '2.5.4.10', OU: '2.5.4.11' }

/** A name of one attribute per RDN, in the order given. RFC 5280 wants the country in a PrintableString. */
export function distinguishedName(attributes: readonly NameAttribute[]): Name {
  return new Name(
    attributes.map(([type, value]) => {
      const text = new AttributeValue(type === 'C' ? { printableString: value } : { utf8String: value })
      return new RelativeDistinguishedName([new AttributeTypeAndValue({ type: ATTRIBUTE_TYPES[type], value: text })])
    }),
  )
}
