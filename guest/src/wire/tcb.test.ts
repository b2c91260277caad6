import { describe, expect, it } from 'vitest'
import { decodeHex, encodeHex } from './bytes.ts'
import { decodeGuestPolicy, encodeGuestPolicy } from './guest-policy.ts'
import { decodeTcb, encodeTcb, equalTcb, tcbFromHex, tcbToHex } from './tcb.ts'

describe('a TCB version', () => {
  it('has the boot loader first and the microcode last on Milan and Genoa', () => {
    const tcb = decodeTcb(decodeHex('0300000000000873'), 'Milan')
    expect(tcb).toEqual({ bootLoader: 3, tee: 0, snp: 8, microcode: 0x73 })
    expect(encodeHex(encodeTcb(tcb, 'Genoa'))).toBe('0300000000000873')
  })

  it('has the FMC first on Turin', () => {
    const tcb = decodeTcb(decodeHex('0102030400000051'), 'Turin')
    expect(tcb).toEqual({ fmc: 1, bootLoader: 2, tee: 3, snp: 4, microcode: 0x51 })
    expect(encodeHex(encodeTcb(tcb, 'Turin'))).toBe('0102030400000051')
    expect(() => encodeTcb(tcb, 'Milan')).toThrow('Milan has no FMC')
  })

  it('is written as THIM writes it, and read with or without leading zeros in either case', () => {
    const bytes = decodeHex('04000000000018db')
    expect(tcbToHex(bytes)).toBe('DB18000000000004')
    expect(tcbFromHex('db18000000000004')).toEqual(bytes)
    expect(tcbFromHex('4')).toEqual(decodeHex('0400000000000000'))
    expect(equalTcb(tcbFromHex('DB18000000000004'), bytes)).toBe(true)
  })

  it.each(['', 'xyz', '0123456789abcdef0'])('"%s" is not one', (text) => {
    expect(() => tcbFromHex(text)).toThrow('16 hexadecimal digits')
  })

  it('has components of one byte', () => {
    expect(() => encodeTcb({ bootLoader: 0, tee: 0, snp: 0, microcode: 256 }, 'Milan')).toThrow('microcode is a byte')
  })
})

describe('a guest policy', () => {
  it('is 0x3001f on Azure', () => {
    expect(decodeGuestPolicy(0x3001fn)).toMatchObject({
      abiMajor: 0,
      abiMinor: 31,
      smtAllowed: true,
      debugAllowed: false,
    })
    expect(encodeGuestPolicy({ abiMajor: 0, abiMinor: 31, smtAllowed: true })).toBe(0x3001fn)
  })

  it('shows the debug bit', () => {
    expect(decodeGuestPolicy(0xb0000n)).toMatchObject({ debugAllowed: true, migrationAllowed: false })
    expect(encodeGuestPolicy(decodeGuestPolicy(0xb0000n))).toBe(0xb0000n)
  })

  it.each([0x1001fn, 0x403001fn])('%s is refused for a reserved bit', (word) => {
    expect(() => decodeGuestPolicy(word)).toThrow('of a guest policy must be')
  })
})
