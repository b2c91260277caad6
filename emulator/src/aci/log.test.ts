import { expect, it } from 'vitest'
import { createContainerLog } from './log.ts'

it('keeps the newest 4 MB of what a container wrote', () => {
  const log = createContainerLog()
  for (let at = 0; at < 600; at++) log.append('t', `${at} ${'x'.repeat(9_990)}`)
  const text = log.read()
  expect(text.length).toBeLessThanOrEqual(4 * 1024 * 1024)
  expect(text.length).toBeGreaterThan(3.5 * 1024 * 1024)
  expect(log.read({ tail: 1 })).toMatch(/^599 x+\n$/)
})

it('keeps a bounded number of lines, however short they are', () => {
  const log = createContainerLog()
  for (let at = 0; at < 400_000; at++) log.append('t', '')
  expect(log.read().length).toBeLessThan(150_000)
  expect(log.read().length).toBeGreaterThan(100_000)
})
