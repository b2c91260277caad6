import { createPublicKey } from 'node:crypto'
import { derToPem, encodeUtf8 } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../../core/test-context.ts'
import { buildCertificate } from '../../x509/certificate.ts'
import { rawExtension } from '../../x509/extensions.ts'
import { distinguishedName } from '../../x509/names.ts'
import { isSignedBy, isSignedByAmdProfile, readCertificate } from './certificates.ts'

const { keys } = createTestContext().ctx
const key = await keys.rsa('test-ark', 2048)
const otherKey = await keys.rsa('test-ask', 2048)

const certificate = (commonName: string, privateKey: typeof key, evidence?: string) =>
  buildCertificate(
    {
      serial: 1n,
      subject: distinguishedName([['CN', commonName]]),
      issuer: distinguishedName([['CN', commonName]]),
      notBefore: new Date('2026-01-01T00:00:00Z'),
      notAfter: new Date('2027-01-01T00:00:00Z'),
      publicKey: createPublicKey(privateKey),
      extensions: evidence === undefined ? [] : [rawExtension('1.2.3.4', encodeUtf8(evidence))],
    },
    privateKey,
    'rsa-sha256',
  )

describe('a certificate', () => {
  it('is the outer one, whatever certificate it carries in PEM', () => {
    const carried = derToPem(certificate('carried', otherKey))
    const read = readCertificate(certificate('outer', key, `evidence\n${carried}`))
    expect(read.commonName).toBe('outer')
    expect(read.publicKey.equals(createPublicKey(key))).toBe(true)
  })

  it('with bytes after its end is refused', () => {
    expect(() => readCertificate(Buffer.concat([certificate('outer', key), Buffer.of(0)]))).toThrow()
  })

  it('signed by another algorithm than AMD’s is not signed by AMD’s profile', () => {
    const read = readCertificate(certificate('outer', key))
    expect(isSignedBy(read, read)).toBe(true)
    expect(isSignedByAmdProfile(read, read)).toBe(false)
  })
})
