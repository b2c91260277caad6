import { describe, expect, it } from 'vitest'
import { parseEndpoint } from './endpoint.ts'

describe('an endpoint', () => {
  it.each([
    [
      'contoso.vault.azure.net',
      { host: 'contoso.vault.azure.net', hostName: 'contoso.vault.azure.net', url: 'https://contoso.vault.azure.net' },
    ],
    [
      'https://contoso.vault.azure.net/',
      { host: 'contoso.vault.azure.net', hostName: 'contoso.vault.azure.net', url: 'https://contoso.vault.azure.net' },
    ],
    ['localhost:8443', { host: 'localhost:8443', hostName: 'localhost', url: 'https://localhost:8443' }],
  ])('is a host name, or an https URL of one: %s', (text, expected) => {
    expect(parseEndpoint('akv_endpoint', text)).toEqual(expected)
  })

  it.each(['', ' ', 'a b', 'http://a', 'https://a/keys', 'a?b', 'a#b', 'u:p@a', 'https://'])('is not "%s"', (text) => {
    expect(() => parseEndpoint('akv_endpoint', text)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field: 'akv_endpoint' }),
    )
  })
})
