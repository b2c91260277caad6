import { expect, it } from 'vitest'
import { nameBasedUuid } from './operation-id.ts'

it('the same parts name the same role assignment, other parts another', () => {
  expect(nameBasedUuid('a', 'b')).toBe(nameBasedUuid('a', 'b'))
  expect(nameBasedUuid('a', 'b')).not.toBe(nameBasedUuid('ab', ''))
  expect(nameBasedUuid('a')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})
