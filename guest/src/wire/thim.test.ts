import { describe, expect, it } from 'vitest'
import { encodeHex } from './bytes.ts'
import { hostDataOfCcePolicy } from './cce-policy.ts'
import type { WireError } from './errors.ts'
import { derToPem, pemToDer } from './pem.ts'
import { certificateChainPem, parseThimCertification } from './thim.ts'

const PEM = derToPem(Uint8Array.of(1, 2, 3))
const THIM = { vcekCert: PEM, tcbm: 'DB18000000000004', certificateChain: PEM + PEM, cacheControl: '86400' }

describe('a THIM certification', () => {
  it('is taken with its four members; others are ignored', () => {
    expect(parseThimCertification({ ...THIM, more: 1 })).toEqual(THIM)
  })

  it.each([
    ['tcbm', 'XYZ'],
    ['tcbm', undefined],
    ['vcekCert', ''],
    ['vcekCert', 'no PEM'],
    ['certificateChain', 7],
    ['cacheControl', 86400],
  ])('with %s %j is refused, and the member named', (name, value) => {
    expect(() => parseThimCertification({ ...THIM, [name]: value })).toThrow(
      expect.objectContaining({ code: 'ERR_THIM', at: `/${name}` }) as WireError,
    )
  })

  it('gives one PEM text even when the VCEK lacks its final newline', () => {
    expect(pemToDer(certificateChainPem({ ...THIM, vcekCert: PEM.trimEnd() })).length).toBe(3)
  })
})

describe('PEM', () => {
  it('has lines of 64 characters and ends in a newline', () => {
    const pem = derToPem(new Uint8Array(100))
    expect(pem.split('\n').map(({ length }) => length)).toEqual([27, 64, 64, 8, 25, 0])
    expect(pemToDer(pem)).toEqual([new Uint8Array(100)])
  })

  it('is read with CRLF and with text around it', () => {
    expect(pemToDer(`subject: x\r\n${PEM.replaceAll('\n', '\r\n')}`)).toEqual([Uint8Array.of(1, 2, 3)])
  })

  it.each(['', PEM.slice(0, -10), PEM.replaceAll('CERTIFICATE', 'PUBLIC KEY'), PEM.replace('AQID', 'A!ID')])(
    '%# is refused',
    (text) => {
      expect(() => pemToDer(text)).toThrow(expect.objectContaining({ code: 'ERR_PEM' }) as WireError)
    },
  )
})

describe('host data of a CCE policy', () => {
  it('is SHA-256 of the decoded bytes', async () => {
    const { hostData, policy } = await hostDataOfCcePolicy('cGFja2FnZSBwb2xpY3k=')
    expect(new TextDecoder().decode(policy)).toBe('package policy')
    expect(encodeHex(hostData)).toBe('6edf4391f4f9c463ef83a260fe9cd862c0a6e734550c6637e1d4e5be5cfe6d30')
  })

  it.each([
    ['', 'ERR_CCE_POLICY_EMPTY'],
    ['package policy', 'ERR_CCE_POLICY_NOT_BASE64'],
    ['cGFja2FnZSBwb2xpY3k', 'ERR_CCE_POLICY_NOT_BASE64'],
    ['cGFja2FnZSBw\nb2xpY3k=', 'ERR_CCE_POLICY_NOT_BASE64'],
  ])('%j is refused with %s', async (text, code) => {
    await expect(hostDataOfCcePolicy(text)).rejects.toMatchObject({ code })
  })
})
