import { TemplateError } from './errors.ts'
import { isArray, isObject, memberOf, sameValue, typeOf, type Value, type ValueObject } from './value.ts'

export type ParameterType = 'String' | 'SecureString' | 'Int' | 'Bool' | 'Object' | 'SecureObject' | 'Array'

const TYPES: readonly ParameterType[] = ['String', 'SecureString', 'Int', 'Bool', 'Object', 'SecureObject', 'Array']

/** A parameter or output type in the spelling of the answers; undefined when there is no such type. */
export function parameterType(name: unknown): ParameterType | undefined {
  return typeof name === 'string' ? TYPES.find((type) => type.toLowerCase() === name.toLowerCase()) : undefined
}

export function isSecure(type: ParameterType): boolean {
  return type === 'SecureString' || type === 'SecureObject'
}

/** Where in the request body a template's parameter stands, for messages. */
export type Locator = (path: readonly string[]) => { readonly line: number; readonly column: number } | undefined

export interface ResolvedParameter {
  readonly type: ParameterType
  readonly value: Value
}

export interface ParameterSource {
  /** `parameters` of the template. */
  readonly declared: ValueObject
  /** `properties.parameters` of the request: `{name: {value}}`. */
  readonly given: ValueObject
  readonly locate: Locator
  /** Computes a default value; it may use other parameters through `resolve`. */
  readonly evaluateDefault: (value: Value, resolve: (name: string) => Value) => Value
}

/**
 * Checks the parameters of a deployment and computes the defaults, before anything runs.
 * @throws TemplateError with Azure's sentences
 */
export function resolveParameters(source: ParameterSource): ReadonlyMap<string, ResolvedParameter> {
  const { declared, given, locate } = source
  refuseUnknown(declared, given)
  const resolved = new Map<string, ResolvedParameter>()
  const underway = new Set<string>()

  const resolve = (asked: string): Value => {
    const name = Object.keys(declared).find((key) => key.toLowerCase() === asked.toLowerCase())
    if (name === undefined) {
      throw new TemplateError(
        `The template parameter '${asked}' is not found. Please see https://aka.ms/arm-syntax-parameters for usage details.`,
      )
    }
    const known = resolved.get(name)
    if (known !== undefined) return known.value
    if (underway.has(name)) {
      throw new TemplateError(`Circular dependency detected on parameter: '${name}'.`, pathOf(name))
    }
    underway.add(name)
    const parameter = resolveOne(name)
    underway.delete(name)
    resolved.set(name, parameter)
    return parameter.value
  }

  const resolveOne = (name: string): ResolvedParameter => {
    const declaration = declared[name]
    const type = isObject(declaration) ? parameterType(declaration.type) : undefined
    if (!isObject(declaration) || type === undefined) {
      throw new TemplateError(`The template parameter '${name}' has no valid type.`, pathOf(name))
    }
    const entry = memberOf(given, name)
    if (isObject(entry) && entry.reference !== undefined) {
      throw new TemplateError(`The template parameter '${name}' is a key vault reference, which Skerry does not cover.`)
    }
    const value = isObject(entry) ? entry.value : undefined
    if (value !== undefined && value !== null) {
      checkValue(name, type, declaration, value)
      return { type, value }
    }
    if (declaration.defaultValue === undefined) throw notProvided(name, locate)
    const computed = source.evaluateDefault(declaration.defaultValue, resolve)
    checkValue(name, type, declaration, computed)
    return { type, value: computed }
  }

  for (const name of Object.keys(declared)) resolve(name)
  return resolved
}

function pathOf(name: string): string {
  return `properties.template.parameters.${name}`
}

function refuseUnknown(declared: ValueObject, given: ValueObject): void {
  const unknown = Object.keys(given).filter((name) => memberOf(declared, name) === undefined)
  if (unknown.length === 0) return
  throw new TemplateError(
    `The template parameters '${unknown.join(', ')}' in the parameters file are not valid; they are not present in the original template and can therefore not be provided at deployment time. The only supported parameters for this template are '${Object.keys(declared).join(', ')}'. Please see https://aka.ms/arm-pass-parameter-values for usage details.`,
  )
}

function notProvided(name: string, locate: Locator): TemplateError {
  const position = locate(['properties', 'template', 'parameters', name])
  const where = position === undefined ? '' : ` at line '${position.line}' and column '${position.column}'`
  return new TemplateError(
    `The value for the template parameter '${name}'${where} is not provided. Please see https://aka.ms/resource-manager-parameter-files for usage details.`,
    pathOf(name),
  )
}

function checkValue(name: string, type: ParameterType, declaration: ValueObject, value: Value): void {
  if (!hasType(type, value)) {
    throw new TemplateError(
      `Template parameter JToken type is not valid. Expected '${expectedNames(type)}'. Actual '${typeOf(value)}'. Please see https://aka.ms/resource-manager-parameter-files for usage details.`,
      pathOf(name),
      `Deployment template validation failed: 'The provided value for the template parameter '${name}' is not valid. Expected a value of type '${expectedNames(type)}', but received a value of type '${typeOf(value)}'. Please see https://aka.ms/arm-create-parameter-file for usage details.'.`,
    )
  }
  const { allowedValues } = declaration
  if (isArray(allowedValues) && !allowedValues.some((allowed) => sameValue(allowed, value))) {
    const shown = isSecure(type) ? '***' : typeof value === 'string' ? value : JSON.stringify(value)
    throw new TemplateError(
      `The provided value for the template parameter '${name}' is not valid. The value '${shown}' is not part of the allowed value(s): '${allowedValues.map((v) => (typeof v === 'string' ? v : JSON.stringify(v))).join(',')}'.`,
      pathOf(name),
    )
  }
  checkBounds(name, declaration, value)
}

function checkBounds(name: string, declaration: ValueObject, value: Value): void {
  const size = typeof value === 'number' ? value : isObject(value) ? Object.keys(value).length : sizeOf(value)
  const [least, most, what] =
    typeof value === 'number'
      ? [declaration.minValue, declaration.maxValue, 'Value']
      : [declaration.minLength, declaration.maxLength, 'Length of the value']
  const refuse = (rule: string, bound: number): never => {
    throw new TemplateError(
      `The provided value for the template parameter '${name}' is not valid. ${what} should be ${rule} '${bound}'. Please see https://aka.ms/arm-create-parameter-file for usage details.`,
      pathOf(name),
    )
  }
  if (typeof least === 'number' && size < least) refuse('greater than or equal to', least)
  if (typeof most === 'number' && size > most) refuse('less than or equal to', most)
}

function sizeOf(value: Value): number {
  return typeof value === 'string' || isArray(value) ? value.length : 0
}

function expectedNames(type: ParameterType): string {
  switch (type) {
    case 'Int':
      return 'Integer'
    case 'Bool':
      return 'Boolean'
    case 'Array':
      return 'Array'
    case 'Object':
    case 'SecureObject':
      return 'Object'
    default:
      return 'String, Uri'
  }
}

function hasType(type: ParameterType, value: Value): boolean {
  switch (type) {
    case 'Int':
      return typeof value === 'number' && Number.isInteger(value)
    case 'Bool':
      return typeof value === 'boolean'
    case 'Array':
      return isArray(value)
    case 'Object':
    case 'SecureObject':
      return isObject(value)
    default:
      return typeof value === 'string'
  }
}
