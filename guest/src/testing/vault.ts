import {
  constants,
  createCipheriv,
  createPublicKey,
  type KeyObject,
  publicEncrypt,
  randomBytes,
  sign,
} from 'node:crypto'
import { CLIENT_AUTH, type Issued, issue, SERVER_AUTH } from './certificates.ts'

/**
 * What a vault does, written a second time for tests and on another path than the code under test: Node's crypto and
 * plain JSON, nothing of guest/wire.
 */
export const VAULT_HOST = 'contoso.vault.azure.net'

export const root = issue({ name: 'Test Root', ca: true })
export const intermediate = issue({ name: 'Test Issuing CA', issuer: root, ca: true, pathLength: 0 })
export const leaf = issue({
  name: VAULT_HOST,
  issuer: intermediate,
  key: 'rsa',
  dnsNames: ['vault.azure.net', '*.vault.azure.net'],
  usages: [SERVER_AUTH, CLIENT_AUTH],
})

export interface JwsOptions {
  readonly alg?: string
  readonly chain?: readonly Issued[]
  /** Signs, if not the first of the chain. */
  readonly signer?: KeyObject
  readonly header?: object
}

/** A compact JWS as a vault makes it: header with the chain, leaf first and root last. */
export function signJws(payload: unknown, options: JwsOptions = {}): string {
  const { alg = 'RS256', chain = [leaf, intermediate, root] } = options
  const x5c = chain.map(({ der }) => Buffer.from(der).toString('base64'))
  const signed = `${json({ alg, x5c, ...options.header })}.${json(payload)}`
  const key = options.signer ?? chain[0]!.privateKey
  const hash = `sha${alg.slice(2)}`
  const padding = alg.startsWith('PS')
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: Number(alg.slice(2)) / 8 }
    : {}
  return `${signed}.${sign(hash, Buffer.from(signed), { key, ...padding }).toString('base64url')}`
}

export function json(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

export interface WrapOptions {
  readonly enc?: string
  readonly kid: string
  readonly plaintext: Uint8Array
  readonly wrappingJwk: object
}

/** `key_hsm`: OAEP(AES key) and then AES key wrap with padding. */
export function wrap({ enc = 'CKM_RSA_AES_KEY_WRAP', kid, plaintext, wrappingJwk }: WrapOptions): string {
  const hash = { CKM_RSA_AES_KEY_WRAP: 'sha1', RSA_AES_KEY_WRAP_256: 'sha256', RSA_AES_KEY_WRAP_384: 'sha384' }[enc]
  const kek = randomBytes(32)
  const key = createPublicKey({ key: wrappingJwk as import('node:crypto').JsonWebKey, format: 'jwk' })
  const cipher = createCipheriv('id-aes256-wrap-pad', kek, Buffer.from('a65959a6', 'hex'))
  const wrapped = Buffer.concat([
    publicEncrypt(
      { key, padding: constants.RSA_PKCS1_OAEP_PADDING, ...(hash !== undefined && { oaepHash: hash }) },
      kek,
    ),
    cipher.update(plaintext),
    cipher.final(),
  ])
  return json({ schema_version: '1.0', header: { kid, alg: 'dir', enc }, ciphertext: wrapped.toString('base64url') })
}
