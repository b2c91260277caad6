import { withoutTrailing } from '../../core/trim-end.ts'
import { TemplateError } from './errors.ts'
import { copyCount, evaluateDeep, evaluateText, type Scope } from './evaluate.ts'
import { isArray, isObject, memberOf, type Value, type ValueObject } from './value.ts'

/** One resource of a template after its loops: what it is and what must be there before it. */
export interface TemplateResource {
  /** Full ARM id. */
  readonly id: string
  readonly type: string
  readonly apiVersion: string
  /** Last segment of the id is its last part: `vault/key`. */
  readonly name: string
  readonly symbolicName?: string
  readonly loop?: string
  /** `condition` was false: it is not deployed, and may still be named in `dependsOn`. */
  readonly skipped: boolean
  /** As written, computed: ids, names, symbolic names or names of loops. */
  readonly dependsOn: readonly string[]
  /** As written: evaluated when its turn comes, since it may refer to what was deployed before. */
  readonly source: ValueObject
  readonly scope: Scope
}

const CONTROL = new Set(
  [
    'type',
    'name',
    'apiVersion',
    'dependsOn',
    'condition',
    'copy',
    'comments',
    'scope',
    'resources',
    'metadata',
    'existing',
  ].map((name) => name.toLowerCase()),
)

/** With every loop spread, as Resource Manager counts. */
const MOST_RESOURCES = 800

interface Parent {
  readonly type: string
  readonly name: string
}

/** Spreads loops and child resources, and computes names and conditions. @throws TemplateError */
export function expandResources(resources: Value, scope: Scope): TemplateResource[] {
  const listed = isArray(resources)
    ? resources.map((resource) => [undefined, resource] as const)
    : isObject(resources)
      ? Object.entries(resources)
      : []
  const all: TemplateResource[] = []
  for (const [symbolicName, resource] of listed) {
    all.push(...expandOne(resource, scope, symbolicName, undefined))
    if (all.length > MOST_RESOURCES) {
      throw new TemplateError(
        `The number of template resources exceeds the limit of ${MOST_RESOURCES}.`,
        'properties.template.resources',
      )
    }
  }
  const seen = new Set<string>()
  for (const { id, type, name } of all) {
    if (seen.has(id.toLowerCase())) {
      throw new TemplateError(
        `The resource '${type}/${name}' is defined multiple times in a template. Please see https://aka.ms/arm-syntax-resources for usage details.`,
      )
    }
    seen.add(id.toLowerCase())
  }
  return all
}

function expandOne(
  resource: Value,
  scope: Scope,
  symbolicName: string | undefined,
  parent: Parent | undefined,
): TemplateResource[] {
  if (!isObject(resource))
    throw new TemplateError('A template resource is not an object.', 'properties.template.resources')
  const { copy } = resource
  if (copy === undefined) return instance(resource, scope, symbolicName, undefined, parent)
  if (!isObject(copy) || typeof copy.name !== 'string') {
    throw new TemplateError("A resource's 'copy' needs a name and a count.", 'properties.template.resources')
  }
  const loop = copy.name
  const count = copyCount(evaluateDeep(copy.count ?? null, scope), loop)
  return Array.from({ length: count }, (_, index) => {
    const copyIndex = (asked: string | undefined) => {
      if (asked === undefined || asked.toLowerCase() === loop.toLowerCase()) return index
      throw new TemplateError(`There is no copy loop '${asked}'.`)
    }
    return instance(resource, { ...scope, copyIndex }, symbolicName, loop, parent)
  }).flat()
}

function instance(
  resource: ValueObject,
  scope: Scope,
  symbolicName: string | undefined,
  loop: string | undefined,
  parent: Parent | undefined,
): TemplateResource[] {
  const type = prefixed(parent?.type, withoutTrailing(requiredText(resource, 'type', scope), '/'))
  const name = prefixed(parent?.name, requiredText(resource, 'name', scope))
  const apiVersion = requiredText(resource, 'apiVersion', scope)
  const condition = evaluateDeep(memberOf(resource, 'condition') ?? true, scope)
  if (typeof condition !== 'boolean') {
    throw new TemplateError(`The condition of resource '${name}' does not evaluate to a boolean.`)
  }
  const dependsOn = evaluateDeep(memberOf(resource, 'dependsOn') ?? [], scope)
  const needed = (isArray(dependsOn) ? dependsOn : []).filter((item): item is string => typeof item === 'string')
  const id = idOf(type, name, memberOf(resource, 'scope'), scope)
  const self: TemplateResource = {
    id,
    type,
    name,
    apiVersion,
    ...(symbolicName !== undefined && { symbolicName }),
    ...(loop !== undefined && { loop }),
    skipped: !condition || resource.existing === true,
    dependsOn: needed,
    source: resource,
    scope,
  }
  const children = memberOf(resource, 'resources')
  if (!isArray(children)) return [self]
  return [self, ...children.flatMap((child) => expandOne(child, scope, undefined, { type, name }))]
}

function prefixed(parent: string | undefined, own: string): string {
  return parent === undefined ? own : `${parent}/${own}`
}

function requiredText(resource: ValueObject, member: string, scope: Scope): string {
  const value = memberOf(resource, member)
  if (typeof value !== 'string' || value === '') {
    throw new TemplateError(
      `The template resource is missing the '${member}' property. Please see https://aka.ms/arm-syntax-resources for usage details.`,
      'properties.template.resources',
    )
  }
  const computed = evaluateText(value, scope)
  if (typeof computed === 'string' && computed !== '') return computed
  throw new TemplateError(`The '${member}' of a template resource does not evaluate to a string: '${value}'.`)
}

function idOf(type: string, name: string, scopeMember: Value | undefined, scope: Scope): string {
  const group = `/subscriptions/${scope.at.subscriptionId}/resourceGroups/${scope.at.resourceGroup}`
  const onScope = typeof scopeMember === 'string' ? evaluateText(scopeMember, scope) : undefined
  if (typeof onScope === 'string') {
    const base = onScope.startsWith('/') ? onScope : `${group}/providers/${onScope}`
    return `${base}/providers/${interleave(type, name)}`
  }
  // The older form of an extension: type `…/vaults/providers/roleAssignments`, name `v/Microsoft.Authorization/<guid>`.
  const [outer, inner] = type.split(/\/providers\//i)
  if (inner !== undefined && outer !== undefined) {
    const depth = outer.split('/').length - 1
    const names = name.split('/')
    const [namespace, ...rest] = names.slice(depth)
    const base = `${group}/providers/${interleave(outer, names.slice(0, depth).join('/'))}`
    return `${base}/providers/${interleave(`${namespace}/${inner}`, rest.join('/'))}`
  }
  return `${group}/providers/${interleave(type, name)}`
}

function interleave(type: string, name: string): string {
  const [namespace, ...types] = type.split('/')
  const names = name.split('/')
  if (namespace === undefined || types.length === 0 || types.length !== names.length) {
    throw new TemplateError(
      `The template resource '${name}' for type '${type}' has incorrect segment lengths. A nested resource type must have identical number of segments as its resource name. A root resource type must have segment length one greater than its resource name. Please see https://aka.ms/arm-syntax-resources for usage details.`,
    )
  }
  return [namespace, ...types.flatMap((segment, at) => [segment, names[at]])].join('/')
}

/** What is sent to the resource's provider: every member that does not steer the deployment, computed. */
export function resourceBody(resource: TemplateResource, scope: Scope): ValueObject {
  const members = Object.entries(resource.source).filter(([name]) => !CONTROL.has(name.toLowerCase()))
  return evaluateDeep(Object.fromEntries(members), scope) as ValueObject
}
