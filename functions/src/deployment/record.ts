import type { ClaimCondition, ReleasePolicy } from '@skerry/guest/wire'
import type { TemplateReading } from './template.ts'

/** What is to be deployed: a request that was found valid. Holds no secret, since it lives in orchestration history. */
export interface DeploymentSpec {
  /** 1 to 63 lower-case letters, digits and hyphens; also the name of the ARM deployment. */
  readonly name: string
  readonly subscriptionId: string
  readonly resourceGroup: string
  readonly location: string
  readonly template: Record<string, unknown>
  readonly parameters: Record<string, { readonly value: unknown }>
  readonly reading: TemplateReading
  readonly key: KeySpec
}

export interface KeySpec {
  readonly name: string
  readonly kty: 'RSA-HSM' | 'oct-HSM'
  /** `v.vault.azure.net` or `h.managedhsm.azure.net`. */
  readonly vaultHost: string
  /** Host of the attestation provider. */
  readonly authority: string
  /** The import configuration's own conditions, without host data: each inner list is one way to be allowed. */
  readonly claims: readonly (readonly ClaimCondition[])[]
}

export type Operation = 'provision' | 'upgrade' | 'rotate' | 'teardown'
export type Phase =
  | 'Provisioning'
  | 'Running'
  | 'Upgrading'
  | 'Rotating'
  | 'Deleting'
  | 'Deleted'
  | 'Undoing'
  | 'Failed'

/** One step of an operation, with its times (ISO 8601, from the orchestration's own clock). */
export interface Step {
  readonly name: string
  readonly startedAt: string
  readonly endedAt?: string
  readonly outcome: 'running' | 'done' | 'failed'
  readonly detail?: string
}

/** What the orchestration found or made, step by step: enough to undo it, and to tell a person. */
export interface Effects {
  readonly vault?: VaultReference
  readonly identity?: IdentityReference
  readonly role?: RoleReference
  readonly hostData?: string
  readonly releasePolicy?: ReleasePolicy
  readonly key?: KeyReference
  readonly group?: { readonly id: string; readonly state: string }
  readonly proof?: ProofReference
  /** What of this was taken away again: what bears its name by now is another's. */
  readonly gone?: readonly Removable[]
}

/** What a deployment can make, and take away again. */
export type Removable = 'group' | 'key' | 'role' | 'identity'

export interface VaultReference {
  readonly kind: 'vault' | 'managedHsm'
  readonly id: string
  readonly url: string
}

export interface IdentityReference {
  readonly id: string
  readonly principalId: string
  readonly clientId: string
  /** True when this deployment made it, so that it may remove it. */
  readonly created: boolean
}

export interface RoleReference {
  readonly id: string
  readonly roleName: string
  readonly scope: string
  readonly created: boolean
}

export interface KeyReference {
  /** Full key identifier, version included. */
  readonly id: string
  readonly name: string
  readonly version: string
  readonly created: boolean
}

/** The challenge that shows possession of a key version without showing the key. */
export interface ProofReference {
  readonly keyVersion: string
  /** SHA-256 of the plaintext, lower-case hex: what must appear in the container's log. */
  readonly plaintextSha256: string
  readonly container: string
  readonly provenAt?: string
}

export interface Rotation {
  readonly at: string
  readonly fromVersion: string
  readonly toVersion: string
}

/** What outlives an orchestration; the state of the `deployment` entity. */
export interface DeploymentRecord {
  readonly spec: DeploymentSpec
  readonly phase: Phase
  readonly effects: Effects
  readonly operation: Operation
  readonly steps: readonly Step[]
  readonly failure?: { readonly step: string; readonly code: string; readonly reason: string }
  readonly rotations: readonly Rotation[]
  /** When the current key version came to be; the rotation sweep compares it with the age allowed. */
  readonly keyVersionSince?: string
  readonly updatedAt: string
  /** What was left in Azure on purpose after a teardown, in words. */
  readonly remains?: readonly string[]
}
