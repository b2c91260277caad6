import type { EmulatorContext, VaultRecord } from '../core/index.ts'
import type { Principal } from '../entra/index.ts'
import type { BackupBlobs } from './crypto/backup-blob.ts'
import type { LocalRbac } from './local-rbac/assignments.ts'
import type { Personality, View } from './personality/personality.ts'
import type { AttestationTokens } from './release/attestation-token.ts'
import type { KeyState } from './state.ts'
import type { Target } from './target.ts'

/** What the handlers of one emulator share. */
export interface Parts {
  readonly ctx: EmulatorContext
  readonly keys: KeyState
  /** What time does to keys by itself; until it is disposed of. */
  readonly lifecycle: Disposable
  readonly localRbac: LocalRbac
  readonly attestationTokens: AttestationTokens
  readonly backups: BackupBlobs
}

/** One request that was authenticated and authorised. */
export interface Call extends View {
  readonly parts: Parts
  readonly vault: VaultRecord
  readonly personality: Personality
  readonly principal: Principal
  readonly target: Target
  readonly query: URLSearchParams
  readonly path: string
  readonly requestId: string
  /** The body's JSON; undefined when there is none. Throws 400 for what is not JSON. */
  body(): Promise<unknown>
}

export interface Reply {
  readonly status: number
  /** Written in the personality's order, unless it is text already. */
  readonly body?: object
}

export const ok = (body: object): Reply => ({ status: 200, body })
