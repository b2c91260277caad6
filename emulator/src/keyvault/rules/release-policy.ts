import { encodeReleasePolicy, parseReleasePolicy, type ReleasePolicy, WireError } from '@skerry/guest/wire'
import { alphabetical, base64Url, bytesOf } from '../encoding.ts'

/** How a release policy came in: base64url of its JSON, and what goes with it. */
export interface WantedReleasePolicy {
  readonly contentType: string
  readonly data: string
  readonly immutable: boolean
}

/** Why a policy is not one. The message names the place in the policy and quotes nothing. */
export class ReleasePolicyProblem extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ReleasePolicyProblem'
  }
}

/** The policy in base64url, parsed. Throws ReleasePolicyProblem. */
export function readReleasePolicy(data: string): ReleasePolicy {
  return parse(jsonOf(data))
}

/**
 * Vaults rebuild the policy when they store it: version first, then for each authority its name before its conditions,
 * and the old grammar (`condition`, `value`) as the new one. Types of values are kept. Gives base64url.
 */
export function normaliseForVault(data: string): string {
  return encodeReleasePolicy(readReleasePolicy(data))
}

/**
 * Managed HSMs keep the policy's own members and types, in compact JSON with members in alphabetical order; an authority
 * that is a bare host gets a final slash. Gives base64url.
 */
export function normaliseForManagedHsm(data: string): string {
  const json = jsonOf(data)
  if (!('version' in json)) throw new ReleasePolicyProblem("missing 'version' property")
  parse(json)
  const authorities = (json.anyOf as { authority: string }[]).map((rule) => ({
    ...rule,
    authority: /^https?:\/\/[^/]+$/.test(rule.authority) ? `${rule.authority}/` : rule.authority,
  }))
  return base64Url(Buffer.from(JSON.stringify(alphabetical({ ...json, anyOf: authorities })), 'utf8'))
}

function jsonOf(data: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(bytesOf(data, 'release_policy.data').toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // The parser's message quotes the text; what is wrong is said below without it.
  }
  throw new ReleasePolicyProblem('the data is not base64url of a JSON object')
}

function parse(json: unknown): ReleasePolicy {
  try {
    return parseReleasePolicy(json)
  } catch (error) {
    if (error instanceof WireError) throw new ReleasePolicyProblem(error.message)
    throw error
  }
}
