import { describe, expect, it } from 'vitest'
import type { WireError } from './errors.ts'
import { parseImportKeyConfig } from './import-key-config.ts'

const CONFIG = {
  key: {
    kid: 'skr-key',
    kty: 'RSA-HSM',
    authority: { endpoint: 'sharedweu.weu.attest.azure.net' },
    akv: { endpoint: 'v.vault.azure.net', api_version: 'api-version=7.4' },
  },
  key_derivation: { salt: '00ff', label: 'label' },
  claims: [[{ claim: 'x-ms-sevsnpvm-is-debuggable', equals: 'false' }]],
}

/** The document with the member at this path set, or removed when the value is undefined. */
const withMember = (path: string, value: unknown): unknown => {
  const copy = structuredClone(CONFIG) as Record<string, unknown>
  const names = path.split('/').slice(1)
  const last = names.pop()!
  const parent = names.reduce((object, name) => object[name] as Record<string, unknown>, copy)
  if (value === undefined) delete parent[last]
  else parent[last] = value
  return copy
}

const failure = (value: unknown): WireError => {
  try {
    parseImportKeyConfig(value)
  } catch (error) {
    return error as WireError
  }
  throw new Error('nothing was thrown')
}

describe('an importkeyconfig.json', () => {
  it('of the shape of the SKR example is taken as it is', () => {
    expect(parseImportKeyConfig(CONFIG)).toEqual(CONFIG)
  })

  it('may leave the key type out: then the vault decides', () => {
    expect(parseImportKeyConfig(withMember('/key/kty', undefined)).key.kty).toBe('RSA-HSM')
    const hsm = withMember('/key/akv/endpoint', 'h.managedhsm.azure.net') as typeof CONFIG
    hsm.key.kty = ''
    expect(parseImportKeyConfig(hsm).key.kty).toBe('oct-HSM')
  })

  it('may name endpoints as URLs; they come out as host names', () => {
    expect(parseImportKeyConfig(withMember('/key/akv/endpoint', 'https://V.vault.azure.net/')).key.akv.endpoint).toBe(
      'v.vault.azure.net',
    )
  })

  it('drops an empty bearer token, which the example’s template has', () => {
    expect(parseImportKeyConfig(withMember('/key/akv/bearer_token', '')).key.akv).not.toHaveProperty('bearer_token')
  })

  it.each(['eyJhbGciOi', { nested: 'eyJhbGciOi' }])(
    'with a bearer token is refused, and the token is not repeated',
    (token) => {
      const error = failure(withMember('/key/akv/bearer_token', token))
      expect(error).toMatchObject({ code: 'ERR_SECRET_IN_REQUEST', at: '/key/akv/bearer_token' })
      expect(error.message).not.toContain('eyJ')
    },
  )

  it.each(['RSA', 'EC', 'AES', 3])('with key type %s is refused as unsupported', (kty) => {
    expect(failure(withMember('/key/kty', kty))).toMatchObject({ code: 'ERR_UNSUPPORTED_KTY', at: '/key/kty' })
  })

  it('with oct-HSM for a vault is refused: only a managed HSM has it', () => {
    expect(failure(withMember('/key/kty', 'oct-HSM'))).toMatchObject({ code: 'ERR_UNSUPPORTED_KTY' })
  })

  it.each([
    ['/keys', {}, '/keys'],
    ['/key/kid', 'no_underscores', '/key/kid'],
    ['/key/kid', undefined, '/key/kid'],
    ['/key/hsm', true, '/key/hsm'],
    ['/key/key_ops', ['wrapKey', 1], '/key/key_ops/1'],
    ['/key/authority', undefined, '/key/authority'],
    ['/key/authority/endpoint', 'http://weu.attest.azure.net', '/key/authority/endpoint'],
    ['/key/akv/endpoint', 'v.vault.azure.net/keys', '/key/akv/endpoint'],
    ['/key/akv/token', 'x', '/key/akv/token'],
    ['/claims', [], '/claims'],
    ['/claims/0', [], '/claims/0'],
    ['/claims/0/0', { claim: 'a', equal: 1 }, '/claims/0/0/equal'],
    ['/key_derivation/salt', 7, '/key_derivation/salt'],
    ['/identity', { client_id: 1 }, '/identity/client_id'],
  ])('with %s = %j is refused at %s', (path, value, at) => {
    expect(failure(withMember(path, value))).toMatchObject({ code: 'ERR_IMPORT_KEY_CONFIG', at })
  })
})
