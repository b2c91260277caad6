import { expect, it } from 'vitest'
import type { Effects } from './record.ts'
import { standing } from './standing.ts'

const key = { id: 'k', name: 'k', version: '1', created: true }
const role = { id: 'r', roleName: 'r', scope: 's', created: true }
const identity = { id: 'i', principalId: 'p', clientId: 'c', created: true }
const group = { id: 'g', state: 'Running' }
const all: Effects = { key, role, identity, group }

it('stands what was made, in the order in which it is taken away', () => {
  expect(standing(all)).toEqual(['group', 'key', 'role', 'identity'])
})

it('does not count what was there before, nor what was taken away', () => {
  expect(standing({ ...all, identity: { ...identity, created: false }, gone: ['group', 'key'] })).toEqual(['role'])
})

it('has nothing of a deployment that came to nothing', () => {
  expect(standing({ hostData: 'ab' })).toEqual([])
})
