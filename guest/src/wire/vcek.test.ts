import { describe, expect, it } from 'vitest'
import { certificateNames } from './certificate.ts'
import type { WireError } from './errors.ts'
import { certificate, HWID, ia5, MILAN, small } from './testing.test-support.ts'
import { decodeVcekExtensions, productOfName, VCEK_OIDS } from './vcek.ts'

const changed = (oid: string, value?: Uint8Array) =>
  certificate(
    value === undefined
      ? MILAN.filter(([name]) => name !== oid)
      : MILAN.map((entry) => (entry[0] === oid ? [oid, value] : entry)),
  )

describe('a VCEK', () => {
  it('names its chip and its TCB; microcode from 128 on takes two bytes', () => {
    expect(decodeVcekExtensions(certificate(MILAN))).toEqual({
      structureVersion: 0,
      productName: 'Milan-B0',
      tcb: { bootLoader: 4, tee: 0, snp: 24, microcode: 0xdb },
      hwid: HWID,
    })
    expect(certificateNames(certificate(MILAN))).toEqual({ subject: 'SEV-VCEK', issuer: 'SEV-Milan' })
  })

  it('of Turin has an FMC level and a short HWID', () => {
    const turin = [
      [VCEK_OIDS.structureVersion, small(1)],
      ...MILAN.filter(([oid]) => oid !== VCEK_OIDS.hwid && oid !== VCEK_OIDS.structureVersion),
      [VCEK_OIDS.fmc, small(1)],
      [VCEK_OIDS.hwid, HWID.subarray(0, 8)],
    ] as const
    const { tcb, hwid } = decodeVcekExtensions(certificate(turin))
    expect(tcb.fmc).toBe(1)
    expect(hwid?.length).toBe(8)
  })

  it('that is a VLEK names a provider instead of a chip', () => {
    const vlek = [...MILAN.filter(([oid]) => oid !== VCEK_OIDS.hwid), [VCEK_OIDS.cspId, ia5('CN=csp')]] as const
    const read = decodeVcekExtensions(certificate(vlek))
    expect(read.cspId).toBe('CN=csp')
    expect(read).not.toHaveProperty('hwid')
  })

  it.each([
    [
      'a level of one byte that must have two',
      changed(VCEK_OIDS.microcode, Uint8Array.of(2, 1, 0xdb)),
      VCEK_OIDS.microcode,
    ],
    [
      'a level of two bytes that must have one',
      changed(VCEK_OIDS.microcode, Uint8Array.of(2, 2, 0, 1)),
      VCEK_OIDS.microcode,
    ],
    ['a level above 255', changed(VCEK_OIDS.snp, Uint8Array.of(2, 2, 1, 0)), VCEK_OIDS.snp],
    ['a level that is missing', changed(VCEK_OIDS.tee), VCEK_OIDS.tee],
    [
      'a product name that is no IA5String',
      changed(VCEK_OIDS.productName, Uint8Array.of(0x0c, 1, 65)),
      VCEK_OIDS.productName,
    ],
    ['neither chip nor provider', changed(VCEK_OIDS.hwid), VCEK_OIDS.hwid],
    [
      'the short hardware id of a Turin on another product',
      changed(VCEK_OIDS.hwid, HWID.subarray(0, 8)),
      VCEK_OIDS.hwid,
    ],
    ['an FMC level on another product', certificate([...MILAN, [VCEK_OIDS.fmc, small(1)]]), VCEK_OIDS.fmc],
    ['a Turin without FMC level', changed(VCEK_OIDS.structureVersion, small(1)), VCEK_OIDS.fmc],
    ['an extension that is there twice', certificate([...MILAN, MILAN[2]!]), VCEK_OIDS.bootLoader],
  ])('is refused: %s', (_, der, at) => {
    expect(() => decodeVcekExtensions(der)).toThrow(
      expect.objectContaining({ code: 'ERR_VCEK_EXTENSION', at }) as WireError,
    )
  })

  it('that is no certificate is refused', () => {
    expect(() => decodeVcekExtensions(Uint8Array.of(1, 2, 3))).toThrow(
      expect.objectContaining({ code: 'ERR_CERTIFICATE' }) as WireError,
    )
  })
})

describe('a product name', () => {
  it.each([
    ['Milan-B0', 'Milan'],
    ['SEV-Genoa', 'Genoa'],
    ['SEV-VLEK-Turin', 'Turin'],
    ['ARK-Venice', undefined],
  ])('%s is of %s', (name, product) => {
    expect(productOfName(name)).toBe(product)
  })
})
