import { describe, expect, it } from 'vitest'
import { readTemplate, TemplateError, type TemplateInput, templateGuid, uniqueString, type Value } from './index.ts'

const subscriptionId = '0b1f6471-1bf0-4dda-aec3-111122223333'
const group = `/subscriptions/${subscriptionId}/resourceGroups/rg`

function read(template: { [key: string]: Value }, parameters: Value = {}, more: Partial<TemplateInput> = {}) {
  return readTemplate({
    template: { contentVersion: '1.0.0.0', resources: [], ...template },
    parameters,
    surroundings: {
      subscription: { id: `/subscriptions/${subscriptionId}`, subscriptionId, tenantId: 't', displayName: 'Skerry' },
      resourceGroup: {
        id: group,
        name: 'rg',
        type: 'Microsoft.Resources/resourceGroups',
        location: 'westeurope',
        tags: {},
      },
      deployment: { name: 'main', properties: {} },
    },
    now: () => new Date('2026-02-03T04:05:06Z'),
    newGuid: () => '5d7f6f3c-0000-4000-8000-000000000000',
    ...more,
  })
}

/** The value of one expression, through an output. */
function computed(expression: string, template: { [key: string]: Value } = {}): Value | undefined {
  const reference = () => ({ ipAddress: { ip: '203.0.113.1' } })
  return read({ ...template, outputs: { it: { type: 'object', value: expression } } }).outputs(reference).it?.value
}

describe('uniqueString', () => {
  it.each([
    [['test'], 'rbgf3xv4ufgzg'],
    [['hello', 'world'], 'a7wkljktk6wne'],
    [['abc'], 'cgtzqvhu4i23s'],
    [['foo', 'bar', 'baz'], 'xzi4ioaxtmth4'],
    [['/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/my-rg'], 'bmg7c6xu4tw46'],
  ])('of %j is the published %s', (parts, expected) => {
    expect(uniqueString(...parts)).toBe(expected)
  })
})

describe('guid', () => {
  it('is a version 5 UUID in the namespace of template functions, as another implementation computes it', () => {
    expect(templateGuid('hello', 'world')).toBe('a5b868f8-11fe-567a-ace0-e77cc87f104e')
  })
  it('joins its arguments with a hyphen', () => {
    expect(templateGuid('a', 'b')).toBe(templateGuid('a-b'))
  })
})

describe('an expression', () => {
  it.each<[string, Value]>([
    ["[concat('a', 'b', 1)]", 'ab1'],
    ["[concat(createArray(1), createArray('x'))]", [1, 'x']],
    ["[format('{0}-{1}', 'a', 2)]", 'a-2'],
    ["[toUpper(substring('abcdef', 2, 3))]", 'CDE'],
    ["[if(equals(1, 2), json('not json'), 'lazy')]", 'lazy'],
    ['[and(true(), not(false()))]', true],
    ["[length(split('a,b,c', ','))]", 3],
    ["[first('abc')]", 'a'],
    ['[last(createArray(1, 2))]', 2],
    ["[contains(createObject('Key', 1), 'key')]", true],
    ["[replace('a.b.c', '.', '-')]", 'a-b-c'],
    ["[base64ToString(base64('héllo'))]", 'héllo'],
    ['[json(\'{"a":[1]}\').A[0]]', 1],
    ["[union(createObject('a', 1), createObject('b', 2))]", { a: 1, b: 2 }],
    ["[take('abcdef', 2)]", 'ab'],
    ["[string(int('42'))]", '42'],
    ["[empty('')]", true],
    ["['it''s']", "it's"],
    ['[[literal]', '[literal]'],
    ['plain', 'plain'],
    ['[resourceGroup().location]', 'westeurope'],
    ['[subscription().subscriptionId]', subscriptionId],
    ['[deployment().name]', 'main'],
    ['[environment().suffixes.keyvaultDns]', '.vault.azure.net'],
  ])('%s', (expression, expected) => {
    expect(computed(expression)).toEqual(expected)
  })

  it('takes a trailing slash in the type of resourceId, as published examples write it', () => {
    expect(computed("[resourceId('Microsoft.ContainerInstance/containerGroups/', 'g')]")).toBe(
      `${group}/providers/Microsoft.ContainerInstance/containerGroups/g`,
    )
  })
  it('lets resourceId name another group and another subscription', () => {
    const other = '99999999-1bf0-4dda-aec3-111122223333'
    expect(computed("[resourceId('other', 'A.B/c', 'n')]")).toBe(
      `/subscriptions/${subscriptionId}/resourceGroups/other/providers/A.B/c/n`,
    )
    expect(computed(`[resourceId('${other}', 'other', 'A.B/c/d', 'n', 'm')]`)).toBe(
      `/subscriptions/${other}/resourceGroups/other/providers/A.B/c/n/d/m`,
    )
  })
  it('gives the id of a role definition by subscriptionResourceId', () => {
    expect(computed("[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'x')]")).toBe(
      `/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/x`,
    )
  })
  it('reads a property of what was deployed', () => {
    expect(computed("[reference('A.B/c/n').ipAddress.ip]")).toBe('203.0.113.1')
  })
  it.each([
    ["[concat('a']", 'is not valid'],
    ['[nonsense()]', "The template function 'nonsense' is not valid"],
    ["[listKeys('a', 'b')]", 'not covered by Skerry'],
    ['[resourceGroup().nothing]', "doesn't exist, available properties are"],
    ["[resourceId('A.B/c', 'n', 'm')]", 'requires'],
    ["[parameters('missing')]", "The template parameter 'missing' is not found"],
    ["[variables('missing')]", "The template variable 'missing' is not found"],
    ["[int('x')]", 'not an integer'],
    ['[newGuid()]', 'is not expected at this location'],
    ['[constructor()]', 'is not valid'],
    ["[concat('a') 'b']", 'is not expected'],
  ])('%s is refused', (expression, sentence) => {
    expect(() => computed(expression)).toThrow(sentence)
  })
})

describe('parameters', () => {
  const declared = { parameters: { location: { type: 'string', allowedValues: ['a', 'b'] } } }

  it('must be given when they have no default, and the answer says where, as Azure said it in 2020', () => {
    const requestText =
      '{"properties":{"template":{"$schema":"https://schema.management.azure.com/schemas/2015-01-01/deploymentTemplate.json#","contentVersion":"1.0.0.0","parameters":{"location":{"type":"string"}},"resources":[]}}}'
    expect(() => read(declared, {}, { requestText })).toThrow(
      "Deployment template validation failed: 'The value for the template parameter 'location' at line '1' and column '172' is not provided. Please see https://aka.ms/resource-manager-parameter-files for usage details.'.",
    )
  })
  it('must be among the allowed values', () => {
    expect(() => read(declared, { location: { value: 'c' } })).toThrow(
      "The value 'c' is not part of the allowed value(s): 'a,b'",
    )
  })
  it('must be of their type', () => {
    expect(() => read(declared, { location: { value: 1 } })).toThrow(
      "Expected a value of type 'String, Uri', but received a value of type 'Integer'",
    )
  })
  it('must be in the template', () => {
    expect(() => read(declared, { other: { value: 'a' } })).toThrow(
      "The template parameters 'other' in the parameters file are not valid",
    )
  })
  it('keep to their length', () => {
    const template = { parameters: { p: { type: 'string', minLength: 3 } } }
    expect(() => read(template, { p: { value: 'ab' } })).toThrow(
      "Length of the value should be greater than or equal to '3'",
    )
  })
  it('never have a secure value shown in a refusal', () => {
    const template = { parameters: { p: { type: 'securestring', allowedValues: ['a'] } } }
    expect(() => read(template, { p: { value: 'hunter2' } })).toThrow(/'\*\*\*'/)
  })
  it('may use other parameters, the time and a new GUID in their default', () => {
    const { parameters } = read({
      parameters: {
        name: { type: 'string', defaultValue: "[concat(parameters('base'), '-', utcNow('yyyyMMdd'))]" },
        base: { type: 'string', defaultValue: '[newGuid()]' },
      },
    })
    expect(parameters.get('name')?.value).toBe('5d7f6f3c-0000-4000-8000-000000000000-20260203')
  })
  it('refuse a circle of defaults', () => {
    const template = { parameters: { a: { type: 'string', defaultValue: "[parameters('a')]" } } }
    expect(() => read(template)).toThrow('Circular dependency')
  })
})

describe('variables', () => {
  it('may use each other in any order', () => {
    expect(computed("[variables('a')]", { variables: { a: "[concat(variables('b'), '!')]", b: 'x' } })).toBe('x!')
  })
  it('may be arrays made by a loop', () => {
    const variables = { copy: [{ name: 'list', count: 3, input: "[concat('n', copyIndex('list', 1))]" }] }
    expect(computed("[variables('list')]", { variables })).toEqual(['n1', 'n2', 'n3'])
  })
})

describe('resources', () => {
  const resource = (name: string, more: { [key: string]: Value } = {}) => ({
    type: 'A.B/c',
    apiVersion: '2023-05-01',
    name,
    ...more,
  })
  const noReference = () => null

  it('are spread by a loop', () => {
    const { resources } = read({
      resources: [resource("[concat('n', copyIndex())]", { copy: { name: 'loop', count: 2 } })],
    })
    expect(resources.map(({ id }) => id)).toEqual([`${group}/providers/A.B/c/n0`, `${group}/providers/A.B/c/n1`])
  })
  it('are skipped when their condition is false and may still be named', () => {
    const { resources } = read({
      resources: [resource('a', { condition: '[equals(1, 2)]' }), resource('b', { dependsOn: ['a'] })],
    })
    expect(resources.map(({ skipped }) => skipped)).toEqual([true, false])
  })
  it('wait for what they name, by id or by name, and for what they refer to', () => {
    const { dependencies } = read({
      resources: [
        resource('a', { dependsOn: ["[resourceId('A.B/c', 'b')]"] }),
        resource('b', { properties: { x: "[reference(resourceId('A.B/c', 'd')).y]" } }),
        resource('d'),
      ],
    })
    expect([...(dependencies.get(`${group}/providers/a.b/c/a`.toLowerCase()) ?? [])]).toEqual([
      `${group}/providers/a.b/c/b`.toLowerCase(),
    ])
    expect([...(dependencies.get(`${group}/providers/a.b/c/b`.toLowerCase()) ?? [])]).toEqual([
      `${group}/providers/a.b/c/d`.toLowerCase(),
    ])
  })
  it('may have names of members that are computed, as an identity map has', () => {
    const template = read({
      resources: [
        resource('a', {
          identity: {
            userAssignedIdentities: { "[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'i')]": {} },
          },
        }),
      ],
    })
    expect(template.body(template.resources[0]!, noReference)).toEqual({
      identity: {
        userAssignedIdentities: { [`${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i`]: {} },
      },
    })
  })
  it('stand on the scope that they give', () => {
    const assignment = {
      type: 'Microsoft.Authorization/roleAssignments',
      apiVersion: '2022-04-01',
      name: 'g',
      scope: "[resourceId('A.B/c', 'v')]",
    }
    expect(read({ resources: [assignment] }).resources[0]?.id).toBe(
      `${group}/providers/A.B/c/v/providers/Microsoft.Authorization/roleAssignments/g`,
    )
  })
  it('stand on a resource in the older form of an extension', () => {
    const assignment = {
      type: 'A.B/c/providers/roleAssignments',
      apiVersion: '2022-04-01',
      name: 'v/Microsoft.Authorization/g',
    }
    expect(read({ resources: [assignment] }).resources[0]?.id).toBe(
      `${group}/providers/A.B/c/v/providers/Microsoft.Authorization/roleAssignments/g`,
    )
  })
  it('may be a map of symbolic names', () => {
    const { resources } = read({ languageVersion: '2.0', resources: { mine: resource('a') } })
    expect(resources[0]?.symbolicName).toBe('mine')
  })
  it.each<[string, { [key: string]: Value }[], string]>([
    [
      'wait for each other',
      [resource('a', { dependsOn: ['b'] }), resource('b', { dependsOn: ['a'] })],
      'Circular dependency detected',
    ],
    [
      'wait for what is not there',
      [resource('a', { dependsOn: ['x'] })],
      "The resource 'x' is not defined in the template",
    ],
    ['are there twice', [resource('a'), resource('A')], 'is defined multiple times in a template'],
    ['have too many names', [resource('a/b')], 'has incorrect segment lengths'],
    ['have no type', [{ name: 'a', apiVersion: '2023-05-01' }], "missing the 'type' property"],
  ])('are refused when they %s', (_, resources, sentence) => {
    expect(() => read({ resources })).toThrow(sentence)
  })
})

describe('a template', () => {
  it('with a member that the language does not know is refused', () => {
    expect(() => read({ resorces: [] })).toThrow("Could not find member 'resorces' on object of type 'Template'")
  })
  it('without content version is refused', () => {
    expect(() => read({ contentVersion: '1' })).toThrow(TemplateError)
  })
  it('does not give back the value of a secure output', () => {
    const outputs = { it: { type: 'securestring', value: 'hunter2' } }
    expect(read({ outputs }).outputs(() => null)).toEqual({ it: { type: 'SecureString' } })
  })
})
