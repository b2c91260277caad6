import { describe, expect, it } from 'vitest'
import { createDispatcher, manualClock, type Service } from '../core/index.ts'
import { StateBusyError } from './error.ts'
import { createGate } from './gate.ts'

/** A service whose answer waits until it is told to come. */
function slowService(text: string) {
  const { promise, resolve: answer } = Promise.withResolvers<void>()
  const service: Service = {
    name: 'slow',
    hosts: ['slow.example'],
    async handle() {
      await promise
      return new Response(text)
    },
  }
  return { dispatcher: createDispatcher([service]), answer }
}

describe('the gate before the services', () => {
  const ask = (gate: ReturnType<typeof createGate>) =>
    gate.dispatcher.dispatch(new Request('https://slow.example/'), { door: 'process' }).then((found) => found.text())

  it('lets those finish who are inside, and leads those who come meanwhile to the new services', async () => {
    const [old, next] = [slowService('old'), slowService('new')]
    let current = old.dispatcher
    const gate = createGate(() => current, manualClock())
    const inside = ask(gate)
    const changed = gate.alone(async () => {
      current = next.dispatcher
    })
    const waiting = ask(gate)
    next.answer()
    old.answer()
    await changed
    expect(await Promise.all([inside, waiting])).toEqual(['old', 'new'])
  })

  it('gives up on a request that does not end, and opens again', async () => {
    const clock = manualClock()
    const { dispatcher, answer } = slowService('text')
    const gate = createGate(() => dispatcher, clock)
    const inside = ask(gate)
    const refused = expect(gate.alone(async () => undefined)).rejects.toThrow(StateBusyError)
    await clock.advance(10_000)
    await refused
    answer()
    expect(await inside).toBe('text')
    expect(await ask(gate)).toBe('text')
  })

  it('opens again when the change fails', async () => {
    const { dispatcher, answer } = slowService('text')
    answer()
    const gate = createGate(() => dispatcher, manualClock())
    await expect(gate.alone(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await ask(gate)).toBe('text')
  })
})
