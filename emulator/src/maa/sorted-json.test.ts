import { expect, it } from 'vitest'
import { sortedJson } from './sorted-json.ts'

it('sorts members by the bytes of their names at every level, numbers as text and what lies beyond U+FFFF last', () => {
  const value = { b: [{ z: 1, a: null }], 9: 'nine', 10: 'ten', '\u{1f511}': 1, '\uff5e': 2, é: 3, a: undefined }
  expect(sortedJson(value)).toBe('{"10":"ten","9":"nine","b":[{"a":null,"z":1}],"é":3,"～":2,"🔑":1}')
})

it('writes what is no object as JSON does', () => {
  expect(['"', 1.5, true, null].map(sortedJson)).toEqual(['"\\""', '1.5', 'true', 'null'])
})
