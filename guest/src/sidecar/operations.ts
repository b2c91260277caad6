import { createHash } from 'node:crypto'
import { type AttestationContext, collectEvidence } from '../attest/evidence.ts'
import type { Clock } from '../clock.ts'
import type { Fetch } from '../http/upstream.ts'
import type { TokenSource } from '../identity/vault-token.ts'
import { attest } from '../maa/attest.ts'
import { type ReleasedKey, releaseKey } from '../skr/release.ts'
import type { TrustStore } from '../skr/trust-store.ts'
import type { WrappingKeys } from '../skr/wrapping-key.ts'
import { encodeBase64, encodeUtf8 } from '../wire/index.ts'
import type { Log } from './log.ts'

export interface SidecarOptions {
  readonly context: AttestationContext
  /** Content of `reference-info-base64`, handed on to those who verify evidence themselves. */
  readonly referenceInfoBase64?: string
  readonly credential: TokenSource
  readonly wrappingKeys?: WrappingKeys
  readonly trust?: TrustStore
  readonly fetch?: Fetch
  readonly clock?: Clock
  readonly log: Log
}

/** All that a verifier needs, as texts. */
export interface AttestationData {
  /** The TCB that the certificates are for, in hex, as the host wrote it. */
  readonly endorsedTcb: string
  /** Base64 of VCEK, ASK and ARK in PEM. */
  readonly certificates: string
  /** Base64. */
  readonly report: string
  /** Base64; empty where the host gave none. */
  readonly uvmReferenceInfo: string
}

export interface ReleaseRequest {
  readonly maaEndpoint: string
  readonly akvEndpoint: string
  readonly kid: string
  readonly accessToken?: string
}

/** What the sidecar does for other containers, whichever way they ask. Each throws what the library throws. */
export interface Operations {
  /** 1184 bytes over SHA-256(runtimeData) and 32 zero bytes. Needs no certificates. */
  report(runtimeData: Uint8Array): Promise<Uint8Array>
  attestationData(runtimeData: Uint8Array): Promise<AttestationData>
  /** An attestation token. */
  attest(maaEndpoint: string, runtimeData: Uint8Array): Promise<string>
  release(request: ReleaseRequest): Promise<ReleasedKey>
}

export function createOperations(options: SidecarOptions): Operations {
  const { context, log } = options
  const ambient = { ...(options.fetch && { fetch: options.fetch }), ...(options.clock && { clock: options.clock }) }
  return {
    async report(runtimeData) {
      const reportData = new Uint8Array(64)
      reportData.set(createHash('sha256').update(runtimeData).digest())
      const device = await context.device()
      return await device.getReport(reportData)
    },

    async attestationData(runtimeData) {
      const evidence = await collectEvidence(context, { runtimeData })
      return {
        endorsedTcb: evidence.certification.tcbm,
        certificates: encodeBase64(encodeUtf8(evidence.certificateChainPem)),
        report: encodeBase64(evidence.report),
        uvmReferenceInfo: options.referenceInfoBase64 ?? '',
      }
    },

    attest: (maaEndpoint, runtimeData) => attest(context, { maaEndpoint, runtimeData, ...ambient }),

    async release(request) {
      log('info', 'Performing secure key release...')
      log('debug', `Releasing key blob: {${request.kid}}`)
      const released = await releaseKey(context, {
        ...request,
        credential: options.credential,
        ...(options.wrappingKeys && { wrappingKeys: options.wrappingKeys }),
        ...(options.trust && { trust: options.trust }),
        ...ambient,
      })
      log('debug', `Key released of type ${released.jwk.kty}: ${released.kid}`)
      return released
    },
  }
}
