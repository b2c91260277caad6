import { TemplateError } from './errors.ts'
import { evaluate } from './evaluate.ts'
import { callsIn, isExpression, parseExpression } from './expression.ts'
import type { TemplateResource } from './resources.ts'
import { isArray, isObject, type Value } from './value.ts'

/** What each resource waits for, by lower-case id: what `dependsOn` names and what its expressions refer to. */
export type Dependencies = ReadonlyMap<string, ReadonlySet<string>>

/** @throws TemplateError for a name that is not in the template, and for a circle */
export function dependenciesOf(resources: readonly TemplateResource[]): Dependencies {
  const dependencies = new Map<string, ReadonlySet<string>>()
  for (const resource of resources) {
    const needed = resource.dependsOn.flatMap((name) => {
      const found = findResources(resources, name)
      if (found.length > 0) return found
      throw new TemplateError(
        `The resource '${name}' is not defined in the template. Please see https://aka.ms/arm-syntax for usage details.`,
      )
    })
    const implied = [...referencesIn(resource.source, resource)].flatMap((name) => findResources(resources, name))
    const ids = [...needed, ...implied].map((other) => other.id.toLowerCase())
    dependencies.set(resource.id.toLowerCase(), new Set(ids))
  }
  refuseCircles(resources, dependencies)
  return dependencies
}

/** By full id, by `type/name`, by name, by symbolic name, or all of a loop. */
export function findResources(resources: readonly TemplateResource[], name: string): TemplateResource[] {
  const wanted = name.toLowerCase()
  const by = (matches: (resource: TemplateResource) => boolean) => resources.filter(matches)
  const ways = [
    by((resource) => resource.id.toLowerCase() === wanted),
    by((resource) => resource.symbolicName?.toLowerCase() === wanted),
    by((resource) => resource.loop?.toLowerCase() === wanted),
    by((resource) => resource.id.toLowerCase().endsWith(`/providers/${wanted}`)),
    by((resource) => resource.name.toLowerCase() === wanted),
  ]
  return ways.find((found) => found.length > 0) ?? []
}

function* referencesIn(value: Value, resource: TemplateResource): Generator<string> {
  if (typeof value === 'string') {
    if (!isExpression(value)) return
    for (const call of callsIn(parseExpression(value))) {
      const target = call.args[0]
      if (call.name.toLowerCase() !== 'reference' || target === undefined) continue
      const name = evaluate(target, resource.scope)
      if (typeof name === 'string') yield name
    }
  } else if (isArray(value)) {
    for (const item of value) yield* referencesIn(item, resource)
  } else if (isObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      if (key.toLowerCase() !== 'resources') yield* referencesIn(item, resource)
    }
  }
}

function refuseCircles(resources: readonly TemplateResource[], dependencies: Dependencies): void {
  const done = new Set<string>()
  const underway = new Set<string>()
  const visit = (id: string) => {
    if (done.has(id)) return
    if (underway.has(id)) {
      const name = resources.find((resource) => resource.id.toLowerCase() === id)?.id ?? id
      throw new TemplateError(
        `Circular dependency detected on resource: '${name}'. Please see https://aka.ms/arm-syntax-resources for usage details.`,
      )
    }
    underway.add(id)
    for (const next of dependencies.get(id) ?? []) visit(next)
    underway.delete(id)
    done.add(id)
  }
  for (const resource of resources) visit(resource.id.toLowerCase())
}
