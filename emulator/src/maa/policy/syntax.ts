import type { PolicyValue, ValueType } from './value.ts'

/*
 * A policy, parsed. Source: Microsoft Learn, "Azure Attestation claim rule grammar", "Claim rule functions supported in
 * policy version 1.2+" and the pages of policy versions 1.0, 1.1 and 1.2.
 */

export const VERSIONS = ['1.0', '1.1', '1.2'] as const
export type PolicyVersion = (typeof VERSIONS)[number]

export const SECTIONS = ['configurationrules', 'authorizationrules', 'issuancerules'] as const
export type SectionName = (typeof SECTIONS)[number]

export interface Policy {
  readonly version: PolicyVersion
  readonly sections: Readonly<Record<SectionName, readonly Rule[]>>
}

export interface Rule {
  readonly conditions: readonly Condition[]
  readonly action: Action
  readonly line: number
  /** As it was written, without the semicolon. */
  readonly text: string
}

export interface Condition {
  /** Met when no claim is found. */
  readonly negated: boolean
  readonly identifier?: string
  readonly comparisons: readonly Comparison[]
  readonly text: string
}

export const PROPERTIES = ['type', 'value', 'valueType', 'issuer'] as const
export type Property = (typeof PROPERTIES)[number]

export const OPERATORS = ['==', '!=', '<', '<=', '>', '>='] as const
export type Operator = (typeof OPERATORS)[number]

export interface Comparison {
  readonly property: Property
  readonly operator: Operator
  readonly operand: Expression
}

export type Expression =
  | { readonly kind: 'literal'; readonly value: PolicyValue }
  | { readonly kind: 'property'; readonly identifier: string; readonly property: Property }
  | { readonly kind: 'call'; readonly name: FunctionName; readonly args: readonly Expression[] }

/** Functions of version 1.2 and how many arguments each takes. */
export const FUNCTIONS = {
  JmesPath: 2,
  JsonToClaimValue: 1,
  IsSubsetOf: 2,
  AppendString: 2,
  NegateBool: 1,
  ContainsOnlyValue: 2,
} as const
export type FunctionName = keyof typeof FUNCTIONS

export type ClaimVerb = 'add' | 'issue' | 'issueproperty'

export type Action =
  | { readonly verb: 'permit' }
  | { readonly verb: 'deny' }
  | { readonly verb: ClaimVerb; readonly claim: string }
  | { readonly verb: ClaimVerb; readonly type: Expression; readonly value: Expression }

/** Which actions may stand in which section. */
export const VERBS: Readonly<Record<SectionName, readonly Action['verb'][]>> = {
  configurationrules: ['issueproperty'],
  authorizationrules: ['permit', 'deny', 'add'],
  issuancerules: ['add', 'issue', 'issueproperty'],
}

/** The properties that `issueproperty` can set, and their types. Any other name is a mistake. */
export const ISSUED_PROPERTIES: Readonly<Record<string, { section: SectionName; valueType: ValueType }>> = {
  'x-ms-sgx-tcbidentifier': { section: 'configurationrules', valueType: 'String' },
  require_valid_aik_cert: { section: 'configurationrules', valueType: 'Boolean' },
  required_pcr_mask: { section: 'configurationrules', valueType: 'Integer' },
  report_validity_in_minutes: { section: 'issuancerules', valueType: 'Integer' },
  omit_x5c: { section: 'issuancerules', valueType: 'Boolean' },
}
