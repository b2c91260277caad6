import { createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import { CryptographyClient, type EncryptParameters } from '@azure/keyvault-keys'
import { describe, expect, it } from 'vitest'
import { type Kind, type Place, refusal } from './world.ts'

const PLAINTEXT = Buffer.from('sixteen bytes!!!')
const DATA = Buffer.from('what is to be signed')
const digestOf = (hash: string) => createHash(hash).update(DATA).digest()

/** What symmetric keys do, which only a managed HSM has. */
export function symmetric(place: () => Place, kind: Kind): void {
  if (kind === 'vault') return
  describe('symmetric keys of a managed HSM', () => {
    const octKey = async (bits: number, at = place()) => {
      const k = randomBytes(bits / 8)
      const key = await at.client.importKey(at.fresh(), { kty: 'oct-HSM', k }, { hardwareProtected: true })
      return { k, key, client: at.cryptography(key) }
    }

    it.each([128, 192, 256] as const)(
      'A%iGCM: the HSM picks the nonce, and the tag covers what is said beside',
      async (bits) => {
        const { client } = await octKey(bits)
        const algorithm = `A${bits}GCM` as const
        const additionalAuthenticatedData = Buffer.from('about it')
        const sealed = await client.encrypt({ algorithm, plaintext: PLAINTEXT, additionalAuthenticatedData })
        expect([sealed.iv, sealed.authenticationTag].map((bytes) => bytes!.length)).toEqual([12, 16])
        const parameters = { algorithm, ciphertext: sealed.result, authenticationTag: sealed.authenticationTag! }
        const open = (iv: Uint8Array, aad: Uint8Array) =>
          client.decrypt({ ...parameters, iv, additionalAuthenticatedData: aad })
        expect(Buffer.from((await open(sealed.iv!, additionalAuthenticatedData)).result)).toEqual(PLAINTEXT)
        const padded = Buffer.concat([sealed.iv!, Buffer.alloc(4)])
        expect(Buffer.from((await open(padded, additionalAuthenticatedData)).result)).toEqual(PLAINTEXT)
        await expect(open(sealed.iv!, Buffer.from('other'))).rejects.toMatchObject(
          refusal(place(), 400, 'BadParameter'),
        )
      },
    )

    it('the nonce that a caller sends for GCM is not used: the HSM picks its own', async () => {
      const { key } = await octKey(256)
      const iv = Buffer.alloc(12).toString('base64url')
      const body = { alg: 'A256GCM', value: 'AAAA', iv }
      const { json } = await place().raw('POST', `/keys/${key.name}//encrypt?api-version=7.6`, body)
      expect([Buffer.from(json.iv, 'base64url').length, json.iv === iv]).toEqual([12, false])
    })

    it.each([128, 192, 256] as const)('A%iCBC and A%iCBCPAD: as the client does it with the same key', async (bits) => {
      const { client, key, k } = await octKey(bits)
      const iv = randomBytes(16)
      const local = new CryptographyClient({ kty: 'oct', k, keyOps: ['encrypt', 'decrypt'] })
      const parameters: EncryptParameters = { algorithm: `A${bits}CBCPAD`, plaintext: DATA, iv }
      const [here, there] = [await local.encrypt(parameters), await client.encrypt(parameters)]
      expect(Buffer.from(there.result)).toEqual(Buffer.from(here.result))
      expect(there.keyID).toBe(key.id)
      const opened = await client.decrypt({ algorithm: `A${bits}CBCPAD`, ciphertext: here.result, iv })
      expect(Buffer.from(opened.result)).toEqual(DATA)
      const unpadded = await client.encrypt({ algorithm: `A${bits}CBC`, plaintext: PLAINTEXT, iv })
      expect(unpadded.result).toHaveLength(16)
      const whole = await client.decrypt({ algorithm: `A${bits}CBC`, ciphertext: unpadded.result, iv })
      expect(Buffer.from(whole.result)).toEqual(PLAINTEXT)
    })

    it.each([128, 192, 256] as const)(
      'A%iKW: a wrapped key is eight bytes longer, and comes out again',
      async (bits) => {
        const { client } = await octKey(bits)
        const wrapped = await client.wrapKey(`A${bits}KW`, PLAINTEXT)
        expect(wrapped.result).toHaveLength(24)
        expect(Buffer.from((await client.unwrapKey(`A${bits}KW`, wrapped.result)).result)).toEqual(PLAINTEXT)
      },
    )

    it.each(['CKM_AES_KEY_WRAP', 'CKM_AES_KEY_WRAP_PAD'] as const)(
      '%s: as OpenSSL does it with the same key',
      async (algorithm) => {
        const { client, k } = await octKey(256)
        const padded = algorithm.endsWith('PAD')
        const secret = padded ? DATA : PLAINTEXT
        const { result } = await client.wrapKey(algorithm, secret)
        const iv = Buffer.from(padded ? 'a65959a6' : 'a6a6a6a6a6a6a6a6', 'hex')
        const cipher = createCipheriv(padded ? 'id-aes256-wrap-pad' : 'id-aes256-wrap', k, iv)
        expect(Buffer.from(result)).toEqual(Buffer.concat([cipher.update(secret), cipher.final()]))
        expect(Buffer.from((await client.unwrapKey(algorithm, result)).result)).toEqual(secret)
      },
    )

    it.each([
      ['HS256', 'sha256'],
      ['HS384', 'sha384'],
      ['HS512', 'sha512'],
    ] as const)('%s: what the HSM signs is the HMAC of what it is given', async (algorithm, hash) => {
      const { k, client } = await octKey(512)
      const { result } = await client.sign(algorithm, digestOf(hash))
      expect(Buffer.from(result)).toEqual(createHmac(hash, k).update(digestOf(hash)).digest())
      expect((await client.verify(algorithm, digestOf(hash), result)).result).toBe(true)
      expect((await client.verify(algorithm, DATA, result)).result).toBe(false)
    })

    it('refuses an algorithm for another key size, and CBC without its 16 bytes', async () => {
      const { client } = await octKey(128)
      const bad = refusal(place(), 400, 'BadParameter')
      await expect(client.wrapKey('A256KW', PLAINTEXT)).rejects.toMatchObject(bad)
      await expect(
        client.encrypt({ algorithm: 'A128CBC', plaintext: PLAINTEXT, iv: Buffer.alloc(12) }),
      ).rejects.toMatchObject(bad)
    })
  })
}
