import { expect, it } from 'vitest'
import { jsonFaultPosition } from './json-position.ts'

it.each([
  ['nothing at all', '', 'line 1 column 1'],
  ['an end too early', '{"a": [1, 2', 'line 1 column 12'],
  ['a word that is none of JSON', '{"a": secret}', 'line 1 column 7'],
  ['a comma before the end of an object', '{"a": 1,\n}', 'line 2 column 1'],
  ['a comma before the end of a list', '[1,\r\n  2,]', 'line 2 column 5'],
  ['a name without quotes', '{\n  a: 1}', 'line 2 column 3'],
  ['a missing colon', '{"a" 1}', 'line 1 column 6'],
  ['the wrong bracket', '{"a": [1}', 'line 1 column 9'],
  ['a number with a leading zero', '[01]', 'line 1 column 3'],
  ['a string that does not end', '["abc', 'line 1 column 2'],
  ['an escape that is none', '["\\x"]', 'line 1 column 2'],
  ['more after the end', '{} {}', 'line 1 column 4'],
])('finds %s', (_what, text, position) => {
  expect(() => JSON.parse(text)).toThrow()
  expect(jsonFaultPosition(text)).toBe(position)
})

it('finds a fault after a megabyte of text and of nesting', () => {
  expect(jsonFaultPosition(`{"a":"${'x\\n'.repeat(350_000)}",}`)).toBe('line 1 column 1050009')
  expect(jsonFaultPosition('['.repeat(1_000_000))).toBe('line 1 column 1000001')
})
