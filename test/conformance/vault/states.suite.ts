import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { CryptographyClient, type KeyVaultKey, type UpdateKeyPropertiesOptions } from '@azure/keyvault-keys'
import { describe, expect, it } from 'vitest'
import { jwkOf } from './keys.suite.ts'
import { type Place, refusal } from './world.ts'

const SECRET = Buffer.from('sixteen bytes!!!')
const DIGEST = createHash('sha256').update(SECRET).digest()
const BROUGHT = jwkOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)
const DAY_MS = 86_400_000
const later = () => new Date(Date.now() + 10 * DAY_MS)
const earlier = () => new Date(Date.now() - 10 * DAY_MS)

/**
 * What a key may do while it is disabled, expired, not yet valid, or not made for it. The official client would refuse much
 * of this by itself, so it is given the key as it was before the change.
 */
export function states(place: () => Place): void {
  /** A client that does not know yet what has become of its key. */
  async function changed(change: UpdateKeyPropertiesOptions) {
    const { client, cryptography, fresh } = place()
    const key: KeyVaultKey = await client.importKey(fresh(), BROUGHT)
    const before = cryptography(key)
    const ciphertext = (await new CryptographyClient(key.key!).encrypt('RSA-OAEP', SECRET)).result
    const signature = (await before.sign('RS256', DIGEST)).result
    await client.updateKeyProperties(key.name, change)
    return {
      name: key.name,
      encrypt: () => before.encrypt('RSA-OAEP-256', SECRET),
      wrapKey: () => before.wrapKey('RSA-OAEP-256', SECRET),
      sign: () => before.sign('RS256', DIGEST),
      decrypt: () => before.decrypt('RSA-OAEP', ciphertext),
      unwrapKey: () => before.unwrapKey('RSA-OAEP', ciphertext),
      verify: () => before.verify('RS256', DIGEST, signature),
    }
  }
  const CLOSING = ['encrypt', 'wrapKey', 'sign'] as const
  const OPENING = ['decrypt', 'unwrapKey', 'verify'] as const

  describe('a disabled key', () => {
    it('does nothing, and says so', async () => {
      const here = place()
      const client = await changed({ enabled: false })
      for (const use of [...CLOSING, ...OPENING]) {
        await expect(client[use]()).rejects.toMatchObject(
          refusal(here, 403, 'Forbidden', 'KeyDisabled', `Operation ${use} is not allowed on a disabled key.`),
        )
      }
    })

    it('can be read, changed, backed up and enabled again', async () => {
      const { client } = place()
      const key = await changed({ enabled: false })
      expect((await client.getKey(key.name)).properties.enabled).toBe(false)
      expect((await client.backupKey(key.name))!.length).toBeGreaterThan(100)
      await client.updateKeyProperties(key.name, { enabled: true })
      expect(Buffer.from((await key.decrypt()).result)).toEqual(SECRET)
    })
  })

  describe.each([
    ['an expired key', () => ({ expiresOn: earlier() }), 'KeyExpired'],
    ['a key that is not valid yet', () => ({ notBefore: later() }), 'KeyNotYetValid'],
  ])('%s', (_, change, inner) => {
    it('opens and verifies what is there already', async () => {
      const client = await changed(change())
      expect(Buffer.from((await client.decrypt()).result)).toEqual(SECRET)
      expect(Buffer.from((await client.unwrapKey()).result)).toEqual(SECRET)
      expect((await client.verify()).result).toBe(true)
    })

    it('makes nothing new', async () => {
      const here = place()
      const client = await changed(change())
      for (const use of CLOSING) {
        await expect(client[use]()).rejects.toMatchObject(refusal(here, 403, 'Forbidden', inner))
      }
    })
  })

  describe('a key that is made for some operations', () => {
    it('does these and no others', async () => {
      const here = place()
      const client = await changed({ keyOps: ['sign', 'unwrapKey'] })
      expect((await client.sign()).result).toHaveLength(256)
      expect(Buffer.from((await client.unwrapKey()).result)).toEqual(SECRET)
      for (const use of ['encrypt', 'wrapKey', 'decrypt', 'verify'] as const) {
        await expect(client[use]()).rejects.toMatchObject(
          refusal(here, 403, 'Forbidden', 'KeyOperationForbidden', `Operation ${use} is not permitted on this key.`),
        )
      }
    })
  })

  describe('a key that is gone', () => {
    it('is not found by whoever still uses it', async () => {
      const here = place()
      const key = await here.client.createEcKey(here.fresh())
      await here.client.beginDeleteKey(key.name, { intervalInMs: 1 })
      const client = here.cryptography(key)
      await expect(client.sign('ES256', randomBytes(32))).rejects.toMatchObject(refusal(here, 404, 'KeyNotFound'))
    })
  })
}
