import { describe, expect, it } from 'vitest'
import { concatBytes, decodeBase64, decodeHex, encodeHex } from './bytes.ts'
import { decodePckExtensions, PCK_OIDS, SGX_EXTENSIONS_OID } from './sgx-pck.ts'

/** A PCK certificate of the emulator's virtual platform, with security versions that are all different. */
const CERTIFICATE = decodeBase64(
  'MIIEkDCCBDWgAwIBAgIUGFwxMPRmHNvDjnpVx84tuZ9MmqIwCgYIKoZIzj0EAwIwcTEjMCEGA1UEAwwaSW50ZWwgU0dYIFBDSyBQ' +
    'cm9jZXNzb3IgQ0ExGjAYBgNVBAoMEUludGVsIENvcnBvcmF0aW9uMRQwEgYDVQQHDAtTYW50YSBDbGFyYTELMAkGA1UECAwCQ0Ex' +
    'CzAJBgNVBAYTAlVTMB4XDTI0MTIzMTE4MDAwMFoXDTMyMDEwMTEyMDAwMFowcDEiMCAGA1UEAwwZSW50ZWwgU0dYIFBDSyBDZXJ0' +
    'aWZpY2F0ZTEaMBgGA1UECgwRSW50ZWwgQ29ycG9yYXRpb24xFDASBgNVBAcMC1NhbnRhIENsYXJhMQswCQYDVQQIDAJDQTELMAkG' +
    'A1UEBhMCVVMwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATCzWCvvv8514ALVjbVS/Wnv9Z4zr0GQlSRiSUat8r3x/Rj9HPpCVLl' +
    '5ideud848gXXF5ZqgUKxown7yfz2BGyYo4ICqjCCAqYwHwYDVR0jBBgwFoAU9q96kVS1ErFsbY4mdpMFKJMHVzEwbAYDVR0fBGUw' +
    'YzBhoF+gXYZbaHR0cHM6Ly9hcGkudHJ1c3RlZHNlcnZpY2VzLmludGVsLmNvbS9zZ3gvY2VydGlmaWNhdGlvbi92NC9wY2tjcmw/' +
    'Y2E9cHJvY2Vzc29yJmVuY29kaW5nPWRlcjAdBgNVHQ4EFgQUGFwxMPRmHNvDjnpVx84tuZ9MmqIwDgYDVR0PAQH/BAQDAgbAMAwG' +
    'A1UdEwEB/wQCMAAwggHWBgkqhkiG+E0BDQEEggHHMIIBwzAeBgoqhkiG+E0BDQEBBBCapOzFKGxiWz9ddQN1iX8wMIIBZgYKKoZI' +
    'hvhNAQ0BAjCCAVYwEQYLKoZIhvhNAQ0BAgECAgDIMBAGCyqGSIb4TQENAQICAgEMMBAGCyqGSIb4TQENAQIDAgEBMBAGCyqGSIb4' +
    'TQENAQIEAgECMBAGCyqGSIb4TQENAQIFAgEDMBAGCyqGSIb4TQENAQIGAgEEMBAGCyqGSIb4TQENAQIHAgEFMBAGCyqGSIb4TQEN' +
    'AQIIAgEGMBAGCyqGSIb4TQENAQIJAgEHMBAGCyqGSIb4TQENAQIKAgEIMBAGCyqGSIb4TQENAQILAgEJMBAGCyqGSIb4TQENAQIM' +
    'AgEKMBAGCyqGSIb4TQENAQINAgELMBAGCyqGSIb4TQENAQIOAgEMMBAGCyqGSIb4TQENAQIPAgENMBEGCyqGSIb4TQENAQIQAgIA' +
    '/zARBgsqhkiG+E0BDQECEQICASwwHwYLKoZIhvhNAQ0BAhIEEMgMAQIDBAUGBwgJCgsMDf8wEAYKKoZIhvhNAQ0BAwQCAAAwFAYK' +
    'KoZIhvhNAQ0BBAQGU2tlcnJ5MA8GCiqGSIb4TQENAQUKAQAwCgYIKoZIzj0EAwIDSQAwRgIhALGuHk8pv2YmqRFKTAtYMZnlJA/Q' +
    'ggLnFJeahTld1qJlAiEAnI+UPfj9LnbRHpgwbJ5oKS1iEDIyquUDn6dOnTQmXZM=',
)

describe('the extension of a PCK certificate', () => {
  it('says which platform at which TCB', () => {
    expect(decodePckExtensions(CERTIFICATE)).toEqual({
      ppid: expect.any(Uint8Array),
      tcbComponents: [200, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 255],
      pceSvn: 300,
      cpuSvn: Uint8Array.of(200, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 255),
      pceId: new Uint8Array(2),
      fmspc: decodeHex('536b65727279'),
      sgxType: 0,
    })
  })

  it.each([
    ['another identifier', encodedOid(SGX_EXTENSIONS_OID, 1), SGX_EXTENSIONS_OID],
    ['no platform', encodedOid(PCK_OIDS.fmspc, 1), PCK_OIDS.fmspc],
    ['no TCB', encodedOid(PCK_OIDS.tcb, 1), PCK_OIDS.tcb],
  ])('%s: the extension, or the value, is missing', (_, change, at) => {
    expect(() => decodePckExtensions(change(CERTIFICATE))).toThrow(
      expect.objectContaining({ code: 'ERR_PCK_EXTENSION', at }),
    )
  })

  it.each([
    // Values behind the identifier: tag, length, content.
    [PCK_OIDS.sgxType, '0a0100', '0a0103', PCK_OIDS.sgxType],
    [PCK_OIDS.sgxType, '0a0100', '020100', PCK_OIDS.sgxType],
    [PCK_OIDS.fmspc, '0406', '0c06', PCK_OIDS.fmspc],
    [PCK_OIDS.pceSvn, '0202012c', '02020001', PCK_OIDS.pceSvn],
    [PCK_OIDS.pceSvn, '0202012c', '0202812c', PCK_OIDS.pceSvn],
  ])('%s with %s as %s', (oid, from, to, at) => {
    const identifier = encodeHex(derOid(oid))
    const changed = encodeHex(CERTIFICATE).replace(identifier + from, identifier + to)
    expect(changed).not.toBe(encodeHex(CERTIFICATE))
    expect(() => decodePckExtensions(decodeHex(changed))).toThrow(
      expect.objectContaining({ code: 'ERR_PCK_EXTENSION', at }),
    )
  })

  it('an identifier that is there twice', () => {
    const first = encodeHex(derOid(`${PCK_OIDS.tcbComponent}1`))
    const second = encodeHex(derOid(`${PCK_OIDS.tcbComponent}2`))
    const twice = encodeHex(CERTIFICATE).replace(second, first)
    expect(() => decodePckExtensions(decodeHex(twice))).toThrow(/is there twice/)
  })

  it('no certificate at all', () => {
    expect(() => decodePckExtensions(new Uint8Array(10))).toThrow(expect.objectContaining({ code: 'ERR_CERTIFICATE' }))
  })
})

/** Turns the last byte of that identifier, where it stands, into another one. */
function encodedOid(oid: string, by: number): (bytes: Uint8Array) => Uint8Array {
  const wanted = encodeHex(derOid(oid))
  const other = derOid(oid)
  other[other.length - 1]! += by + 40
  return (bytes) => decodeHex(encodeHex(bytes).replace(wanted, encodeHex(other)))
}

function derOid(oid: string): Uint8Array<ArrayBuffer> {
  const [first, second, ...rest] = oid.split('.').map(Number) as [number, number, ...number[]]
  const content = concatBytes(Uint8Array.of(first * 40 + second), ...rest.map(base128))
  return concatBytes(Uint8Array.of(0x06, content.length), content)
}

function base128(value: number): Uint8Array {
  const digits = [value & 0x7f]
  for (let rest = value >> 7; rest > 0; rest >>= 7) digits.unshift((rest & 0x7f) | 0x80)
  return Uint8Array.from(digits)
}
