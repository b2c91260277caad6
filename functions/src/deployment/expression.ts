import { isObject } from './secrets.ts'

/**
 * The few template expressions that this app must understand before ARM does, to know which identity, policy and key a
 * template means: literals, `parameters('x')`, `variables('x')` and `resourceId('type', 'name')`. ARM evaluates all
 * others; where one of those stands in a place that matters here, the request is refused with a pointer.
 */
export interface TemplateScope {
  readonly subscriptionId: string
  readonly resourceGroup: string
  readonly template: Record<string, unknown>
  readonly parameters: Record<string, unknown>
}

/** The text that `text` stands for, or undefined when it is an expression beyond the few above. */
export function resolveText(text: string, scope: TemplateScope): string | undefined {
  if (!text.startsWith('[') || !text.endsWith(']')) return text
  if (text.startsWith('[[')) return text.slice(1)
  return resolveExpression(text.slice(1, -1).trim(), scope, 0)
}

function resolveExpression(expression: string, scope: TemplateScope, depth: number): string | undefined {
  if (depth > 8) return undefined
  const literal = /^'((?:[^']|'')*)'$/.exec(expression)
  if (literal) return literal[1]!.replaceAll("''", "'")
  const call = /^([a-z]+)\(\s*(.*)\s*\)$/is.exec(expression)
  if (!call) return undefined
  const parts = splitArguments(call[2]!)
  if (parts === undefined) return undefined
  const args = parts.map((part) => resolveExpression(part, scope, depth + 1))
  if (args.some((arg) => arg === undefined)) return undefined
  const [first, ...rest] = args as string[]
  switch (call[1]!.toLowerCase()) {
    case 'parameters':
      return first === undefined ? undefined : resolveParameter(first, scope, depth)
    case 'variables':
      return first === undefined ? undefined : resolveMember(scope.template.variables, first, scope, depth)
    case 'resourceid':
      return first === undefined ? undefined : resourceId(first, rest, scope)
    default:
      return undefined
  }
}

function resolveParameter(name: string, scope: TemplateScope, depth: number): string | undefined {
  const given = memberOf(scope.parameters, name)
  if (isObject(given) && 'value' in given) return typeof given.value === 'string' ? given.value : undefined
  const declared = memberOf(scope.template.parameters, name)
  return isObject(declared) ? textOf(declared.defaultValue, scope, depth) : undefined
}

function resolveMember(holder: unknown, name: string, scope: TemplateScope, depth: number): string | undefined {
  return textOf(memberOf(holder, name), scope, depth)
}

function textOf(value: unknown, scope: TemplateScope, depth: number): string | undefined {
  if (typeof value !== 'string') return undefined
  if (!value.startsWith('[') || value.startsWith('[[')) return resolveText(value, scope)
  return resolveExpression(value.slice(1, -1).trim(), scope, depth + 1)
}

/** Names in templates compare without case. */
function memberOf(holder: unknown, name: string): unknown {
  if (!isObject(holder)) return undefined
  const entry = Object.entries(holder).find(([key]) => key.toLowerCase() === name.toLowerCase())
  return entry?.[1]
}

/** `resourceId(type, name …)`: a trailing slash in the type is taken as ARM takes it. */
function resourceId(type: string, names: readonly string[], scope: TemplateScope): string | undefined {
  const [namespace, ...types] = type.replace(/\/+$/, '').split('/')
  if (!namespace || types.length === 0 || types.length !== names.length) return undefined
  const path = types.map((segment, index) => `${segment}/${names[index]}`).join('/')
  return `/subscriptions/${scope.subscriptionId}/resourceGroups/${scope.resourceGroup}/providers/${namespace}/${path}`
}

/** Splits at top-level commas; undefined when brackets or quotes do not close. */
function splitArguments(text: string): string[] | undefined {
  if (text.trim() === '') return []
  const parts: string[] = []
  let depth = 0
  let quoted = false
  let from = 0
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (character === "'") quoted = !quoted
    else if (quoted) continue
    else if (character === '(') depth += 1
    else if (character === ')') depth -= 1
    else if (character === ',' && depth === 0) {
      parts.push(text.slice(from, at).trim())
      from = at + 1
    }
  }
  if (depth !== 0 || quoted) return undefined
  return [...parts, text.slice(from).trim()]
}
