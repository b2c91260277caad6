import { describe, expect, it } from 'vitest'
import { parseRoute } from './route-template.ts'

describe('a route template', () => {
  it.each([
    ['a/{b}', 'A/x', { b: 'x' }],
    ['a/{b}', 'a', undefined],
    ['a/{b?}', 'a', {}],
    ['a/{b=7}', 'a', { b: '7' }],
    ['a/{*rest}', 'a/b/c', { rest: 'b/c' }],
    ['a/{*rest}', 'a', {}],
    ['{name}.{ext}', 'report.tar.gz', { name: 'report', ext: 'tar.gz' }],
    ['v{n:int}/x', 'v3/x', { n: '3' }],
    ['', '', {}],
    ['a', 'a/b', undefined],
    ['a/{b}', 'a/%E2%82%AC', { b: '€' }],
  ])('%j on %j gives %j', (template, path, expected) => {
    expect(parseRoute(template).match(path)).toEqual(expected)
  })

  it.each([
    ['int', '-5', '2147483648'],
    ['long', '9223372036854775807', '9223372036854775808'],
    ['bool', 'TRUE', 'yes'],
    ['guid', '0f8fad5b-d9cb-469f-a165-70867728950e', '0f8fad5b'],
    ['alpha', 'abc', 'ab1'],
    ['decimal', '1.5', '1e3'],
    ['double', '1e3', 'x'],
    ['datetime', '2026-01-01', 'soon'],
    ['minlength(3)', 'abc', 'ab'],
    ['maxlength(2)', 'ab', 'abc'],
    ['length(2)', 'ab', 'abc'],
    ['length(2,3)', 'abc', 'abcd'],
    ['min(3)', '3', '2'],
    ['max(3)', '3', '4'],
    ['range(1,5)', '5', '6'],
    ['regex(^v[[0-9]]{{2}}$)', 'v12', 'v1'],
    ['int:min(1)', '1', '0'],
  ])('with the constraint %s takes %j and not %j', (constraint, good, bad) => {
    const route = parseRoute(`a/{x:${constraint}}`)
    expect([route.match(`a/${good}`), route.match(`a/${bad}`)]).toEqual([{ x: good }, undefined])
  })

  it('with a constraint that nobody knows, or an open brace, is refused', () => {
    expect(() => parseRoute('{a:colour}')).toThrow(/unknown constraint "colour"/)
    expect(() => parseRoute('a/{b')).toThrow(/not closed/)
  })
})
