import { describe, expect, it } from 'vitest'
import { DEFAULT_POLICIES } from './defaults.ts'
import type { PolicySyntaxError } from './errors.ts'
import { evaluateConfiguration, evaluatePolicy } from './evaluate.ts'
import { policyHash } from './hash.ts'
import { parsePolicy } from './parse.ts'
import type { Claim, ClaimIssuer, PolicyValue } from './value.ts'

const claim = (type: string, value: PolicyValue, issuer: ClaimIssuer = 'AttestationService'): Claim => ({
  type,
  value,
  issuer,
})

const SGX = [
  claim('x-ms-attestation-type', 'sgx'),
  claim('x-ms-sgx-is-debuggable', false),
  claim('x-ms-sgx-mrsigner', 'aa'),
  claim('x-ms-sgx-product-id', 7),
  claim('x-ms-sgx-svn', 3),
]

const authorize = (rules: string, version = '1.2') => `version=${version};authorizationrules{${rules}};`
const issue = (rules: string, version = '1.2') => `${authorize('=> permit();', version)}issuancerules{${rules}};`
const issued = (rules: string, claims: readonly Claim[] = SGX) =>
  evaluatePolicy(parsePolicy(issue(rules)), claims).issued.map(({ type, value }) => [type, value])
const permits = (rules: string, claims: readonly Claim[] = SGX) => {
  const { permitted, denied } = evaluatePolicy(parsePolicy(authorize(rules)), claims)
  return permitted && !denied
}
const refusalOf = (text: string): PolicySyntaxError => {
  try {
    parsePolicy(text)
  } catch (error) {
    return error as PolicySyntaxError
  }
  throw new Error('the policy was parsed')
}

describe('a default policy', () => {
  it.each([
    ['SevSnpVm', 46, '9NY0VnTQ-IiBriBplVUpFbczcDaEBUwsiFYAzHu_gco'],
    ['SgxEnclave', 592, 'ViVGS4BYl70X8eUrgryHg0TtbEk9WtIc6DtTBEFxaWc'],
  ] as const)('of %s has %i characters and the hash that is in every token', (type, length, hash) => {
    const standard = DEFAULT_POLICIES[type] as { text: string }
    expect(standard.text).toHaveLength(length)
    expect(policyHash(standard.text)).toBe(hash)
    expect(policyHash(`${standard.text} `)).not.toBe(hash)
  })

  it('of SGX chooses the baseline and issues the old names of the claims', () => {
    const policy = parsePolicy((DEFAULT_POLICIES.SgxEnclave as { text: string }).text)
    expect([...evaluateConfiguration(policy)]).toEqual([['x-ms-sgx-tcbidentifier', 'azuredefault']])
    expect(evaluatePolicy(policy, SGX).issued.map(({ type, value }) => [type, value])).toEqual([
      ['is-debuggable', false],
      ['sgx-mrsigner', 'aa'],
      ['product-id', 7],
      ['svn', 3],
      ['tee', 'sgx'],
    ])
  })
})

describe('authorization rules', () => {
  it('permit when one of them permits', () => {
    expect(permits('[type=="x-ms-sgx-svn", value>=4] => permit(); [type=="x-ms-sgx-svn", value>=3] => permit();')).toBe(
      true,
    )
  })

  it('do not permit when none of them does', () => {
    expect(permits('')).toBe(false)
    expect(permits('[type=="nothing"] => permit();')).toBe(false)
  })

  it('do not permit when one denies, wherever it stands', () => {
    expect(permits('=> permit(); => deny();')).toBe(false)
    expect(permits('=> deny(); => permit();')).toBe(false)
    expect(permits('[type=="x-ms-sgx-is-debuggable", value==true] => deny(); => permit();')).toBe(true)
  })

  it('hold when each of their conditions does, one claim for each', () => {
    expect(permits('[type=="x-ms-sgx-svn", value==3] && [type=="x-ms-sgx-mrsigner", value=="aa"] => permit();')).toBe(
      true,
    )
    expect(permits('[type=="x-ms-sgx-svn", value==3] && [type=="x-ms-sgx-mrsigner", value=="bb"] => permit();')).toBe(
      false,
    )
    expect(permits('[type=="x-ms-sgx-svn", value=="aa"] => permit();')).toBe(false)
  })

  it.each<[string, boolean]>([
    ['value==3', true],
    ['value!=3', false],
    ['value<3', false],
    ['value<=3', true],
    ['value>2', true],
    ['value>=4', false],
    ['value=="3"', false],
    ['valueType=="Integer"', true],
    ['issuer=="AttestationService"', true],
    ['issuer!="CustomClaim"', true],
    ['value > -1', true],
  ])('compare an integer 3: %s is %s', (comparison, met) => {
    expect(permits(`[type=="x-ms-sgx-svn", ${comparison}] => permit();`)).toBe(met)
  })

  it('see claims that rules before them added, and those after them do not', () => {
    expect(permits('=> add(type="a", value=1); [type=="a", issuer=="AttestationPolicy"] => permit();')).toBe(true)
    expect(permits('[type=="a"] => permit(); => add(type="a", value=1);')).toBe(false)
  })

  it('compare with what an earlier condition found, if it found several with any of them', () => {
    const claims = [claim('os', 'a', 'CustomClaim'), claim('os', 'b', 'CustomClaim'), claim('os', 'b'), claim('n', 5)]
    const same = 'f:[type=="os", issuer=="CustomClaim"] && [type=="os", issuer=="AttestationService", value==f.value]'
    expect(permits(`${same} => permit();`, claims)).toBe(true)
    expect(permits('f:[type=="n"] && [type=="n", value<f.value] => permit();', claims)).toBe(false)
    expect(permits('f:[type=="os"] && [type=="n", value>f.value] => permit();', claims)).toBe(false)
  })

  it('say in their trace which condition was not met, and what was found instead', () => {
    const { trace } = evaluatePolicy(parsePolicy(authorize('[type=="x-ms-sgx-svn", value>=4] => permit();')), SGX)
    expect(trace).toMatchObject([
      { applied: false, unmet: { condition: '[type=="x-ms-sgx-svn", value>=4]', found: [3] }, rule: { line: 1 } },
    ])
  })
})

describe('issuance rules', () => {
  it('issue values and whole claims, of the policy', () => {
    const policy = parsePolicy(issue('=> issue(type="level", value=100); c:[type=="x-ms-sgx-svn"] => issue(claim=c);'))
    expect(evaluatePolicy(policy, SGX).issued).toEqual([
      claim('level', 100, 'AttestationPolicy'),
      claim('x-ms-sgx-svn', 3, 'AttestationPolicy'),
    ])
  })

  it('act once for each claim that was found', () => {
    const claims = [claim('a', 1), claim('a', 2)]
    expect(issued('c:[type=="a"] => issue(type="b", value=c.value);', claims)).toEqual([
      ['b', 1],
      ['b', 2],
    ])
  })

  it('do not issue what was only added', () => {
    expect(issued('=> add(type="a", value=1); c:[type=="a"] => issue(type="b", value=c.value);')).toEqual([['b', 1]])
  })

  it('are not looked at when the policy does not permit', () => {
    const text = 'version=1.0;authorizationrules{=> deny();};issuancerules{=> issue(type="a", value=1);};'
    expect(evaluatePolicy(parsePolicy(text), SGX).issued).toEqual([])
  })

  it('know whether something is absent (1.2)', () => {
    expect(
      issued('![type=="a"] => issue(type="a", value=false); ![type=="a"] => issue(type="a", value=true);'),
    ).toEqual([['a', false]])
  })
})

describe('functions of version 1.2', () => {
  const json = claim('json', '{"values": [0, 1, 2], "name": "Boot", "deep": {"b": true}, "half": 0.5, "none": null}')
  const of = (call: string, claims: readonly Claim[] = []) =>
    issued(`c:[type=="json"] => issue(type="r", value=${call});`, [json, ...claims]).map(([, value]) => value)

  it.each<[string, PolicyValue[]]>([
    ['JmesPath(c.value, "values[2]")', ['2']],
    ['JmesPath(c.value, "name")', ['"Boot"']],
    ['JmesPath(c.value, "missing")', ['null']],
    ['JmesPath("{\\"foo\\": \\"bar\\"}", "foo")', ['"bar"']],
    ['JsonToClaimValue(JmesPath(c.value, "values"))', [0, 1, 2]],
    ['JsonToClaimValue(JmesPath(c.value, "deep.b"))', [true]],
    ['JsonToClaimValue(JmesPath(c.value, "name"))', ['Boot']],
    ['JsonToClaimValue(JmesPath(c.value, "length(values) == `3` && name == \'Boot\'"))', [true]],
    ['JsonToClaimValue(JmesPath(c.value, "equals_ignore_case(name, \'bOOT\')"))', [true]],
    ['JsonToClaimValue(JmesPath(c.value, "none"))', []],
    ['JsonToClaimValue("[1, null, \\"a\\"]")', [1, 'a']],
    ['AppendString("a", AppendString("", "b"))', ['ab']],
    ['NegateBool(true)', [false]],
    ['IsSubsetOf(1, 2)', [false]],
    ['ContainsOnlyValue("a", "a")', [true]],
  ])('%s is %j', (call, values) => {
    expect(of(call)).toEqual(values)
  })

  it('take sets where an identifier stands for several claims', () => {
    const claims = [claim('sub', 'abc'), claim('sub', 100), claim('all', true), claim('all', 'abc'), claim('all', 100)]
    const rule = (call: string) =>
      issued(`a:[type=="sub"] && b:[type=="all"] => issue(type="r", value=${call});`, claims)
    expect(rule('IsSubsetOf(a.value, b.value)')).toEqual([['r', true]])
    expect(rule('IsSubsetOf(b.value, a.value)')).toEqual([['r', false]])
    expect(rule('ContainsOnlyValue(a.value, 100)')).toEqual([['r', false]])
  })

  it('decide a sample of Microsoft’s: secure boot by an event of the log', () => {
    const events = (data: string) => ({
      ...claim(
        'events',
        `{"Events":[{"EventTypeString":"EV_EFI_VARIABLE_DRIVER_CONFIG","ProcessedData":{"VariableGuid":"8BE4","UnicodeName":"SecureBoot","VariableData":"${data}"}}]}`,
      ),
    })
    const rules =
      'c:[type == "events", issuer=="AttestationService"] => add(type = "efiConfigVariables", value = JmesPath(c.value, "Events[?EventTypeString == \'EV_EFI_VARIABLE_DRIVER_CONFIG\' && ProcessedData.VariableGuid == \'8BE4\']"));' +
      'c:[type == "efiConfigVariables", issuer=="AttestationPolicy"]=> issue(type = "secureBootEnabled", value = JsonToClaimValue(JmesPath(c.value, "[?ProcessedData.UnicodeName == \'SecureBoot\'] | length(@) == `1` && @[0].ProcessedData.VariableData == \'AQ\'")));' +
      '![type=="secureBootEnabled", issuer=="AttestationPolicy"] => issue(type="secureBootEnabled", value=false);'
    expect(issued(rules, [events('AQ')])).toEqual([['secureBootEnabled', true]])
    expect(issued(rules, [events('AA')])).toEqual([['secureBootEnabled', false]])
    expect(issued(rules, [])).toEqual([['secureBootEnabled', false]])
  })

  it.each([
    ['JmesPath(c.value, "values[")', 'JmesPath'],
    ['JmesPath("no json", "a")', 'is not JSON'],
    ['JmesPath(c.value, "")', 'the query is empty'],
    ['JmesPath(1, "a")', 'is not a String'],
    ['JmesPath(c.value, "no_such_function(@)")', 'JmesPath'],
    ['JsonToClaimValue(JmesPath(c.value, "deep"))', 'an object is no value'],
    ['JsonToClaimValue("[[1]]")', 'an array is no value'],
    ['JsonToClaimValue(JmesPath(c.value, "half"))', 'not an Integer'],
    ['NegateBool("true")', 'not a Boolean'],
    ['AppendString(1, "a")', 'not a String'],
  ])('%s is an error that says so and where', (call, message) => {
    expect(() => of(call)).toThrow(message)
    expect(() => of(call)).toThrow('(issuancerules, line 1)')
  })

  it('do not issue raw evidence, nor what is worked out from it, unless it is a boolean', () => {
    const pcrs: Claim = { ...claim('pcrs', '{"PCRs":[{"Index":0}]}'), readOnly: true }
    const rule = (value: string) => () => issued(`c:[type=="pcrs"] => issue(type="r", value=${value});`, [pcrs])
    expect(rule('c.value')).toThrow('read-only')
    expect(rule('AppendString(c.value, "")')).toThrow('read-only')
    expect(rule('ContainsOnlyValue(c.value, "x")')()).toEqual([['r', false]])
  })
})

describe('bounds', () => {
  it('claims that double with each rule come to an end', () => {
    const rule = 'c:[type!="x"] => add(type="a", value=c.value);'
    expect(() => issued(rule.repeat(40))).toThrow('more than 4096 claims')
  })

  it('strings that double with each rule come to an end', () => {
    const rules = Array.from(
      { length: 30 },
      (_, at) => `c:[type=="s${at}"] => add(type="s${at + 1}", value=AppendString(c.value, c.value));`,
    )
    expect(() => issued(rules.join(''), [claim('s0', 'abcdefgh')])).toThrow('AppendString')
  })

  it.each(['[@, @][] | ', '[@, @] | '])('queries that double with each step come to an end: %s', (step) => {
    const query = `${step.repeat(60)}@`
    expect(() => issued(`=> issue(type="r", value=JmesPath("[1]", "${query}"));`)).toThrow('JmesPath')
  })

  it('all queries of one policy share their time', () => {
    const rule = `=> add(type="r", value=JsonToClaimValue(JmesPath("[1]", "length(${'[@, @][] | '.repeat(18)}@)")));`
    expect(() => issued(rule.repeat(400))).toThrow('JmesPath')
  })

  it('a policy that is too long is not looked at', () => {
    expect(refusalOf(`${authorize('=> permit();')}//${'x'.repeat(262_144)}`).message).toContain('at most 262144')
  })

  it.each(['a', '\\\\', '//', ' '])('a string of %j that never ends costs no more than its length', (part) => {
    expect(refusalOf(authorize(`[type=="${part.repeat(60_000)}`)).message).toContain('does not end')
  })

  it('calls within calls, and brackets within queries, have a depth', () => {
    const deep = `${'NegateBool('.repeat(40)}true${')'.repeat(40)}`
    expect(refusalOf(issue(`=> issue(type="a", value=${deep});`)).message).toContain('more than 32 calls')
    const query = `${'['.repeat(200)}${']'.repeat(200)}`
    expect(() => issued(`=> issue(type="r", value=JmesPath("1", "${query}"));`)).toThrow('nested deeper')
  })
})

describe('the text of a policy', () => {
  it('is free in its blanks, and has comments', () => {
    const text = '// first\nversion = 1.0 ;\r\n\tauthorizationrules\n{ // all\n => permit ( ) ; } ;// last'
    expect(evaluatePolicy(parsePolicy(text), []).permitted).toBe(true)
  })

  it('escapes quotes and backslashes in its strings', () => {
    expect(issued('=> issue(type="a", value="\\"C:\\\\x\\" // no comment");')).toEqual([['a', '"C:\\x" // no comment']])
  })

  it.each<[string, string, Partial<PolicySyntaxError>]>([
    ['nothing', '', { symbol: '<EOF>', line: 1, column: 0, rule: 'policy > versionInfo' }],
    ['an unknown version', 'version=1.3;', { message: expect.stringContaining('1.3'), rule: 'policy > versionInfo' }],
    [
      'a missing semicolon',
      'version= 1.0\n [',
      { message: "mismatched input '[' expecting ';'", symbol: '[', line: 2, column: 1, rule: 'policy > versionInfo' },
    ],
    ['no authorization rules', 'version=1.0;', { message: "missing 'authorizationrules'" }],
    ['an unknown section', 'version=1.0;rules{};', { symbol: 'rules', rule: 'policy > section' }],
    [
      'sections in another order',
      'version=1.0;issuancerules{};authorizationrules{};',
      { symbol: 'authorizationrules' },
    ],
    [
      'a section twice',
      'version=1.0;authorizationrules{};authorizationrules{};',
      { message: expect.stringContaining('second') },
    ],
    [
      'configuration rules in 1.0',
      'version=1.0;configurationrules{};authorizationrules{};',
      { message: expect.stringContaining('needs version 1.1') },
    ],
    [
      'a negation in 1.1',
      authorize('![type=="a"] => permit();', '1.1'),
      { message: expect.stringContaining('needs version 1.2') },
    ],
    [
      'a function in 1.0',
      issue('=> issue(type="a", value=NegateBool(true));', '1.0'),
      { message: expect.stringContaining("'NegateBool' needs version 1.2") },
    ],
    [
      'an unknown function',
      issue('=> issue(type="a", value=Regex("a"));'),
      { message: expect.stringContaining("'Regex' is none of JmesPath") },
    ],
    [
      'a name of JavaScript’s for a function',
      issue('=> issue(type="a", value=constructor("a"));'),
      { symbol: 'constructor' },
    ],
    [
      'too few arguments',
      issue('=> issue(type="a", value=AppendString("a"));'),
      { message: expect.stringContaining('takes 2 arguments, not 1') },
    ],
    [
      'an unknown operator',
      authorize('[type=>"a"] => permit();'),
      { symbol: '=>', rule: 'policy > section > claimRule > condition' },
    ],
    ['an assignment for a comparison', authorize('[type="a"] => permit();'), { symbol: '=' }],
    ['an empty condition', authorize('[] => permit();'), { symbol: ']' }],
    ['an unknown property', authorize('[kind=="a"] => permit();'), { symbol: 'kind' }],
    [
      'an order of strings',
      authorize('[value<"a"] => permit();'),
      { message: expect.stringContaining('only Integers are ordered') },
    ],
    [
      'an order of types',
      authorize('[type<="a"] => permit();'),
      { message: expect.stringContaining('which is a String') },
    ],
    [
      'a type that is a number',
      authorize('[type==1] => permit();'),
      { message: expect.stringContaining('is a String') },
    ],
    ['an unknown action', authorize('=> allow();'), { symbol: 'allow' }],
    [
      'an issuance that authorizes',
      authorize('=> issue(type="a", value=1);'),
      { message: "the action 'issue' in 'authorizationrules'" },
    ],
    ['a permission that is issued', issue('=> permit();'), { message: "the action 'permit' in 'issuancerules'" }],
    ['a claim without a value', issue('=> issue(type="a");'), { message: "'issue' without 'value'" }],
    ['a claim with two types', issue('=> issue(type="a", type="b", value=1);'), { message: "a second 'type'" }],
    ['a claim with its own issuer', issue('=> issue(type="a", value=1, issuer="x");'), { symbol: 'issuer' }],
    ['an identifier of nobody', issue('=> issue(type="a", value=c.value);'), { symbol: 'c' }],
    [
      'an identifier twice',
      issue('c:[type=="a"] && c:[type=="b"] => issue(claim=c);'),
      { message: expect.stringContaining('twice') },
    ],
    ['an identifier of itself', authorize('c:[type==c.type] => permit();'), { symbol: 'c' }],
    ['an identifier of what is absent', issue('c:![type=="a"] => issue(claim=c);'), { symbol: '!' }],
    [
      'the claim of what is absent',
      issue('!c:[type=="a"] => issue(claim=c);'),
      { message: expect.stringContaining('found nothing') },
    ],
    [
      'an unknown configuration',
      'version=1.1;configurationrules{=> issueproperty(type="x", value=1);};authorizationrules{};',
      { message: "the property 'x' in 'configurationrules'" },
    ],
    [
      'a configuration of another type',
      'version=1.1;configurationrules{=> issueproperty(type="required_pcr_mask", value="1");};authorizationrules{};',
      { message: expect.stringContaining('is of the type Integer') },
    ],
    [
      'an unknown baseline',
      'version=1.1;configurationrules{=> issueproperty(type="x-ms-sgx-tcbidentifier", value="9");};authorizationrules{};',
      { message: expect.stringContaining("'9'") },
    ],
    [
      'a string without an end',
      authorize('[type=="a] => permit();'),
      { message: expect.stringContaining('does not end'), symbol: '"' },
    ],
    ['an unknown escape', authorize('[type=="\\n"] => permit();'), { message: expect.stringContaining('\\n') }],
    ['an unknown character', authorize('[type==“a”] => permit();'), { message: "token recognition error at: '“'" }],
    [
      'a number that is too large',
      authorize('[value==99999999999999999] => permit();'),
      { message: expect.stringContaining('too large') },
    ],
    ['something after its end', `${authorize('=> permit();')}x`, { symbol: 'x' }],
  ])('is refused with %s', (_, text, error) => {
    expect(refusalOf(text)).toMatchObject({ code: 'ERR_POLICY_SYNTAX', ...error })
  })
})
