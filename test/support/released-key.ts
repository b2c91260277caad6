import { execFileSync } from 'node:child_process'
import { createDecipheriv, type KeyObject, privateDecrypt, X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RELEASE_ENC_HASH, type ReleaseEnc } from '@skerry/guest/wire'
import { compactVerify } from 'jose'
import { temporaryFolder } from './skerry.ts'

/** What came out of a release, opened without any code of the emulator's. */
export interface OpenedRelease {
  readonly header: Readonly<Record<string, unknown>>
  /** Leaf first. */
  readonly chain: readonly X509Certificate[]
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was answered
  readonly payload: any
  /** The JSON of `key_hsm`. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was answered
  readonly keyHsm: any
  readonly enc: ReleaseEnc
  readonly ciphertext: Buffer
}

/** Verifies the signature by the leaf of its own chain, and takes the answer apart. */
export async function openRelease(jws: string): Promise<OpenedRelease> {
  const header = jsonOf(jws.split('.')[0]!) as { x5c: string[] }
  const chain = header.x5c.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  const verified = await compactVerify(jws, chain[0]!.publicKey, { algorithms: ['RS256'] })
  const payload = JSON.parse(new TextDecoder().decode(verified.payload))
  const keyHsm = jsonOf(payload.response.key.key.key_hsm) as { header: { enc: ReleaseEnc }; ciphertext: string }
  const ciphertext = Buffer.from(keyHsm.ciphertext, 'base64url')
  return { header: { ...header }, chain, payload, keyHsm, enc: keyHsm.header.enc, ciphertext }
}

/** The released key: PKCS#8 of an RSA or EC key, the bytes of a symmetric one. */
export type Unwrap = (release: Pick<OpenedRelease, 'enc' | 'ciphertext'>, wrappingKey: KeyObject) => Buffer

/** By `node:crypto`. */
export const unwrapByNode: Unwrap = ({ enc, ciphertext }, wrappingKey) => {
  const size = wrappingKey.asymmetricKeyDetails!.modulusLength! / 8
  const kek = privateDecrypt({ key: wrappingKey, oaepHash: RELEASE_ENC_HASH[enc] }, ciphertext.subarray(0, size))
  const cipher = createDecipheriv('id-aes256-wrap-pad', kek, Buffer.from('a65959a6', 'hex'))
  return Buffer.concat([cipher.update(ciphertext.subarray(size)), cipher.final()])
}

/** By the command line of OpenSSL: RSA-OAEP with `pkeyutl`, RFC 5649 with `enc`. */
export const unwrapByOpenssl: Unwrap = ({ enc, ciphertext }, wrappingKey) => {
  using folder = temporaryFolder()
  const at = (name: string) => join(folder.path, name)
  const size = wrappingKey.asymmetricKeyDetails!.modulusLength! / 8
  writeFileSync(at('key.pem'), wrappingKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  writeFileSync(at('kek'), ciphertext.subarray(0, size))
  writeFileSync(at('wrapped'), ciphertext.subarray(size))
  const hash = RELEASE_ENC_HASH[enc]
  const oaep = ['rsa_padding_mode:oaep', `rsa_oaep_md:${hash}`, `rsa_mgf1_md:${hash}`].flatMap((name) => [
    '-pkeyopt',
    name,
  ])
  const kek = openssl('pkeyutl', '-decrypt', '-inkey', at('key.pem'), '-in', at('kek'), ...oaep)
  return openssl('enc', '-d', '-id-aes256-wrap-pad', '-K', kek.toString('hex'), '-iv', 'A65959A6', '-in', at('wrapped'))
}

function openssl(...args: string[]): Buffer {
  return execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 20_000 })
}

/** Why OpenSSL cannot be asked; undefined where it can. */
export function withoutOpenssl(): string | undefined {
  try {
    const version = openssl('version').toString()
    return /^OpenSSL [3-9]/.test(version) ? undefined : `the openssl here is ${version.trim()}, 3.0 or later is needed`
  } catch {
    return 'there is no openssl on the PATH'
  }
}

const jsonOf = (text: string): unknown => JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
