import type { Socket } from 'node:net'
import type { EmulatorContext } from '../core/index.ts'
import type { VirtualProcessor } from '../psp/types.ts'
import type { ConfidentialRunner } from '../run/types.ts'
import type { ImageCatalogue } from './images.ts'

/** What the emulated Azure Container Instances needs from the rest of the emulator. */
export interface ContainerGroupsOptions {
  readonly psp: VirtualProcessor
  readonly runner: ConfidentialRunner
  readonly images: ImageCatalogue
  readonly clientEnvironment: ClientEnvironment
  /** Where security context directories are made; a private temporary directory unless given. */
  readonly workDir?: string
}

/** How a container's program reaches the emulator: given by whoever opened the doors. */
export interface ClientEnvironment {
  /** PEM file with the emulator's root certificate. */
  readonly caFile: string
  /** The HTTPS proxy to use where a group has no network of its own; carries the group's credential. */
  proxyUrl(groupId: string): string
  /** Exact host names that shall lead to the emulator inside a group's network. */
  hostNames(): readonly string[]
  /** Calls `changed` whenever `hostNames` has become another list, until disposed of. */
  watchHostNames?(changed: () => void): Disposable
  /** Takes a connection that came out of the group's own network: 443 carries TLS, 80 plain HTTP. */
  accept?(groupId: string, socket: Socket, port: 443 | 80): void
}

/** `properties` of a container group and its envelope, checked and in one spelling (Microsoft.ContainerInstance). */
export interface ContainerGroupSpec {
  readonly location: string
  readonly tags?: Readonly<Record<string, string>>
  readonly zones?: readonly string[]
  readonly identity?: GroupIdentity
  readonly sku: 'Standard' | 'Dedicated' | 'Confidential'
  readonly osType: 'Linux' | 'Windows'
  readonly restartPolicy: RestartPolicy
  readonly containers: readonly ContainerSpec[]
  readonly initContainers: readonly ContainerSpec[]
  readonly ipAddress?: IpAddressSpec
  /** Base64 of the policy text as it was given, or as the service filled it in; only for Confidential. */
  readonly ccePolicy?: string
  /** Members that are kept and echoed and have no effect here: volumes, dnsConfig, subnetIds, priority. */
  readonly echoed: Readonly<Record<string, unknown>>
}

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never'

export interface GroupIdentity {
  readonly type: 'SystemAssigned' | 'UserAssigned' | 'SystemAssigned, UserAssigned' | 'None'
  /** Full ARM ids as they were written. */
  readonly userAssigned: readonly string[]
  /** Object id of the system-assigned identity, once made. */
  readonly principalId?: string
}

export interface IpAddressSpec {
  readonly type: 'Public' | 'Private'
  readonly ports: readonly ContainerPort[]
  readonly dnsNameLabel?: string
}

export interface ContainerPort {
  readonly port: number
  readonly protocol?: 'TCP' | 'UDP'
}

export interface ContainerSpec {
  readonly name: string
  readonly image: string
  readonly command?: readonly string[]
  readonly environmentVariables: readonly EnvironmentVariable[]
  readonly ports: readonly ContainerPort[]
  readonly resources?: ContainerResources
  /** Members that are kept and echoed and have no effect here: volumeMounts, probes, securityContext. */
  readonly echoed: Readonly<Record<string, unknown>>
}

/** A secure one has no `value` here: values of that kind are held in memory only and never come back. */
export interface EnvironmentVariable {
  readonly name: string
  readonly value?: string
  readonly secure?: boolean
}

export interface ContainerResources {
  readonly requests: { readonly cpu: number; readonly memoryInGB: number }
  readonly limits?: { readonly cpu?: number; readonly memoryInGB?: number }
}

export interface ContainerEvent {
  readonly count: number
  readonly firstTimestamp: string
  readonly lastTimestamp: string
  readonly name: string
  readonly message: string
  readonly type: 'Normal' | 'Warning'
}

export interface ContainerState {
  readonly state: 'Waiting' | 'Running' | 'Terminated'
  readonly startTime?: string
  readonly exitCode?: number
  readonly finishTime?: string
  readonly detailStatus: string
}

export interface ContainerView {
  readonly restartCount: number
  readonly currentState?: ContainerState
  readonly previousState?: ContainerState
  readonly events: readonly ContainerEvent[]
}

export type GroupState = 'Pending' | 'Running' | 'Stopped' | 'Succeeded' | 'Failed'

export type ProvisioningState = 'Pending' | 'Creating' | 'Updating' | 'Succeeded' | 'Failed' | 'Unhealthy'

/** A container group as it is kept: collection `containerGroups`, key: lower-case ARM id. */
export interface ContainerGroupRecord {
  /** Full ARM id, in the case it was created with. */
  readonly id: string
  readonly name: string
  readonly spec: ContainerGroupSpec
  readonly provisioningState: ProvisioningState
  readonly state: GroupState
  readonly events: readonly ContainerEvent[]
  readonly views: Readonly<Record<string, ContainerView>>
  /** The address of ipAddress.ip, once assigned. From TEST-NET-3 (RFC 5737): it leads nowhere. */
  readonly ip?: string
  /** Lower-case hex of what the guest was launched with. */
  readonly hostData?: string
}

/** One long-running operation on a group. */
export interface GroupOperation {
  /** The group as it is when the operation is accepted. */
  readonly group: ContainerGroupRecord
  /** Whether the group was not there before. */
  readonly created: boolean
  /** Resolves when the operation has ended; never rejects. */
  readonly done: Promise<OperationResult>
}

export interface OperationResult {
  readonly status: 'Succeeded' | 'Failed'
  readonly error?: { readonly code: string; readonly message: string }
}

export interface LogOptions {
  readonly tail?: number
  readonly timestamps?: boolean
}

/** The container groups of one emulator and the processes that run for them. Ids are compared without case. */
export interface ContainerGroups extends AsyncDisposable {
  /** Checks `body` (the ARM request) and starts creating or updating; throws ContainerGroupError. */
  put(id: string, body: unknown, options?: PutOptions): Promise<GroupOperation>
  /** The checks of `put` with nothing done. */
  validate(id: string, body: unknown): ContainerGroupSpec
  get(id: string): ContainerGroupRecord | undefined
  /** Groups whose id starts with this scope. */
  list(scope: string): ContainerGroupRecord[]
  setTags(id: string, tags: Readonly<Record<string, string>>): ContainerGroupRecord
  /** Ends the group's processes and removes it; undefined when there is none. Its last state is the answer. */
  delete(id: string): Promise<ContainerGroupRecord | undefined>
  /** In place: the guest stays as it was launched, the containers start anew. */
  restart(id: string): Promise<GroupOperation>
  start(id: string): Promise<GroupOperation>
  stop(id: string): Promise<void>
  /** Throws ContainerGroupError when there is no such container. */
  logs(id: string, container: string, options?: LogOptions): string
  /** Starts what ran when the emulator ended, as a platform does after its own restart; resolves when all is begun. */
  resume(): Promise<void>
  /** Ends every process and removes every file. */
  close(): Promise<void>
}

export interface PutOptions {
  /** Makes the system-assigned identity's service principal; gives its object id. */
  readonly systemIdentity?: () => string
}

export type AciContext = Pick<EmulatorContext, 'clock' | 'store' | 'journal' | 'random' | 'faults'>
