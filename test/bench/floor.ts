import {
  constants,
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import { median } from './statistics.ts'

/** An operation that every release needs, however it is programmed, and how often. */
export interface FloorPart {
  readonly name: string
  readonly times: number
  /** Milliseconds of one, median. */
  readonly each: number
}

const ITERATIONS = 150
const WARM_UP = 20

/**
 * The cryptography of one release, measured bare: Node's OpenSSL, one thread, keys loaded. Certificates that stay the
 * same (AMD's, the utility VM's endorser's) are verified once and are not in it.
 */
export function measureFloor(): FloorPart[] {
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const report = randomBytes(0x2a0)
  const token = randomBytes(2500)
  const ecdsa = (key: KeyObject) => ({ key, dsaEncoding: 'ieee-p1363' }) as const
  const reportSignature = sign('sha384', report, ecdsa(p384.privateKey))
  const certificateSignature = sign('sha256', token, p256.privateKey)
  const tokenSignature = sign('sha256', token, rsa.privateKey)
  const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }
  const kek = randomBytes(32)
  const wrappedKek = publicEncrypt({ key: rsa.publicKey, ...oaep }, kek)
  const pkcs8 = rsa.privateKey.export({ type: 'pkcs8', format: 'der' })
  const iv = Buffer.from('a65959a6', 'hex')
  const wrap = () => {
    const cipher = createCipheriv('id-aes256-wrap-pad', kek, iv)
    return Buffer.concat([cipher.update(pkcs8), cipher.final()])
  }
  const wrapped = wrap()
  const part = (name: string, times: number, work: () => unknown): FloorPart => ({ name, times, each: time(work) })
  return [
    part('P-384 sign: the report', 1, () => sign('sha384', report, ecdsa(p384.privateKey))),
    part('P-384 verify: MAA of the report', 1, () => verify('sha384', report, ecdsa(p384.publicKey), reportSignature)),
    part('RSA-2048 sign: MAA token, JWS of the vault', 2, () => sign('sha256', token, rsa.privateKey)),
    part('RSA-2048 verify: access and MAA token, JWS', 3, () => verify('sha256', token, rsa.publicKey, tokenSignature)),
    part("P-256 verify: the chain of the JWS's x5c", 2, () =>
      verify('sha256', token, p256.publicKey, certificateSignature),
    ),
    part('RSA-OAEP encrypt', 1, () => publicEncrypt({ key: rsa.publicKey, ...oaep }, kek)),
    part('RSA-OAEP decrypt', 1, () => privateDecrypt({ key: rsa.privateKey, ...oaep }, wrappedKek)),
    part('AES-256 key wrap with padding', 1, wrap),
    part('AES-256 key unwrap', 1, () => {
      const decipher = createDecipheriv('id-aes256-wrap-pad', kek, iv)
      return Buffer.concat([decipher.update(wrapped), decipher.final()])
    }),
  ]
}

/** What a release costs on top when no wrapping key is in stock. Milliseconds, median. */
export const measureKeyGeneration = (): number => median(keyGenerations(15))

/** What the keys of many releases cost each, in milliseconds: few of them take very long. */
export function meanKeyGeneration(): number {
  const samples = keyGenerations(80)
  return samples.reduce((sum, sample) => sum + sample, 0) / samples.length
}

function keyGenerations(count: number): number[] {
  return Array.from({ length: count }, () => {
    const begun = performance.now()
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    createPublicKey(publicKey.export({ format: 'pem', type: 'spki' }))
    return performance.now() - begun
  })
}

export const sumOf = (parts: readonly FloorPart[]): number =>
  parts.reduce((sum, { each, times }) => sum + each * times, 0)

function time(work: () => unknown): number {
  const samples: number[] = []
  for (let at = -WARM_UP; at < ITERATIONS; at += 1) {
    const begun = performance.now()
    work()
    if (at >= 0) samples.push(performance.now() - begun)
  }
  return median(samples)
}
