import { newBudget } from './budget.ts'
import { ExpressionError, TemplateError } from './errors.ts'
import { evaluateDeep, evaluateText, type Scope, spreadCopies } from './evaluate.ts'
import { type Dependencies, dependenciesOf } from './order.ts'
import {
  isSecure,
  type Locator,
  type ParameterType,
  parameterType,
  type ResolvedParameter,
  resolveParameters,
} from './parameters.ts'
import { positionOf } from './position.ts'
import { expandResources, resourceBody, type TemplateResource } from './resources.ts'
import { isArray, isObject, type Value, type ValueObject } from './value.ts'

/** What a template is evaluated with. */
export interface TemplateInput {
  readonly template: Value
  /** `properties.parameters`: `{name: {value}}`. */
  readonly parameters: Value
  /** The request body as it came, to say line and column. */
  readonly requestText?: string
  readonly surroundings: Surroundings
  readonly now: () => Date
  readonly newGuid: () => string
}

export interface Surroundings {
  readonly subscription: {
    readonly id: string
    readonly subscriptionId: string
    readonly tenantId: string
    readonly displayName: string
  }
  readonly resourceGroup: {
    readonly id: string
    readonly name: string
    readonly type: string
    readonly location: string
    readonly tags: ValueObject
  }
  readonly deployment: { readonly name: string; readonly properties: ValueObject }
}

/** A template whose parameters, names, conditions and order are known. */
export interface Template {
  readonly parameters: ReadonlyMap<string, ResolvedParameter>
  readonly resources: readonly TemplateResource[]
  readonly dependencies: Dependencies
  /** What is sent to the provider; `reference` looks up what is deployed by now. @throws TemplateError */
  body(resource: TemplateResource, reference: Reference): ValueObject
  /** @throws TemplateError */
  outputs(reference: Reference): Record<string, { readonly type: ParameterType; readonly value?: Value }>
}

/** The state of a resource by id or name: its `properties`, or all of it when `full`. */
export type Reference = (idOrName: string, full: boolean) => Value

const MEMBERS = [
  '$schema',
  'contentVersion',
  'apiProfile',
  'metadata',
  'languageVersion',
  'definitions',
  'parameters',
  'variables',
  'functions',
  'resources',
  'outputs',
]

/**
 * Reads a deployment template (Azure Resource Manager template language, schema 2019-04-01) as far as nothing has to be
 * deployed for it.
 * @throws TemplateError 400 InvalidTemplate
 */
export function readTemplate(input: TemplateInput): Template {
  const { template } = input
  if (!isObject(template)) throw new TemplateError('The template is not an object.', 'properties.template')
  refuseUnknownMembers(template)
  if (typeof template.contentVersion !== 'string' || !/^\d+\.\d+\.\d+\.\d+$/.test(template.contentVersion)) {
    throw new TemplateError(
      "The template's contentVersion is missing or not of the form '1.0.0.0'.",
      'properties.template',
    )
  }
  if (!isArray(template.resources) && !isObject(template.resources)) {
    throw new TemplateError("Required property 'resources' not found in JSON.", 'properties.template')
  }
  return guarded(() => {
    const surroundings = surroundingsOf(input.surroundings)
    const at = {
      subscriptionId: input.surroundings.subscription.subscriptionId,
      resourceGroup: input.surroundings.resourceGroup.name,
    }
    const budget = newBudget()
    const parameters = resolveParameters({
      declared: objectOr(template.parameters, 'parameters'),
      given: objectOr(input.parameters, 'the parameters of the request'),
      locate: locator(input.requestText),
      evaluateDefault: (value, resolve) =>
        evaluateDeep(value, { at, budget, surroundings, parameter: resolve, defaults: defaultsOf(input) }),
    })
    const parameter = (name: string): Value => {
      const found = [...parameters].find(([known]) => known.toLowerCase() === name.toLowerCase())
      if (found !== undefined) return found[1].value
      throw new TemplateError(
        `The template parameter '${name}' is not found. Please see https://aka.ms/arm-syntax-parameters for usage details.`,
      )
    }
    const base: Scope = { at, budget, surroundings, parameter }
    const scope: Scope = { ...base, variable: variables(objectOr(template.variables, 'variables'), base) }
    const resources = expandResources(template.resources ?? [], scope)
    return {
      parameters,
      resources,
      dependencies: dependenciesOf(resources),
      body: (resource, reference) => guarded(() => resourceBody(resource, { ...resource.scope, reference })),
      outputs: (reference) => guarded(() => outputs(objectOr(template.outputs, 'outputs'), { ...scope, reference })),
    }
  })
}

/** Expressions fail without knowing where they stand: the answer is that of a template all the same. */
function guarded<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    // Nested beyond what the stack holds: parentheses in an expression, variables that use each other in a long line.
    if (error instanceof RangeError) throw new TemplateError('The template is nested too deeply to be computed.')
    if (error instanceof ExpressionError) {
      throw new TemplateError(
        error.message,
        undefined,
        `Unable to process template language expressions: '${error.message}'`,
      )
    }
    throw error
  }
}

function refuseUnknownMembers(template: ValueObject): void {
  for (const name of Object.keys(template)) {
    if (MEMBERS.some((member) => member.toLowerCase() === name.toLowerCase())) continue
    const sentence = `Could not find member '${name}' on object of type 'Template'. Path 'properties.template.${name}'.`
    throw new TemplateError(sentence, `properties.template.${name}`)
  }
  if (template.functions !== undefined) {
    throw new TemplateError('User-defined functions are not covered by Skerry.', 'properties.template.functions')
  }
}

function objectOr(value: Value | undefined, what: string): ValueObject {
  if (value === undefined || value === null) return {}
  if (!isObject(value)) throw new TemplateError(`The '${what}' section is not an object.`)
  return value
}

function surroundingsOf({ subscription, resourceGroup, deployment }: Surroundings): Record<string, Value> {
  return {
    subscription,
    resourcegroup: { ...resourceGroup, properties: { provisioningState: 'Succeeded' } },
    deployment,
    tenant: { tenantId: subscription.tenantId, countryCode: 'US', displayName: 'Skerry' },
    environment: {
      name: 'AzureCloud',
      resourceManager: 'https://management.azure.com/',
      authentication: {
        loginEndpoint: 'https://login.microsoftonline.com/',
        audiences: ['https://management.core.windows.net/', 'https://management.azure.com/'],
        tenant: 'common',
        identityProvider: 'AAD',
      },
      suffixes: {
        attestationEndpoint: '.attest.azure.net',
        acrLoginServer: '.azurecr.io',
        keyvaultDns: '.vault.azure.net',
        storage: 'core.windows.net',
      },
    },
  }
}

/** Variables are computed when first asked for, so that they may use each other in any order. */
function variables(declared: ValueObject, base: Scope): (name: string) => Value {
  const computed = new Map<string, Value>()
  const underway = new Set<string>()
  const scope: Scope = { ...base, variable: (name) => variable(name) }
  const all = new Map<string, { readonly name: string; readonly value: Value }>()
  const declare = (name: string, value: Value) => all.set(name.toLowerCase(), { name, value })
  for (const [name, value] of Object.entries(declared)) {
    if (name === 'copy' && isArray(value)) {
      for (const copy of value) {
        if (isObject(copy) && typeof copy.name === 'string') declare(copy.name, { copy: [copy] })
      }
    } else declare(name, value)
  }
  const variable = (asked: string): Value => {
    const found = all.get(asked.toLowerCase())
    const name = found?.name
    if (name === undefined) {
      throw new TemplateError(
        `The template variable '${asked}' is not found. Please see https://aka.ms/arm-syntax-variables for usage details.`,
      )
    }
    const known = computed.get(name)
    if (known !== undefined) return known
    if (underway.has(name)) throw new TemplateError(`Circular dependency detected on variable: '${name}'.`)
    underway.add(name)
    const value = evaluateVariable(name, found?.value ?? null, scope)
    underway.delete(name)
    computed.set(name, value)
    return value
  }
  return variable
}

function evaluateVariable(name: string, value: Value, scope: Scope): Value {
  if (isObject(value) && isArray(value.copy) && Object.keys(value).length === 1) {
    const spread = spreadCopies(value.copy.filter(isObject), scope)
    return Object.hasOwn(spread, name) ? (spread[name] ?? null) : spread
  }
  return evaluateDeep(value, scope)
}

function outputs(declared: ValueObject, scope: Scope): Record<string, { type: ParameterType; value?: Value }> {
  const result = new Map<string, { type: ParameterType; value?: Value }>()
  for (const [name, output] of Object.entries(declared)) {
    const type = isObject(output) ? parameterType(output.type) : undefined
    if (!isObject(output) || type === undefined) {
      throw new TemplateError(`The template output '${name}' has no valid type.`, `properties.template.outputs.${name}`)
    }
    const { condition = true } = output
    if ((typeof condition === 'string' ? evaluateText(condition, scope) : condition) === false) continue
    result.set(name, isSecure(type) ? { type } : { type, value: evaluateDeep(output.value ?? null, scope) })
  }
  return Object.fromEntries(result)
}

function locator(text: string | undefined): Locator {
  return (path) => (text === undefined ? undefined : positionOf(text, path))
}

function defaultsOf({ now, newGuid }: TemplateInput): NonNullable<Scope['defaults']> {
  return { newGuid, utcNow: (format) => formatUtc(now(), format) }
}

/** .NET date patterns as far as default values use them; without one the compact form `20260101T000000Z`. */
function formatUtc(date: Date, format: string | undefined): string {
  const iso = date.toISOString()
  if (format === undefined) return `${iso.slice(0, 19).replaceAll(/[-:]/g, '')}Z`
  const parts: Record<string, string> = {
    yyyy: iso.slice(0, 4),
    MM: iso.slice(5, 7),
    dd: iso.slice(8, 10),
    HH: iso.slice(11, 13),
    mm: iso.slice(14, 16),
    ss: iso.slice(17, 19),
    fff: iso.slice(20, 23),
  }
  if (format === 'u') return `${iso.slice(0, 10)} ${iso.slice(11, 19)}Z`
  if (format === 'd') return `${Number(parts.MM)}/${Number(parts.dd)}/${parts.yyyy}`
  return format.replaceAll(/yyyy|MM|dd|HH|mm|ss|fff/g, (part) => parts[part] ?? part)
}
