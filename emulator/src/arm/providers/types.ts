import type { OperationResult } from '../../aci/index.ts'
import { jsonText } from '../../core/json-text.ts'
import type { Principal } from '../../entra/index.ts'
import { ArmError } from '../error.ts'

/** A resource as Resource Manager answers it. */
export interface ArmResource {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly location?: string
  readonly tags?: Readonly<Record<string, string>> | null
  readonly identity?: unknown
  readonly sku?: unknown
  readonly properties: unknown
}

export interface PutRequest {
  readonly id: string
  readonly name: string
  /** Of the request, checked to be an object. */
  readonly body: Readonly<Record<string, unknown>>
  readonly caller: Principal
  readonly apiVersion: string
}

export interface PutResult {
  readonly status: 200 | 201 | 202
  readonly body: ArmResource
  readonly headers?: Readonly<Record<string, string>>
  /** Where the work goes on after the answer. */
  readonly operation?: { readonly done: Promise<OperationResult>; readonly location: string }
  /** Path of the operation that the provider itself answers for, without api-version: goes into `Location`. */
  readonly follow?: string
}

export interface DeleteResult {
  readonly status: 200 | 202 | 204
  readonly body?: ArmResource
  /** As of a PUT. */
  readonly follow?: string
}

/**
 * One type of resource that lives in a resource group. Requests and template deployments come the same way. Ids are
 * compared without case; every method may throw ArmError or ContainerGroupError.
 */
export interface ResourceType {
  /** `Microsoft.KeyVault/vaults`. */
  readonly type: string
  get(id: string, apiVersion?: string): ArmResource | undefined
  /** Resources whose id starts with this scope. */
  list(scope: string, apiVersion?: string): ArmResource[]
  put(request: PutRequest): Promise<PutResult>
  /** Changes one that is there. Absent: only its tags can be. */
  patch?(request: PutRequest): Promise<PutResult>
  /** Undefined: there was none. */
  delete(id: string): Promise<DeleteResult | undefined>
  setTags?(id: string, tags: Readonly<Record<string, string>>): ArmResource
}

/** Text of `location` as Azure stores it: `West Europe` is `westeurope`. @throws ArmError 400 for what is no region's name */
export function normalLocation(location: unknown, fallback: string): string {
  if (typeof location !== 'string' || location === '') return fallback
  const name = location.replaceAll(' ', '').toLowerCase()
  // It goes into headers and URLs.
  if (/^[a-z0-9]{1,64}$/.test(name)) return name
  throw new ArmError(400, {
    code: 'LocationNotAvailableForResourceType',
    message: `The provided location '${location}' is not available.`,
  })
}

export function tagsOf(body: Readonly<Record<string, unknown>>): Record<string, string> | undefined {
  const { tags } = body
  if (tags === null || typeof tags !== 'object' || Array.isArray(tags)) return undefined
  return Object.fromEntries(Object.entries(tags).map(([key, value]) => [key, jsonText(value)]))
}

export function propertiesOf(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { properties } = body
  return properties !== null && typeof properties === 'object' && !Array.isArray(properties)
    ? (properties as Readonly<Record<string, unknown>>)
    : {}
}
