import { constants, createHash, generateKeyPairSync, publicEncrypt, randomBytes, sign, verify } from 'node:crypto'
import { CryptographyClient, type KeyVaultKey } from '@azure/keyvault-keys'
import { beforeAll, describe, expect, it } from 'vitest'
import { jwkOf, OPENSSL_CURVES, publicKeyOf } from './keys.suite.ts'
import { mayUseKeysUnseen } from './roles.ts'
import { type Place, type Program, programIn, refusal } from './world.ts'

const PLAINTEXT = Buffer.from('sixteen bytes!!!')
const DATA = Buffer.from('what is to be signed')
const digestOf = (hash: string) => createHash(hash).update(DATA).digest()

const HASHES = { 256: 'sha256', 384: 'sha384', 512: 'sha512' } as const
const RSA_ENCRYPTION = ['RSA1_5', 'RSA-OAEP', 'RSA-OAEP-256'] as const
const RSA_SIGNATURES = (['RS', 'PS'] as const).flatMap((family) =>
  ([256, 384, 512] as const).map((bits) => [`${family}${bits}`, family, HASHES[bits]] as const),
)
const EC_SIGNATURES = [
  ['ES256', 'P-256', 'sha256', 64],
  ['ES384', 'P-384', 'sha384', 96],
  ['ES512', 'P-521', 'sha512', 132],
  ['ES256K', 'P-256K', 'sha256', 64],
] as const

/** Every algorithm that the official client has: in the vault, in the client, and by OpenSSL, each against the other. */
export function cryptography(place: () => Place): void {
  let rsa: KeyVaultKey
  /** May use keys and not see them: the client then has no public key, and does nothing by itself. */
  let unseen: Program
  beforeAll(async () => {
    const here = place()
    rsa = await here.client.createRsaKey(here.fresh())
    unseen = programIn(here.world, `unseen ${here.kind}`)
    await mayUseKeysUnseen(here, unseen)
  })

  describe('RSA', () => {
    it.each(RSA_ENCRYPTION)('%s: what the client closes by itself the vault opens', async (algorithm) => {
      const { cryptography } = place()
      const local = new CryptographyClient(rsa.key!)
      // This client closes RSA-OAEP-256 in the vault only.
      const client = algorithm === 'RSA-OAEP-256' ? cryptography(rsa) : local
      const encrypted = await client.encrypt(algorithm, PLAINTEXT)
      const opened = await cryptography(rsa).decrypt(algorithm, encrypted.result)
      expect([Buffer.from(opened.result), opened.keyID]).toEqual([PLAINTEXT, rsa.id])
      const wrapped = await client.wrapKey(algorithm, PLAINTEXT)
      expect(Buffer.from((await cryptography(rsa).unwrapKey(algorithm, wrapped.result)).result)).toEqual(PLAINTEXT)
    })

    it.each(RSA_ENCRYPTION)(
      '%s: what the vault closes it opens, for a program that cannot see the key',
      async (algorithm) => {
        const client = place().cryptography(rsa.id!, unseen.credential)
        const encrypted = await client.encrypt(algorithm, PLAINTEXT)
        expect(Buffer.from(encrypted.result)).not.toEqual(PLAINTEXT)
        expect(Buffer.from((await client.decrypt(algorithm, encrypted.result)).result)).toEqual(PLAINTEXT)
        const wrapped = await client.wrapKey(algorithm, PLAINTEXT)
        expect(Buffer.from((await client.unwrapKey(algorithm, wrapped.result)).result)).toEqual(PLAINTEXT)
      },
    )

    it('RSA-OAEP-256: what OpenSSL closes the vault opens', async () => {
      const key = { key: publicKeyOf(rsa), padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
      const ciphertext = publicEncrypt(key, PLAINTEXT)
      const opened = await place().cryptography(rsa).decrypt('RSA-OAEP-256', ciphertext)
      expect(Buffer.from(opened.result)).toEqual(PLAINTEXT)
    })

    it.each(RSA_SIGNATURES)(
      '%s: OpenSSL and the vault accept what the vault signs',
      async (algorithm, family, hash) => {
        const client = place().cryptography(rsa)
        const signed = await client.sign(algorithm, digestOf(hash))
        expect(signed.keyID).toBe(rsa.id)
        expect(verify(hash, DATA, { key: publicKeyOf(rsa), ...paddingOf(family) }, signed.result)).toBe(true)
        expect((await client.verify(algorithm, digestOf(hash), signed.result)).result).toBe(true)
        expect((await client.verify(algorithm, createHash(hash).digest(), signed.result)).result).toBe(false)
      },
    )

    it.each(RSA_SIGNATURES)('%s: the vault accepts what OpenSSL signs', async (algorithm, family, hash) => {
      const { client, cryptography, fresh } = place()
      const signature = sign(hash, DATA, { key: OUTSIDE, ...paddingOf(family) })
      const key = await client.importKey(fresh(), jwkOf(OUTSIDE))
      expect((await cryptography(key).verify(algorithm, digestOf(hash), signature)).result).toBe(true)
    })

    it.each(['RS256', 'RS384', 'RS512'] as const)(
      '%s: data is hashed by the client, which also verifies it',
      async (algorithm) => {
        const { result } = await place().cryptography(rsa).signData(algorithm, DATA)
        const local = new CryptographyClient(rsa.key!)
        expect((await local.verifyData(algorithm, DATA, result)).result).toBe(true)
        expect((await local.verifyData(algorithm, Buffer.from('other'), result)).result).toBe(false)
      },
    )
  })

  it('RSNULL: the vault signs the DigestInfo that it is given', async () => {
    const digestInfo = Buffer.concat([SHA256_DIGEST_INFO, digestOf('sha256')])
    const { result } = await place().cryptography(rsa).sign('RSNULL', digestInfo)
    expect(verify('sha256', DATA, publicKeyOf(rsa), result)).toBe(true)
  })

  describe('EC', () => {
    it.each(EC_SIGNATURES)(
      '%s on %s: OpenSSL and the vault accept the r and s that the vault signs',
      async (algorithm, curve, hash, length) => {
        const { client, cryptography, fresh } = place()
        const key = await client.createEcKey(fresh(), { curve })
        const signed = await cryptography(key).sign(algorithm, digestOf(hash))
        expect(signed.result).toHaveLength(length)
        const publicKey = { key: publicKeyOf(key), dsaEncoding: 'ieee-p1363' as const }
        expect(verify(hash, DATA, publicKey, signed.result)).toBe(true)
        expect((await cryptography(key).verify(algorithm, digestOf(hash), signed.result)).result).toBe(true)
        expect((await cryptography(key).verifyData(algorithm, DATA, signed.result)).result).toBe(true)
        const other = Buffer.from(signed.result)
        other[0]! ^= 1
        expect((await cryptography(key).verify(algorithm, digestOf(hash), other)).result).toBe(false)
      },
    )

    it.each(EC_SIGNATURES)('%s on %s: the vault accepts what OpenSSL signs', async (algorithm, curve, hash) => {
      const { client, cryptography, fresh } = place()
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: OPENSSL_CURVES[curve] })
      const key = await client.importKey(fresh(), { ...jwkOf(privateKey), crv: curve })
      const signature = sign(hash, DATA, { key: privateKey, dsaEncoding: 'ieee-p1363' })
      expect((await cryptography(key).verify(algorithm, digestOf(hash), signature)).result).toBe(true)
    })
  })

  describe('refuses', () => {
    it('an algorithm that is not of the key, and a digest of another length', async () => {
      const here = place()
      const { name } = await here.client.createEcKey(here.fresh())
      const client = here.cryptography(await here.client.getKey(name))
      const bad = refusal(here, 400, 'BadParameter')
      await expect(client.sign('RS256', digestOf('sha256'))).rejects.toMatchObject(bad)
      await expect(client.sign('ES384', digestOf('sha384'))).rejects.toMatchObject(bad)
      await expect(client.sign('ES256', digestOf('sha384'))).rejects.toMatchObject(bad)
      await expect(here.cryptography(rsa).sign('A128KW', digestOf('sha256'))).rejects.toMatchObject(bad)
    })

    it('a ciphertext that is not of the key', async () => {
      const here = place()
      const opening = here.cryptography(rsa).decrypt('RSA-OAEP', randomBytes(256))
      await expect(opening).rejects.toMatchObject(refusal(here, 400, 'BadParameter'))
    })
  })
}

/** DER before a SHA-256 digest (RFC 8017, section 9.2). */
const SHA256_DIGEST_INFO = Buffer.from('3031300d060960864801650304020105000420', 'hex')

const OUTSIDE = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey

function paddingOf(family: 'RS' | 'PS') {
  if (family === 'RS') return { padding: constants.RSA_PKCS1_PADDING }
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
}
