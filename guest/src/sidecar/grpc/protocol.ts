import { decodeGoBase64 } from '../go-base64.ts'
import { GoJsonError, type GoObject, listsOf, objectOf, parseGoObject, textOf, toGoJson } from '../go-json.ts'
import { RPC_STATUS, RpcError } from './errors.ts'

/**
 * The JSON inside WrapKey and UnWrapKey (ocicrypt, "Key Provider protocol"): what is wrapped, and the annotation that
 * says how to unwrap it. No error repeats what came in: what is to be wrapped is a secret.
 */

/** What stands in an image's annotation for a wrapped key. */
export interface AnnotationPacket {
  /** The key's name in the vault. */
  readonly kid: string
  /** RSA-OAEP with SHA-256. */
  readonly wrappedData: Uint8Array
  /** Host name of the vault or managed HSM. */
  readonly kmsEndpoint: string
  /** Host name of the attestation provider. */
  readonly attesterEndpoint: string
}

export interface WrapRequest {
  /** Path of the key without `-info.json`; its last part is the key's name. */
  readonly keyPath: string
  readonly plaintext: Buffer
}

const AGENT = 'skr'

/** @throws RpcError InvalidArgument */
export function parseWrapRequest(bytes: Uint8Array): WrapRequest {
  const { parameters, optsdata } = illFormed('key provider input', () => {
    const params = objectOf(parseGoObject(textOfBytes(bytes)), 'keywrapparams')
    return { parameters: listsOf(objectOf(params, 'ec'), 'Parameters'), optsdata: textOf(params, 'optsdata') }
  })
  const agent = parameters.get('attestation-agent')?.[0]
  if (agent === undefined) throw refused('attestation-agent must be specified in the encryption config parameters')
  const [name = '', keyPath] = (decodeGoBase64(agent)?.toString() ?? '').split(':')
  if (keyPath === undefined) throw refused('Key id is not provided in the request')
  requireAgent(name)
  const plaintext = decodeGoBase64(optsdata)
  if (plaintext === undefined) throw refused('Optsdata is not base64 encoding')
  return { keyPath, plaintext }
}

/** @throws RpcError InvalidArgument */
export function parseUnwrapRequest(bytes: Uint8Array): AnnotationPacket {
  const { parameters, annotation } = illFormed('key provider input', () => {
    const params = objectOf(parseGoObject(textOfBytes(bytes)), 'keyunwrapparams')
    return { parameters: listsOf(objectOf(params, 'dc'), 'Parameters'), annotation: textOf(params, 'annotation') }
  })
  const agent = parameters.get('attestation-agent')?.[0]
  if (agent === undefined) throw refused('attestation-agent must be specified in decryption config parameters')
  requireAgent(decodeGoBase64(agent)?.toString() ?? '')
  const packet = decodeGoBase64(annotation)
  if (packet === undefined) throw refused('Annotation is not a base64 encoding')
  return illFormed('annotation packet', () => parsePacket(parseGoObject(textOfBytes(packet))))
}

/** The annotation as bytes: members in the order, and with the escapes, in which the original writes them. */
export function encodePacket(packet: AnnotationPacket): Buffer {
  return Buffer.from(
    toGoJson({
      kid: packet.kid,
      wrapped_data: Buffer.from(packet.wrappedData).toString('base64'),
      wrap_type: 'rsa_3072',
      ...(packet.kmsEndpoint !== '' && { kms_endpoint: packet.kmsEndpoint }),
      ...(packet.attesterEndpoint !== '' && { attester_endpoint: packet.attesterEndpoint }),
    }),
  )
}

export function encodeWrapResult(annotation: Buffer): Buffer {
  return encodeOutput({ annotation: annotation.toString('base64'), optsdata: null })
}

/** The answer holds the plaintext: wipe it when it is sent. */
export function encodeUnwrapResult(plaintext: Buffer): Buffer {
  return encodeOutput({ annotation: null, optsdata: plaintext.toString('base64') })
}

function encodeOutput({ annotation, optsdata }: { annotation: string | null; optsdata: string | null }): Buffer {
  return Buffer.from(JSON.stringify({ keywrapresults: { annotation }, keyunwrapresults: { optsdata } }))
}

function parsePacket(packet: GoObject): AnnotationPacket {
  const wrappedData = decodeGoBase64(textOf(packet, 'wrapped_data'))
  if (wrappedData === undefined) throw new GoJsonError('wrapped_data must be standard base64')
  return {
    kid: textOf(packet, 'kid'),
    wrappedData,
    kmsEndpoint: textOf(packet, 'kms_endpoint'),
    attesterEndpoint: textOf(packet, 'attester_endpoint'),
  }
}

function requireAgent(name: string): void {
  if (name.toLowerCase() !== AGENT)
    throw refused(`Unexpected attestation agent ${name} specified. Perhaps you send the request to a wrong endpoint?`)
}

function textOfBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}

function illFormed<Read>(what: string, read: () => Read): Read {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof GoJsonError)) throw error
    throw refused(`Ill-formed ${what}. Error: ${error.message}`)
  }
}

function refused(message: string): RpcError {
  return new RpcError(RPC_STATUS.invalidArgument, message)
}
