import { PolicyRunError } from './errors.ts'
import { callFunction, single, type Values } from './functions.ts'
import { queryBudget } from './json-query.ts'
import type { Action, Comparison, Condition, Expression, Policy, Property, Rule, SectionName } from './syntax.ts'
import { type Claim, type PolicyValue, valueType } from './value.ts'

/** Bounds of one evaluation: a rule may double the claims, or look at each for each. */
const MOST_CLAIMS = 4096
const MOST_STEPS = 4_000_000

export interface Verdict {
  readonly permitted: boolean
  readonly denied: boolean
  /** What the issuance rules issued, in order; empty where the policy does not permit. */
  readonly issued: readonly Claim[]
  /** What the authorization rules came to, in order. */
  readonly trace: readonly RuleTrace[]
}

export interface RuleTrace {
  readonly rule: Rule
  readonly applied: boolean
  /** The first condition that was not met, and the values of the claims of its type. */
  readonly unmet?: { readonly condition: string; readonly found: readonly PolicyValue[] }
}

/**
 * What the configuration rules set, before any evidence is looked at: their conditions see no claims.
 * @throws PolicyRunError
 */
export function evaluateConfiguration(policy: Policy): ReadonlyMap<string, PolicyValue> {
  const run = new Run([])
  run.section(policy, 'configurationrules')
  return run.properties
}

/**
 * Whether a policy permits these claims, and what it adds to the token. All authorization rules are looked at: a denial
 * anywhere goes before any permission.
 * @throws PolicyRunError
 */
export function evaluatePolicy(policy: Policy, incoming: readonly Claim[]): Verdict {
  const run = new Run(incoming)
  const trace = run.section(policy, 'authorizationrules')
  const { permitted, denied } = run
  if (permitted && !denied) run.section(policy, 'issuancerules')
  return { permitted, denied, issued: run.issued, trace }
}

type Bindings = Map<string, readonly Claim[]>

class Run {
  readonly properties = new Map<string, PolicyValue>()
  readonly issued: Claim[] = []
  permitted = false
  denied = false
  readonly #claims: Claim[]
  readonly #queries = queryBudget()
  #steps = 0

  constructor(incoming: readonly Claim[]) {
    this.#claims = [...incoming]
  }

  section(policy: Policy, name: SectionName): RuleTrace[] {
    return policy.sections[name].map((rule) => {
      try {
        return this.#rule(rule)
      } catch (error) {
        if (!(error instanceof PolicyRunError)) throw error
        throw new PolicyRunError(`${error.message} (${name}, line ${rule.line})`)
      }
    })
  }

  #rule(rule: Rule): RuleTrace {
    const bindings: Bindings = new Map()
    for (const condition of rule.conditions) {
      const found = this.#find(condition, bindings)
      if (found.length > 0 === condition.negated) {
        return { rule, applied: false, unmet: { condition: condition.text, found: this.#candidates(condition) } }
      }
      if (condition.identifier !== undefined) bindings.set(condition.identifier, found)
    }
    this.#act(rule.action, bindings)
    return { rule, applied: true }
  }

  /** The claims of which each comparison of a condition holds. */
  #find(condition: Condition, bindings: Bindings): Claim[] {
    const tests = condition.comparisons.map((comparison) => this.#test(comparison, bindings))
    this.#step(this.#claims.length * tests.length)
    return this.#claims.filter((claim) => tests.every((test) => test(claim)))
  }

  #test({ property, operator, operand }: Comparison, bindings: Bindings): (claim: Claim) => boolean {
    const { values } = this.#evaluate(operand, bindings)
    if (operator === '==' || operator === '!=') {
      const set = new Set(values)
      return (claim) => set.has(propertyOf(claim, property)) === (operator === '==')
    }
    const numbers = values.filter((value) => typeof value === 'number')
    // One of several is enough: the lowest or the highest of them decides.
    const bound = operator.startsWith('<') ? numbers.reduce(higher, -Infinity) : numbers.reduce(lower, Infinity)
    return (claim) => {
      const value = propertyOf(claim, property)
      if (typeof value !== 'number' || numbers.length === 0) return false
      if (operator === '<') return value < bound
      if (operator === '<=') return value <= bound
      return operator === '>' ? value > bound : value >= bound
    }
  }

  #evaluate(expression: Expression, bindings: Bindings): Values {
    switch (expression.kind) {
      case 'literal':
        return { values: [expression.value], readOnly: false }
      case 'property': {
        const claims = bindings.get(expression.identifier) ?? []
        this.#step(claims.length)
        return {
          values: claims.map((claim) => propertyOf(claim, expression.property)),
          readOnly: expression.property === 'value' && claims.some((claim) => claim.readOnly === true),
        }
      }
      case 'call':
        return callFunction(
          expression.name,
          expression.args.map((argument) => this.#evaluate(argument, bindings)),
          this.#queries,
        )
    }
  }

  #act(action: Action, bindings: Bindings): void {
    if (action.verb === 'permit') this.permitted = true
    else if (action.verb === 'deny') this.denied = true
    else {
      for (const claim of this.#claimsOf(action, bindings)) {
        if (action.verb === 'issueproperty') this.properties.set(claim.type, claim.value)
        if (action.verb === 'issue') {
          if (claim.readOnly)
            throw new PolicyRunError(`the claim '${claim.type}' is read-only evidence and cannot be issued`)
          this.issued.push(claim)
        }
        this.#claims.push(claim)
        if (this.#claims.length > MOST_CLAIMS) throw new PolicyRunError(`more than ${MOST_CLAIMS} claims`)
      }
    }
  }

  /** One claim for each value. */
  #claimsOf(action: Exclude<Action, { verb: 'permit' | 'deny' }>, bindings: Bindings): Claim[] {
    if ('claim' in action) {
      return (bindings.get(action.claim) ?? []).map((claim) => ({ ...claim, issuer: 'AttestationPolicy' }))
    }
    const { values, readOnly } = this.#evaluate(action.value, bindings)
    if (values.length === 0) return []
    const type = single(action.verb, this.#evaluate(action.type, bindings))
    if (typeof type !== 'string') throw new PolicyRunError(`the type ${type} of a claim is not a String`)
    return values.map((value) => ({ type, value, issuer: 'AttestationPolicy', ...(readOnly && { readOnly }) }))
  }

  /** For a person: what there is of the type that a condition asks for. */
  #candidates({ comparisons }: Condition): PolicyValue[] {
    const wanted = comparisons.find(({ property, operator }) => property === 'type' && operator === '==')?.operand
    if (wanted?.kind !== 'literal') return []
    return this.#claims.filter(({ type }) => type === wanted.value).map(({ value }) => value)
  }

  #step(count: number): void {
    this.#steps += count
    if (this.#steps > MOST_STEPS) throw new PolicyRunError('the policy takes too many steps')
  }
}

const higher = (a: number, b: number) => Math.max(a, b)
const lower = (a: number, b: number) => Math.min(a, b)

function propertyOf(claim: Claim, property: Property): PolicyValue {
  return property === 'valueType' ? valueType(claim.value) : claim[property]
}
