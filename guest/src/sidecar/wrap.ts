import { constants, createPublicKey, type KeyObject, publicEncrypt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { GoJsonError, parseGoObject, textOf } from './go-json.ts'
import { type AnnotationPacket, encodePacket } from './grpc/protocol.ts'

/** What is to be wrapped cannot be: a file is missing or is not what it must be. The message names the file. */
export class WrapError extends Error {
  readonly code = 'ERR_WRAP'

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'WrapError'
  }
}

/**
 * Encrypts data for an RSA key in a vault, of which only the public half is here: RSA-OAEP with SHA-256.
 * @param keyPath `<keyPath>-info.json` says `public_key_path` (PEM), `kms_endpoint` and `attester_endpoint`; the last part
 * of the path is the key's name in the vault
 * @returns the annotation packet, JSON
 * @throws WrapError
 */
export async function wrapWithPublicKey(plaintext: Uint8Array, keyPath: string): Promise<Buffer> {
  const infoFile = `${keyPath}-info.json`
  const info = parseInfo(infoFile, await readText(infoFile, 'failed to read key info file'))
  const pem = await readText(info.publicKeyPath, 'failed to read public key file')
  const key = parsePublicKey(info.publicKeyPath, pem)
  const { kmsEndpoint, attesterEndpoint } = info
  const packet: AnnotationPacket = {
    kid: keyPath.endsWith('/') ? '' : basename(keyPath),
    wrappedData: encrypt(key, plaintext),
    kmsEndpoint,
    attesterEndpoint,
  }
  return encodePacket(packet)
}

async function readText(file: string, failed: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new WrapError(`${failed} ${file}: ${(cause as NodeJS.ErrnoException).code}`, cause)
  }
}

function parseInfo(file: string, text: string) {
  try {
    const info = parseGoObject(text)
    return {
      publicKeyPath: textOf(info, 'public_key_path'),
      kmsEndpoint: textOf(info, 'kms_endpoint'),
      attesterEndpoint: textOf(info, 'attester_endpoint'),
    }
  } catch (cause) {
    if (!(cause instanceof GoJsonError)) throw cause
    throw new WrapError(`invalid RSA key info file ${file}: ${cause.message}`, cause)
  }
}

function parsePublicKey(file: string, pem: string): KeyObject {
  let key: KeyObject
  try {
    key = createPublicKey(pem)
  } catch (cause) {
    throw new WrapError(`invalid public key in ${file}`, cause)
  }
  if (key.asymmetricKeyType !== 'rsa') throw new WrapError(`invalid public RSA key in ${file}`)
  return key
}

function encrypt(key: KeyObject, plaintext: Uint8Array): Uint8Array {
  try {
    return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, plaintext)
  } catch {
    const longest = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8 - 2 * 32 - 2
    throw new WrapError(`failed to encrypt with the public key: it takes ${longest} bytes, not ${plaintext.length}`)
  }
}
