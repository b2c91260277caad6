import { describe, expect, it } from 'vitest'
import { readTemplate, TemplateError, type Value } from './index.ts'

/** Templates that were written to hurt: each is refused, soon and in little memory. */
const read = (template: { [key: string]: Value }) =>
  readTemplate({
    template: { contentVersion: '1.0.0.0', resources: [], ...template },
    parameters: {},
    surroundings: {
      subscription: { id: '/subscriptions/s', subscriptionId: 's', tenantId: 't', displayName: 'd' },
      resourceGroup: { id: '/subscriptions/s/resourceGroups/rg', name: 'rg', type: 't', location: 'l', tags: {} },
      deployment: { name: 'main', properties: {} },
    },
    now: () => new Date(0),
    newGuid: () => '5d7f6f3c-0000-4000-8000-000000000000',
  })
const outputOf = (value: Value, variables: { [key: string]: Value } = {}) =>
  read({ variables, outputs: { it: { type: 'object', value } } }).outputs(() => ({})).it?.value

/** `v60` is `v0` put together with itself 60 times over. */
const doubled = (first: Value, twice: (name: string) => string) => {
  const entries = Array.from({ length: 60 }, (_, at) => [`v${at + 1}`, twice(`variables('v${at}')`)] as const)
  return { v0: first, ...Object.fromEntries(entries) }
}

describe('a template that grows', () => {
  it.each<[string, () => unknown]>([
    ['by loops in loops', () => outputOf({ copy: [nested(5)] })],
    [
      'by a text that is doubled',
      () =>
        outputOf(
          "[variables('v60')]",
          doubled('x', (v) => `[concat(${v}, ${v})]`),
        ),
    ],
    [
      'by a list that is doubled',
      () =>
        outputOf(
          "[variables('v60')]",
          doubled([1], (v) => `[concat(${v}, ${v})]`),
        ),
    ],
    [
      'by lists of lists',
      () =>
        outputOf(
          "[string(variables('v60'))]",
          doubled([1], (v) => `[createArray(${v}, ${v})]`),
        ),
    ],
    ['by padding', () => outputOf("[padLeft('x', 500000000)]")],
    ['by replacing', () => outputOf(`[replace('${'x'.repeat(10_000)}', 'x', '${'y'.repeat(10_000)}')]`)],
    ['by formatting', () => outputOf(`[format('${'{0}'.repeat(10_000)}', '${'y'.repeat(10_000)}')]`)],
    ['by joining', () => outputOf(`[join(range(0, 10000), '${'y'.repeat(10_000)}')]`)],
    ['by comparing all with all', () => outputOf(`[union(${Array(4).fill('range(0, 10000)').join()})]`)],
    ['by resources in loops', () => read({ resources: [loop(500), loop(500)] })],
    ['by nothing but parentheses', () => outputOf(`[${'string('.repeat(100_000)}1${')'.repeat(100_000)}]`)],
    ['by variables in a long line', () => outputOf("[variables('v50000')]", line(50_000))],
    ['by JSON in a text', () => outputOf(`[json('${'['.repeat(100_000)}')]`)],
  ])('%s is refused, and soon', { timeout: 5_000 }, (_, work) => {
    expect(work).toThrow(TemplateError)
  })

  it('within reason is computed', () => {
    expect(
      outputOf("[length(variables('v1'))]", {
        v0: 'x'.repeat(100_000),
        v1: "[concat(variables('v0'), variables('v0'))]",
      }),
    ).toBe(200_000)
    expect(read({ resources: [loop(800)] }).resources).toHaveLength(800)
  })
})

function nested(levels: number): { [key: string]: Value } {
  return { name: 'n', count: 800, input: levels === 0 ? 1 : { copy: [nested(levels - 1)] } }
}

function loop(count: number): Value {
  const name = "[concat('r', copyIndex())]"
  return { type: 'Microsoft.Test/t', apiVersion: '1', name, copy: { name: 'l', count } }
}

function line(length: number): { [key: string]: Value } {
  const entries = Array.from({ length }, (_, at) => [`v${at + 1}`, `[variables('v${at}')]`] as const)
  return { v0: 1, ...Object.fromEntries(entries) }
}

describe('a member called __proto__', () => {
  const polluting = JSON.parse('{"__proto__": {"polluted": true}, "a": 1}') as Value

  it('is a member like any other', () => {
    const value = outputOf(polluting) as Record<string, unknown>
    expect(Object.keys(value)).toEqual(['__proto__', 'a'])
    expect(value.polluted).toBeUndefined()
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  it('stays one when objects are put together, made, or named by an expression', () => {
    const made = outputOf("[union(variables('p'), createObject('__proto__', createObject('polluted', true())))]", {
      p: polluting,
    })
    expect(Object.keys(made as object)).toEqual(['__proto__', 'a'])
    expect((made as Record<string, unknown>).polluted).toBeUndefined()
    const named = outputOf({ "[concat('__', 'proto__')]": { polluted: true } }) as Record<string, unknown>
    expect(named.polluted).toBeUndefined()
    const { outputs } = read(JSON.parse('{"outputs": {"__proto__": {"type": "object", "value": {"polluted": true}}}}'))
    expect((outputs(() => ({})) as Record<string, unknown>).polluted).toBeUndefined()
  })
})
