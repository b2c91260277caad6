import { expect, it } from 'vitest'
import { seededRandom } from '../../core/random.ts'
import { Agenda } from './agenda.ts'

it('an agenda gives what is due first, whatever was put on it, moved and taken off before', () => {
  const agenda = new Agenda()
  const plain = new Map<string, number>()
  const random = seededRandom('agenda')
  const expected = () => Math.min(...plain.values())
  for (let step = 0; step < 5_000; step += 1) {
    const [which = 0, what = 0, high = 0] = random.bytes(3)
    const id = `key-${which % 50}`
    const at = what < 64 ? undefined : high * 256 + what
    agenda.set(id, at)
    if (at === undefined) plain.delete(id)
    else plain.set(id, at)
    const first = agenda.first()
    expect(first?.at).toBe(plain.size === 0 ? undefined : expected())
    if (first !== undefined) expect(plain.get(first.id)).toBe(first.at)
  }
  expect(agenda.size).toBe(plain.size)
  agenda.clear()
  expect(agenda.first()).toBeUndefined()
})

it('an agenda of ten thousand ids that all move again and again is gone through at once', () => {
  const agenda = new Agenda()
  for (let round = 0; round < 20; round += 1) {
    for (let id = 0; id < 10_000; id += 1) agenda.set(`${id}`, (id * 7919 + round) % 10_007)
  }
  let last = -1
  for (let taken = 0; taken < 10_000; taken += 1) {
    const first = agenda.first()!
    expect(first.at >= last).toBe(true)
    last = first.at
    agenda.set(first.id, undefined)
  }
  expect(agenda.first()).toBeUndefined()
})
