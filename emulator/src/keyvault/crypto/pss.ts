import { constants, createHash, type KeyObject, privateDecrypt, publicEncrypt, timingSafeEqual } from 'node:crypto'

/*
 * EMSA-PSS (RFC 8017 section 9.1) around OpenSSL's raw RSA, because the service signs digests and Node's API signs only
 * messages that it hashes itself. Salt as long as the hash, MGF1 with the same hash, as RFC 7518 section 3.5 has it.
 */

const raw = { padding: constants.RSA_NO_PADDING }

/** Signs a digest with RSASSA-PSS. `salt` is as long as the digest. */
export function signPss(privateKey: KeyObject, hash: string, digest: Buffer, salt: Buffer): Buffer {
  const bits = modulusBits(privateKey) - 1
  // A raw private operation is the same exponentiation whether it is called decryption or signature.
  return privateDecrypt({ key: privateKey, ...raw }, leftPad(encode(hash, digest, salt, bits), privateKey))
}

export function verifyPss(publicKey: KeyObject, hash: string, digest: Buffer, signature: Buffer): boolean {
  const bits = modulusBits(publicKey) - 1
  if (signature.length !== Math.ceil((bits + 1) / 8)) return false
  let encoded: Buffer
  try {
    encoded = publicEncrypt({ key: publicKey, ...raw }, signature)
  } catch {
    return false
  }
  const size = Math.ceil(bits / 8)
  if (encoded.subarray(0, encoded.length - size).some((byte) => byte !== 0)) return false
  const block = encoded.subarray(encoded.length - size)
  const dbSize = size - digest.length - 1
  const mask = mgf1(hash, block.subarray(dbSize, size - 1), dbSize)
  const db = xor(block.subarray(0, dbSize), mask)
  db[0]! &= firstByteMask(bits)
  // The salt is the tail of the unmasked block; encoding it again must give the same block.
  const salt = db.subarray(dbSize - digest.length)
  return timingSafeEqual(encode(hash, digest, salt, bits), block)
}

function encode(hash: string, digest: Buffer, salt: Buffer, bits: number): Buffer {
  const size = Math.ceil(bits / 8)
  const dbSize = size - digest.length - 1
  const h = createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest()
  const db = Buffer.alloc(dbSize)
  db[dbSize - salt.length - 1] = 1
  salt.copy(db, dbSize - salt.length)
  const masked = xor(db, mgf1(hash, h, dbSize))
  masked[0]! &= firstByteMask(bits)
  return Buffer.concat([masked, h, Buffer.from([0xbc])])
}

function mgf1(hash: string, seed: Buffer, size: number): Buffer {
  const blocks: Buffer[] = []
  for (let counter = 0, made = 0; made < size; counter++) {
    const number = Buffer.alloc(4)
    number.writeUInt32BE(counter)
    const block = createHash(hash).update(seed).update(number).digest()
    blocks.push(block)
    made += block.length
  }
  return Buffer.concat(blocks).subarray(0, size)
}

const firstByteMask = (bits: number): number => 0xff >> (8 * Math.ceil(bits / 8) - bits)

const modulusBits = (key: KeyObject): number => key.asymmetricKeyDetails?.modulusLength ?? 0

function leftPad(block: Buffer, key: KeyObject): Buffer {
  return Buffer.concat([Buffer.alloc(Math.ceil(modulusBits(key) / 8) - block.length), block])
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, index) => byte ^ b[index]!))
}
