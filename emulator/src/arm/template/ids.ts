import { withoutTrailing } from '../../core/trim-end.ts'
import { fail, stringArg } from './functions.ts'
import type { Value } from './value.ts'

/** Where a deployment happens. */
export interface DeploymentScope {
  readonly subscriptionId: string
  readonly resourceGroup: string
}

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** `resourceId([subscriptionId], [resourceGroup], type, name…)`; a type may end in a slash. */
export function resourceId(args: readonly Value[], scope: DeploymentScope): string {
  const { before, type, names } = splitArguments(args, 'resourceId')
  let { subscriptionId, resourceGroup } = scope
  if (before.length === 2) [subscriptionId, resourceGroup] = [before[0]!, before[1]!]
  else if (before.length === 1 && GUID.test(before[0]!)) subscriptionId = before[0]!
  else if (before.length === 1) resourceGroup = before[0]!
  return `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers/${typeAndNames(type, names, 'resourceId')}`
}

/** `subscriptionResourceId([subscriptionId], type, name…)`. */
export function subscriptionResourceId(args: readonly Value[], scope: DeploymentScope): string {
  const { before, type, names } = splitArguments(args, 'subscriptionResourceId')
  return `/subscriptions/${before[0] ?? scope.subscriptionId}/providers/${typeAndNames(type, names, 'subscriptionResourceId')}`
}

/** `extensionResourceId(baseId, type, name…)`. */
export function extensionResourceId(args: readonly Value[]): string {
  const base = stringArg(args, 0, 'extensionResourceId')
  const { type, names } = splitArguments(args.slice(1), 'extensionResourceId')
  return `${base}/providers/${typeAndNames(type, names, 'extensionResourceId')}`
}

/** `tenantResourceId(type, name…)`. */
export function tenantResourceId(args: readonly Value[]): string {
  const { type, names } = splitArguments(args, 'tenantResourceId')
  return `/providers/${typeAndNames(type, names, 'tenantResourceId')}`
}

/** The type is the first argument with a slash and a namespace with a dot; what stands before it narrows the scope. */
function splitArguments(args: readonly Value[], name: string) {
  const texts = args.map((_, at) => stringArg(args, at, name))
  const at = texts.findIndex((text) => /^[^/]+\.[^/]+\/[^/]/.test(text))
  if (at < 0) return fail(name, 'no argument is a fully qualified resource type')
  if (at > 2) return fail(name, 'the resource type must be one of the first three arguments')
  return { before: texts.slice(0, at), type: texts[at]!, names: texts.slice(at + 1) }
}

function typeAndNames(type: string, names: readonly string[], name: string): string {
  const [namespace, ...types] = withoutTrailing(type, '/').split('/')
  if (types.length !== names.length) {
    return fail(name, `the type '${type}' requires '${types.length}' resource name argument(s)`)
  }
  return [namespace, ...types.flatMap((segment, at) => [segment, names[at]])].join('/')
}
