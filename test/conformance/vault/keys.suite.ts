import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { JsonWebKey, KeyVaultKey } from '@azure/keyvault-keys'
import { describe, expect, it } from 'vitest'
import { all, base64Url, type Place, refusal } from './world.ts'

const RSA_OPS = ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey']
const EC_OPS = { vault: ['sign', 'verify'], managedHsm: ['sign', 'verify', 'deriveKey'] }
const CURVES = { 'P-256': 32, 'P-384': 48, 'P-521': 66, 'P-256K': 32 } as const
export const OPENSSL_CURVES = { 'P-256': 'P-256', 'P-384': 'P-384', 'P-521': 'P-521', 'P-256K': 'secp256k1' } as const

/** Create, import, get, list, versions, update. */
export function keys(place: () => Place): void {
  describe('create', () => {
    it('makes an RSA key: 2048 bits, exponent 65537 and every operation unless told otherwise', async () => {
      const { client, fresh, url, isVault, storedType } = place()
      const name = fresh()
      const key = await client.createRsaKey(name)
      expect(key.id).toMatch(new RegExp(`^${url}/keys/${name}/[0-9a-f]{32}$`))
      expect(key.keyType).toBe(storedType('RSA'))
      expect([key.key!.n!.length, Buffer.from(key.key!.e!)]).toEqual([256, Buffer.from('010001', 'hex')])
      expect(key.keyOperations!.toSorted()).toEqual(RSA_OPS.toSorted())
      const { enabled, exportable, recoveryLevel, recoverableDays, createdOn, updatedOn } = key.properties
      expect({ enabled, exportable, recoveryLevel, recoverableDays }).toEqual({
        enabled: true,
        exportable: false,
        recoveryLevel: 'Recoverable+Purgeable',
        recoverableDays: 90,
      })
      expect(updatedOn).toEqual(createdOn)
      expect(key.properties.hsmPlatform).toBe(isVault ? '0' : undefined)
    })

    it('makes RSA keys of the larger sizes, in hardware', { timeout: 120_000 }, async () => {
      const { client, fresh } = place()
      const sizes = [3072, 4096]
      const made = await Promise.all(sizes.map((keySize) => client.createRsaKey(fresh(), { keySize, hsm: true })))
      expect(made.map(({ keyType, key }) => [keyType, key!.n!.length * 8])).toEqual(
        sizes.map((size) => ['RSA-HSM', size]),
      )
    })

    it.each(Object.entries(CURVES))('makes an EC key on %s, its coordinates %i bytes long', async (curve, length) => {
      const { client, fresh, kind, storedType } = place()
      const key = await client.createEcKey(fresh(), { curve })
      expect([key.keyType, key.key!.crv]).toEqual([storedType('EC'), curve])
      expect([key.key!.x!.length, key.key!.y!.length]).toEqual([length, length])
      expect(key.keyOperations!.toSorted()).toEqual(EC_OPS[kind].toSorted())
    })

    it('makes EC keys in hardware, on P-256 unless told otherwise', async () => {
      const { client, fresh, isVault } = place()
      const key = await client.createEcKey(fresh(), { hsm: true })
      expect([key.keyType, key.key!.crv]).toEqual(['EC-HSM', 'P-256'])
      expect(key.properties.hsmPlatform).toBe(isVault ? '2' : undefined)
    })

    it('makes symmetric keys on a managed HSM, and none in a vault', async () => {
      const here = place()
      const { client, fresh, isVault } = here
      for (const keySize of [128, 192, 256]) {
        const creation = client.createOctKey(fresh(), { keySize, hsm: true })
        if (isVault) {
          await expect(creation).rejects.toMatchObject(refusal(here, 400, 'BadParameter', undefined, 'invalid value'))
          continue
        }
        const key = await creation
        expect([key.keyType, key.key!.k]).toEqual(['oct-HSM', undefined])
        expect(key.keyOperations).toEqual(expect.arrayContaining(['encrypt', 'decrypt', 'wrapKey', 'unwrapKey']))
      }
    })

    it('keeps what it is given: operations, dates, tags, and whether it is enabled', async () => {
      const { client, fresh } = place()
      const given = {
        enabled: false,
        notBefore: new Date('2030-01-01T00:00:00Z'),
        expiresOn: new Date('2031-01-01T00:00:00Z'),
        tags: { owner: 'conformance', note: 'ünïcode' },
      }
      const key = await client.createEcKey(fresh(), { ...given, keyOps: ['sign'] })
      expect(key.properties).toMatchObject(given)
      expect(key.keyOperations).toEqual(['sign'])
    })

    it('makes a new version of a key that is there, and GET without a version shows it', async () => {
      const { client, fresh } = place()
      const name = fresh()
      const first = await client.createEcKey(name)
      const second = await client.createEcKey(name, { curve: 'P-384' })
      expect(second.properties.version).not.toBe(first.properties.version)
      expect((await client.getKey(name)).id).toBe(second.id)
      expect((await client.getKey(name, { version: first.properties.version! })).key!.crv).toBe('P-256')
    })

    it.each([
      ['a name with other characters', (at: Place) => at.client.createEcKey('under_score')],
      ['a name longer than 127', (at: Place) => at.client.createEcKey('n'.repeat(128))],
      ['a size that RSA keys have not', (at: Place) => at.client.createRsaKey(at.fresh(), { keySize: 1024 })],
      ['a curve that nobody has', (at: Place) => at.client.createEcKey(at.fresh(), { curve: 'P-192' })],
      ['a type that nobody has', (at: Place) => at.client.createKey(at.fresh(), 'DSA')],
      ['sixteen tags', (at: Place) => at.client.createEcKey(at.fresh(), { tags: tags(16) })],
    ])('refuses %s', async (_, attempt) => {
      await expect(attempt(place())).rejects.toMatchObject(refusal(place(), 400, 'BadParameter'))
    })
  })

  describe('import', () => {
    it.each([false, true])('takes an RSA key, in hardware: %s', async (hardwareProtected) => {
      const { client, fresh, isVault } = place()
      const brought = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
      const key = await client.importKey(fresh(), jwkOf(brought), { hardwareProtected, tags: { from: 'outside' } })
      expect(key.keyType).toBe(hardwareProtected || !isVault ? 'RSA-HSM' : 'RSA')
      expect(publicKeyOf(key).equals(createPublicKey(brought))).toBe(true)
      expect(key.key).not.toHaveProperty('d', expect.anything())
      expect(key.properties.tags).toEqual({ from: 'outside' })
    })

    it.each(Object.keys(CURVES) as (keyof typeof CURVES)[])('takes an EC key on %s', async (curve) => {
      const { client, fresh } = place()
      const brought = generateKeyPairSync('ec', { namedCurve: OPENSSL_CURVES[curve] }).privateKey
      const key = await client.importKey(fresh(), { ...jwkOf(brought), crv: curve })
      const { x, y } = brought.export({ format: 'jwk' })
      expect([key.key!.crv, base64Url(key.key!.x), base64Url(key.key!.y)]).toEqual([curve, x, y])
    })

    it('takes symmetric keys of up to 64 bytes on a managed HSM, and none in a vault', async () => {
      const here = place()
      const { client, fresh, isVault } = here
      const bring = (length: number) =>
        client.importKey(fresh(), { kty: 'oct-HSM', k: Buffer.alloc(length, 7) }, { hardwareProtected: true })
      if (isVault) {
        await expect(bring(32)).rejects.toMatchObject(refusal(here, 400, 'BadParameter'))
        return
      }
      for (const length of [16, 24, 32, 64]) expect((await bring(length)).keyType).toBe('oct-HSM')
      const tooLong = 'JSON Web Key: k property of oct key is too large, maximum size is 64'
      await expect(bring(65)).rejects.toMatchObject(refusal(here, 400, 'BadParameter', undefined, tooLong))
    })

    it('is a new version of a key that is there', async () => {
      const { client, fresh } = place()
      const name = fresh()
      await client.createEcKey(name)
      await client.importKey(name, jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey))
      expect((await client.getKey(name)).key!.crv).toBe('P-521')
      expect(await all(client.listPropertiesOfKeyVersions(name))).toHaveLength(2)
    })

    it('refuses a key without its private part, or none at all', async () => {
      const here = place()
      const { kty, n, e } = jwkOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)
      for (const jwk of [{ kty: kty!, n: n!, e: e! }, {}]) {
        await expect(here.client.importKey(here.fresh(), jwk)).rejects.toMatchObject(refusal(here, 400, 'BadParameter'))
      }
    })
  })

  describe('get', () => {
    it('shows the same key as was made, by name and by version', async () => {
      const { client, fresh } = place()
      const made = await client.createRsaKey(fresh(), { tags: { a: 'b' } })
      const { name, properties } = made
      const byName = await client.getKey(name)
      expect({ ...byName, keyOperations: byName.keyOperations!.toSorted() }).toMatchObject({ id: made.id, properties })
      expect((await client.getKey(name, { version: properties.version! })).key!.n).toEqual(made.key!.n)
    })

    it('says 404 KeyNotFound of a name or version that is not there', async () => {
      const here = place()
      const { name } = await here.client.createEcKey(here.fresh())
      const version = '0123456789abcdef0123456789abcdef'
      const said = here.isVault ? 'was not found in this key vault' : 'Key not found: '
      const notFound = refusal(here, 404, 'KeyNotFound', undefined, said)
      await expect(here.client.getKey('nobody')).rejects.toMatchObject(notFound)
      await expect(here.client.getKey(name, { version })).rejects.toMatchObject(notFound)
    })
  })

  describe('list', () => {
    it('of 26 keys has two pages, the second of one key; items name no version', async () => {
      const { client, url } = place().other('list')
      const wanted = Array.from({ length: 26 }, (_, index) => `listed-${index}`)
      await Promise.all(wanted.map((name) => client.createEcKey(name, { tags: { name } })))
      const pages = await all(client.listPropertiesOfKeys().byPage())
      expect(pages.map(({ length }) => length)).toEqual([25, 1])
      const items = pages.flat()
      expect(items.map(({ id }) => id).toSorted()).toEqual(wanted.map((name) => `${url}/keys/${name}`).toSorted())
      expect(items.every(({ name, version, tags, enabled }) => !version && enabled && tags?.name === name)).toBe(true)
    })

    it('takes a page size of up to 25 and no other', async () => {
      const { client } = place().other('list')
      const sizes = (await all(client.listPropertiesOfKeys().byPage({ maxPageSize: 10 }))).map(({ length }) => length)
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeGreaterThanOrEqual(26)
      expect(Math.max(...sizes)).toBeLessThanOrEqual(10)
      await expect(client.listPropertiesOfKeys().byPage({ maxPageSize: 26 }).next()).rejects.toMatchObject({
        statusCode: 400,
        code: 'BadParameter',
      })
    })

    it('of versions names each, and is empty for a key that is not there', async () => {
      const { client, fresh } = place()
      const name = fresh()
      const made = [await client.createEcKey(name), await client.createEcKey(name), await client.createEcKey(name)]
      const versions = await all(client.listPropertiesOfKeyVersions(name))
      expect(versions.map(({ id }) => id).toSorted()).toEqual(made.map(({ id }) => id).toSorted())
      expect(await all(client.listPropertiesOfKeyVersions('nobody'))).toEqual([])
    })
  })

  describe('update', () => {
    it('changes what is sent and leaves the rest', async () => {
      const { client, fresh } = place()
      const name = fresh()
      const expiresOn = new Date('2031-01-01T00:00:00Z')
      await client.createRsaKey(name, { tags: { a: 'b' }, expiresOn })
      const changed = await client.updateKeyProperties(name, { enabled: false, keyOps: ['sign', 'verify'] })
      expect(changed.properties).toMatchObject({ enabled: false, expiresOn, tags: { a: 'b' } })
      expect(changed.keyOperations!.toSorted()).toEqual(['sign', 'verify'])
      expect((await client.updateKeyProperties(name, { tags: {} })).properties.tags ?? {}).toEqual({})
      expect((await client.getKey(name)).properties).toMatchObject({ enabled: false, expiresOn })
    })

    it('is of the version that is named, or of the latest', async () => {
      const { client, fresh } = place()
      const name = fresh()
      const first = (await client.createEcKey(name)).properties.version!
      await client.createEcKey(name)
      await client.updateKeyProperties(name, first, { tags: { which: 'first' } })
      await client.updateKeyProperties(name, { tags: { which: 'latest' } })
      expect((await client.getKey(name, { version: first })).properties.tags).toEqual({ which: 'first' })
      expect((await client.getKey(name)).properties.tags).toEqual({ which: 'latest' })
    })

    it('of a key that is not there says 404', async () => {
      const here = place()
      await expect(here.client.updateKeyProperties('nobody', {})).rejects.toMatchObject(
        refusal(here, 404, 'KeyNotFound'),
      )
    })
  })
}

const tags = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`tag${index}`, 'value'] as const))

const BYTES = new Set(['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi', 'x', 'y', 'k'])

/** A private key as the official client wants it: numbers in bytes. */
export function jwkOf(key: KeyObject): JsonWebKey {
  const entries = Object.entries(key.export({ format: 'jwk' }))
  return Object.fromEntries(
    entries.map(([member, value]) => [member, BYTES.has(member) ? Buffer.from(String(value), 'base64url') : value]),
  )
}

/** The public part of what the vault shows. */
export function publicKeyOf({ key }: KeyVaultKey): KeyObject {
  const numbers = key!.n === undefined ? { x: base64Url(key!.x), y: base64Url(key!.y) } : {}
  const rsa = key!.n === undefined ? {} : { n: base64Url(key!.n), e: base64Url(key!.e) }
  const crv = key!.crv === 'P-256K' ? 'secp256k1' : key!.crv
  const kty = key!.n === undefined ? 'EC' : 'RSA'
  return createPublicKey({ key: { kty, ...(crv === undefined ? {} : { crv }), ...numbers, ...rsa }, format: 'jwk' })
}
