import { PolicySyntaxError } from './errors.ts'
import {
  type Action,
  type ClaimVerb,
  type Comparison,
  type Condition,
  type Expression,
  FUNCTIONS,
  type FunctionName,
  ISSUED_PROPERTIES,
  OPERATORS,
  type Operator,
  type Policy,
  type PolicyVersion,
  PROPERTIES,
  type Property,
  type Rule,
  SECTIONS,
  type SectionName,
  VERBS,
  VERSIONS,
} from './syntax.ts'
import { LONGEST_POLICY, type Token, tokenize } from './tokens.ts'
import { type PolicyValue, valueType } from './value.ts'

export { LONGEST_POLICY }

/** Calls within calls. */
const DEEPEST_CALL = 32

/**
 * Parses a policy of version 1.0, 1.1 or 1.2. What a version does not have is refused by name.
 * @throws PolicySyntaxError
 */
export function parsePolicy(text: string): Policy {
  return new PolicyParser(text).policy()
}

class PolicyParser {
  readonly #text: string
  readonly #tokens: readonly Token[]
  readonly #rules: string[] = ['policy']
  #at = 0
  #version: PolicyVersion = '1.0'
  /** Identifiers of the rule at hand. */
  #identifiers = new Map<string, 'claims' | 'negated'>()

  constructor(text: string) {
    this.#text = text
    this.#tokens = tokenize(text)
  }

  policy(): Policy {
    this.#version = this.#within('versionInfo', () => this.#versionInfo())
    const sections = new Map<SectionName, Rule[]>()
    while (this.#next.kind !== 'end') this.#within('section', () => this.#section(sections))
    if (!sections.has('authorizationrules')) this.#fail("missing 'authorizationrules'")
    const of = (name: SectionName) => sections.get(name) ?? []
    return {
      version: this.#version,
      sections: {
        configurationrules: of('configurationrules'),
        authorizationrules: of('authorizationrules'),
        issuancerules: of('issuancerules'),
      },
    }
  }

  #versionInfo(): PolicyVersion {
    this.#expect('version')
    this.#expect('=')
    const token = this.#next
    const version = `${this.#take().text}${this.#expect('.').text}${this.#take().text}`
    const known = VERSIONS.find((one) => one === version)
    if (known === undefined) this.#fail(`version ${version} is none of ${VERSIONS.join(', ')}`, token)
    this.#expect(';')
    return known
  }

  #section(sections: Map<SectionName, Rule[]>): void {
    const token = this.#next
    const name = this.#oneOf(SECTIONS)
    if (name === 'configurationrules' && this.#version === '1.0') this.#needs('configurationrules', '1.1', token)
    if (sections.has(name)) this.#fail(`a second '${name}'`, token)
    if ([...sections.keys()].some((before) => SECTIONS.indexOf(before) > SECTIONS.indexOf(name))) {
      this.#fail(`'${name}' after '${[...sections.keys()].at(-1)}'`, token)
    }
    this.#expect('{')
    const rules: Rule[] = []
    sections.set(name, rules)
    while (this.#next.text !== '}') rules.push(this.#within('claimRule', () => this.#rule(name)))
    this.#expect('}')
    this.#expect(';')
  }

  #rule(section: SectionName): Rule {
    const start = this.#next
    this.#identifiers = new Map()
    const conditions: Condition[] = []
    if (start.text !== '=>') {
      do conditions.push(this.#within('condition', () => this.#condition()))
      while (this.#skip('&&'))
    }
    this.#expect('=>')
    const action = this.#within('action', () => this.#action(section))
    const end = this.#expect(';')
    return { conditions, action, line: start.line, text: this.#text.slice(start.start, end.start).trim() }
  }

  #condition(): Condition {
    const start = this.#next
    const negated = this.#skip('!')
    if (negated) this.#needs("the operator '!'", '1.2', start)
    let identifier: string | undefined
    if (this.#next.kind === 'name') {
      const token = this.#take()
      identifier = token.text
      if (this.#identifiers.has(identifier))
        this.#fail(`the identifier '${identifier}' is used twice in one rule`, token)
      this.#expect(':')
    }
    this.#expect('[')
    const comparisons = this.#list(() => this.#comparison())
    this.#expect(']')
    // Only now: a condition cannot refer to itself.
    if (identifier !== undefined) this.#identifiers.set(identifier, negated ? 'negated' : 'claims')
    const text = this.#text.slice(start.start, this.#tokens[this.#at - 1]!.start + 1)
    return { negated, ...(identifier !== undefined && { identifier }), comparisons, text }
  }

  #comparison(): Comparison {
    const property = this.#oneOf(PROPERTIES)
    const token = this.#next
    const operator = this.#oneOf(OPERATORS)
    const operand = this.#expression(0)
    this.#checkComparison(property, operator, operand, token)
    return { property, operator, operand }
  }

  #checkComparison(property: Property, operator: Operator, operand: Expression, token: Token): void {
    const ordering = operator !== '==' && operator !== '!='
    if (property !== 'value') {
      if (ordering) this.#fail(`the operator '${operator}' on '${property}', which is a String`, token)
      if (operand.kind === 'literal' && typeof operand.value !== 'string') {
        this.#fail(`'${property}' is a String, and is compared with ${operand.value}`, token)
      }
    } else if (ordering && operand.kind === 'literal' && typeof operand.value !== 'number') {
      this.#fail(`the operator '${operator}' with a ${valueType(operand.value)}: only Integers are ordered`, token)
    }
  }

  #action(section: SectionName): Action {
    const token = this.#next
    const verb = this.#oneOf(['permit', 'deny', 'add', 'issue', 'issueproperty'] as const)
    if (!VERBS[section].includes(verb)) this.#fail(`the action '${verb}' in '${section}'`, token)
    this.#expect('(')
    if (verb === 'permit' || verb === 'deny') {
      this.#expect(')')
      return { verb }
    }
    const action = this.#claimArguments(verb, token)
    this.#expect(')')
    if (verb === 'issueproperty') this.#checkProperty(section, action, token)
    return action
  }

  #claimArguments(verb: ClaimVerb, token: Token): Action {
    if (this.#skip('claim')) {
      this.#expect('=')
      return { verb, claim: this.#reference(this.#take()) }
    }
    const given = new Map<Property, Expression>()
    this.#list(() => {
      const at = this.#next
      const property = this.#oneOf(['type', 'value'] as const)
      if (given.has(property)) this.#fail(`a second '${property}'`, at)
      this.#expect('=')
      given.set(property, this.#expression(0))
    })
    const [type, value] = [given.get('type'), given.get('value')]
    if (type === undefined || value === undefined) {
      this.#fail(`'${verb}' without '${type === undefined ? 'type' : 'value'}'`, token)
    }
    return { verb, type, value }
  }

  #checkProperty(section: SectionName, action: Action, token: Token): void {
    if (!('type' in action) || action.type.kind !== 'literal') {
      this.#fail("'issueproperty' takes a type that is a string, and a value", token)
    }
    const name = String(action.type.value)
    const known = Object.hasOwn(ISSUED_PROPERTIES, name) ? ISSUED_PROPERTIES[name] : undefined
    if (known?.section !== section) this.#fail(`the property '${name}' in '${section}'`, token)
    if (action.value.kind !== 'literal') return
    const { value } = action.value
    if (valueType(value) !== known.valueType) {
      this.#fail(`the property '${name}' is of the type ${known.valueType}, not ${JSON.stringify(value)}`, token)
    }
    if (name === 'x-ms-sgx-tcbidentifier' && !/^(azuredefault|1[0-5])$/.test(String(value))) {
      this.#fail(`the TCB baseline '${value}': there are azuredefault and 10 to 15`, token)
    }
  }

  #expression(depth: number): Expression {
    const token = this.#take()
    const literal = this.#literal(token)
    if (literal !== undefined) return { kind: 'literal', value: literal }
    if (token.kind !== 'name') this.#mismatch(token, 'a value')
    if (this.#next.text === '(') return this.#call(token, depth)
    const identifier = this.#reference(token)
    this.#expect('.')
    return { kind: 'property', identifier, property: this.#oneOf(PROPERTIES) }
  }

  #literal(token: Token): PolicyValue | undefined {
    if (token.kind === 'string') return token.content
    if (token.kind === 'name' && (token.text === 'true' || token.text === 'false')) return token.text === 'true'
    if (token.kind !== 'integer') return undefined
    const value = Number(token.text)
    if (!Number.isSafeInteger(value)) this.#fail(`the integer ${token.text} is too large`, token)
    return value
  }

  #call(token: Token, depth: number): Expression {
    if (this.#version !== '1.2') this.#needs(`the function '${token.text}'`, '1.2', token)
    if (!Object.hasOwn(FUNCTIONS, token.text)) {
      this.#fail(`the function '${token.text}' is none of ${Object.keys(FUNCTIONS).join(', ')}`, token)
    }
    if (depth >= DEEPEST_CALL) this.#fail(`more than ${DEEPEST_CALL} calls within each other`, token)
    const name = token.text as FunctionName
    this.#expect('(')
    const args = this.#next.text === ')' ? [] : this.#list(() => this.#expression(depth + 1))
    this.#expect(')')
    if (args.length !== FUNCTIONS[name])
      this.#fail(`${name} takes ${FUNCTIONS[name]} arguments, not ${args.length}`, token)
    return { kind: 'call', name, args }
  }

  /** An identifier that an earlier condition of the rule gave to what it found. */
  #reference(token: Token): string {
    const known = token.kind === 'name' ? this.#identifiers.get(token.text) : undefined
    if (known === undefined) this.#fail(`no condition before has the identifier '${token.text}'`, token)
    if (known === 'negated') this.#fail(`the identifier '${token.text}' of a condition that found nothing`, token)
    return token.text
  }

  get #next(): Token {
    return this.#tokens[this.#at]!
  }

  #take(): Token {
    const token = this.#next
    if (token.kind !== 'end') this.#at += 1
    return token
  }

  #skip(text: string): boolean {
    const found = this.#next.text === text
    if (found) this.#at += 1
    return found
  }

  #expect(text: string): Token {
    const token = this.#take()
    // A string may hold the text of a mark, with its quotes.
    if (token.text !== text) this.#mismatch(token, `'${text}'`)
    return token
  }

  #oneOf<T extends string>(texts: readonly T[]): T {
    const token = this.#take()
    const found = texts.find((text) => text === token.text)
    if (found === undefined) this.#mismatch(token, `{${texts.map((text) => `'${text}'`).join(', ')}}`)
    return found
  }

  #list<T>(item: () => T): T[] {
    const items = [item()]
    while (this.#skip(',')) items.push(item())
    return items
  }

  #within<T>(rule: string, parse: () => T): T {
    this.#rules.push(rule)
    const result = parse()
    this.#rules.pop()
    return result
  }

  #needs(what: string, version: PolicyVersion, token: Token): void {
    if (VERSIONS.indexOf(this.#version) < VERSIONS.indexOf(version)) {
      this.#fail(`${what} needs version ${version}, and this policy is version ${this.#version}`, token)
    }
  }

  #mismatch(token: Token, expected: string): never {
    this.#fail(`mismatched input '${token.text}' expecting ${expected}`, token)
  }

  #fail(reason: string, token: Token = this.#next): never {
    throw new PolicySyntaxError(reason, { ...token, symbol: token.text }, this.#rules.join(' > '))
  }
}
