import { RELEASE_POLICY_CONTENT_TYPE } from '@skerry/guest/wire'
import * as v from 'valibot'
import { badParameter } from '../errors.ts'
import type { WantedReleasePolicy } from '../rules/release-policy.ts'
import type { WantedRotationPolicy } from '../rules/rotation-policy.ts'

/*
 * Request bodies. Unknown members are accepted everywhere and null means absent, as the real service has it; what is
 * known must have the right type.
 */

const optional = <T extends v.GenericSchema>(schema: T) => v.nullish(schema)

const attributes = v.looseObject({
  enabled: optional(v.boolean()),
  nbf: optional(v.pipe(v.number(), v.integer())),
  exp: optional(v.pipe(v.number(), v.integer())),
  exportable: optional(v.boolean()),
  external_key: optional(v.looseObject({ id: v.string() })),
})

const tags = v.record(v.string(), v.string())

const releasePolicy = v.looseObject({
  contentType: optional(v.string()),
  data: optional(v.string()),
  immutable: optional(v.boolean()),
})

const common = {
  attributes: optional(attributes),
  tags: optional(tags),
  release_policy: optional(releasePolicy),
}

const createBody = v.looseObject({
  ...common,
  kty: v.string(),
  key_size: optional(v.pipe(v.number(), v.integer())),
  public_exponent: optional(v.pipe(v.number(), v.integer())),
  key_ops: optional(v.array(v.string())),
  crv: optional(v.string()),
})

const importBody = v.looseObject({
  ...common,
  hsm: optional(v.boolean()),
  key: optional(v.looseObject({ key_ops: optional(v.array(v.string())) })),
})
const updateBody = v.looseObject({ ...common, key_ops: optional(v.array(v.string())) })

const cryptoBody = v.looseObject({
  alg: v.string(),
  value: optional(v.string()),
  digest: optional(v.string()),
  iv: optional(v.string()),
  aad: optional(v.string()),
  tag: optional(v.string()),
})

const releaseBody = v.looseObject({
  target: optional(v.string()),
  nonce: optional(v.string()),
  enc: optional(v.string()),
})

const rotationPolicyBody = v.looseObject({
  lifetimeActions: optional(
    v.array(
      v.looseObject({
        trigger: optional(
          v.looseObject({ timeAfterCreate: optional(v.string()), timeBeforeExpiry: optional(v.string()) }),
        ),
        action: v.looseObject({ type: v.string() }),
      }),
    ),
  ),
  attributes: optional(v.looseObject({ expiryTime: optional(v.string()) })),
})

const backupBody = v.looseObject({ value: v.string() })

/** The members that create, import and update share. */
export interface CommonFields {
  readonly enabled?: boolean
  readonly notBefore?: number
  readonly expires?: number
  readonly exportable?: boolean
  readonly tags?: Readonly<Record<string, string>>
  readonly releasePolicy?: WantedReleasePolicy
}

export interface CreateFields extends CommonFields {
  readonly kty: string
  readonly keySize?: number
  readonly exponent?: number
  readonly keyOps?: readonly string[]
  readonly curve?: string
  /** Names a key in an external key manager. */
  readonly externalKey?: string
}

export interface ImportFields extends CommonFields {
  readonly hardware: boolean
  readonly jwk: Readonly<Record<string, unknown>> | undefined
  readonly keyOps?: readonly string[]
}

export interface UpdateFields extends CommonFields {
  readonly keyOps?: readonly string[]
}

export type CryptoFields = {
  readonly [name in 'value' | 'digest' | 'iv' | 'aad' | 'tag']?: string
} & { readonly alg: string }

export interface ReleaseFields {
  readonly target?: string
  readonly nonce?: string
  readonly enc?: string
}

export function readCreate(body: unknown): CreateFields {
  const input = read(createBody, body)
  return {
    kty: input.kty,
    ...present({
      keySize: input.key_size,
      exponent: input.public_exponent,
      keyOps: nonEmpty(input.key_ops),
      curve: input.crv,
      externalKey: input.attributes?.external_key?.id,
    }),
    ...commonFields(input),
  }
}

export function readImport(body: unknown): ImportFields {
  // Spelled `Hsm` by the specification and `hsm` by the importer of the open-source sidecar.
  const spelled = isObject(body) ? Object.entries(body).find(([name]) => name.toLowerCase() === 'hsm') : undefined
  const input = read(importBody, isObject(body) ? { ...body, hsm: spelled?.[1] } : body)
  const keyOps = nonEmpty(input.key?.key_ops)
  return { hardware: input.hsm ?? false, jwk: input.key ?? undefined, ...present({ keyOps }), ...commonFields(input) }
}

export function readUpdate(body: unknown): UpdateFields {
  const input = read(updateBody, body ?? {})
  return { ...present({ keyOps: input.key_ops }), ...commonFields(input) }
}

export function readCrypto(body: unknown): CryptoFields {
  const { alg, value, digest, iv, aad, tag } = read(cryptoBody, body)
  return { alg, ...present({ value, digest, iv, aad, tag }) }
}

export function readRelease(body: unknown): ReleaseFields {
  const { target, nonce, enc } = read(releaseBody, body)
  return present({ target, nonce, enc })
}

export function readRotationPolicy(body: unknown): WantedRotationPolicy {
  const input = read(rotationPolicyBody, body)
  return {
    lifetimeActions: (input.lifetimeActions ?? []).map(({ trigger, action }) => ({
      type: action.type,
      ...present({ timeAfterCreate: trigger?.timeAfterCreate, timeBeforeExpiry: trigger?.timeBeforeExpiry }),
    })),
    ...present({ expiryTime: input.attributes?.expiryTime || undefined }),
  }
}

/** A backup blob, base64url. */
export function readBackup(body: unknown): string {
  return read(backupBody, body).value
}

/** The number of random bytes that are asked for. Anything but a number from 1 to 128 is refused as the service does. */
export function readRandomCount(body: unknown): number {
  const count = isObject(body) ? body.count : undefined
  if (typeof count === 'number' && Number.isInteger(count) && count >= 1 && count <= 128) return count
  throw badParameter('GetRandomBytesRequest: count cannot be greater than 128 or less than 1')
}

function commonFields(input: v.InferOutput<typeof updateBody>): CommonFields {
  const policy = input.release_policy
  const known = input.attributes
  if (input.tags) requireFewTags(input.tags)
  return present({
    enabled: known?.enabled,
    notBefore: known?.nbf,
    expires: known?.exp,
    exportable: known?.exportable,
    tags: input.tags,
    releasePolicy: policy
      ? {
          contentType: policy.contentType ?? RELEASE_POLICY_CONTENT_TYPE,
          data: policy.data ?? '',
          immutable: policy.immutable ?? false,
        }
      : undefined,
  })
}

/** At most 15 tags of at most 256 characters on either side ("About keys: key tags"); the words of the refusal are ours. */
function requireFewTags(tags: Readonly<Record<string, string>>): void {
  const entries = Object.entries(tags)
  if (entries.length > 15) throw badParameter('Property tags has more than 15 tags')
  if (entries.some(([name, value]) => name.length > 256 || value.length > 256)) {
    throw badParameter('Property tags has a name or value of more than 256 characters')
  }
}

function read<T extends v.GenericSchema>(schema: T, body: unknown): v.InferOutput<T> {
  const result = v.safeParse(schema, body)
  if (result.success) return result.output
  const [issue] = result.issues
  const path = v.getDotPath(issue)
  // The issue's own message would quote what was received, which may be key material.
  throw badParameter(path === null ? 'The request body must be a JSON object.' : `Property ${path} has invalid value`)
}

/** An empty list of operations means the same as none given: all of them. */
const nonEmpty = <T>(list: readonly T[] | null | undefined) => (list?.length ? list : undefined)

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

type Present<T> = { [K in keyof T]?: Exclude<T[K], null | undefined> }

/** Without the members that are null or undefined. */
function present<T extends object>(members: T): Present<T> {
  const kept: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(members)) if (value !== undefined && value !== null) kept[name] = value
  return kept as Present<T>
}
