import { constants, type KeyObject, privateDecrypt } from 'node:crypto'
import { SnpDeviceError } from '../../device/index.ts'
import { withoutTokens } from '../../http/upstream.ts'
import { encodeHex } from '../../wire/index.ts'
import { decodeGoBase64 } from '../go-base64.ts'
import type { AttestationData, Operations } from '../operations.ts'
import { WrapError, wrapWithPublicKey } from '../wrap.ts'
import { RPC_STATUS, RpcError } from './errors.ts'
import { encodeUnwrapResult, encodeWrapResult, parseUnwrapRequest, parseWrapRequest } from './protocol.ts'

/** The calls of `key_provider.KeyProviderService`, without their envelopes. */
export interface KeyProvider {
  sayHello(name: string): string
  /** @returns hex */
  getReport(reportData: string): Promise<string>
  getAttestationData(runtimeDataBase64: string): Promise<AttestationData>
  wrapKey(input: Uint8Array): Promise<Buffer>
  /** @returns the answer's bytes, which hold the plaintext */
  unwrapKey(input: Uint8Array): Promise<Buffer>
}

/** Each call throws RpcError, with the code that the original answers and its words in front of the reason. */
export function createKeyProvider(operations: Operations): KeyProvider {
  return {
    sayHello: (name) => `Hello ${name}`,

    getReport: (reportData) =>
      reportFailures(async () => encodeHex(await operations.report(Buffer.from(reportData, 'utf8')))),

    async getAttestationData(runtimeDataBase64) {
      const runtimeData = decodeGoBase64(runtimeDataBase64)
      if (runtimeData === undefined)
        throw new RpcError(
          RPC_STATUS.failedPrecondition,
          'decoding base64-encoded runtime data of request failed: it must be standard base64, padded',
        )
      return await reportFailures(() => operations.attestationData(runtimeData))
    },

    async wrapKey(input) {
      const { keyPath, plaintext } = parseWrapRequest(input)
      try {
        return encodeWrapResult(await wrapWithPublicKey(plaintext, keyPath))
      } catch (error) {
        if (!(error instanceof WrapError)) throw error
        throw new RpcError(RPC_STATUS.internal, error.message)
      } finally {
        plaintext.fill(0)
      }
    },

    async unwrapKey(input) {
      const packet = parseUnwrapRequest(input)
      const { keyObject } = await operations
        .release({ maaEndpoint: packet.attesterEndpoint, akvEndpoint: packet.kmsEndpoint, kid: packet.kid })
        .catch((error: Error) => failed(RPC_STATUS.unknown, 'SKR failed', error))
      const plaintext = decrypt(keyObject, packet.wrappedData)
      try {
        return encodeUnwrapResult(plaintext)
      } finally {
        plaintext.fill(0)
      }
    },
  }
}

async function reportFailures<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof SnpDeviceError && error.code === 'ERR_SNP_DEVICE_MISSING')
      throw new RpcError(RPC_STATUS.failedPrecondition, `SEV guest driver is missing: ${error.message}`)
    return failed(RPC_STATUS.internal, 'failed to retrieve attestation report', error as Error)
  }
}

function decrypt(key: KeyObject, wrappedData: Uint8Array): Buffer {
  if (key.asymmetricKeyType !== 'rsa') throw new RpcError(RPC_STATUS.unknown, 'Released key is not a RSA private key')
  try {
    return privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, wrappedData)
  } catch {
    throw new RpcError(RPC_STATUS.unknown, 'Unwrapping failed: the data was not wrapped for the released key')
  }
}

function failed(status: RpcError['status'], words: string, error: Error): never {
  throw new RpcError(status, `${words}: ${withoutTokens(error.message)}`)
}
