import fc from 'fast-check'
import { expect } from 'vitest'
import { ODD_MEMBERS, placesOf, withAt } from './junk.ts'
import { mutated, type Route, sentOf } from './routes.ts'
import { type Answer, faultOf, type HostileWorld, type Manner, type Sent } from './world.ts'

/*
 * What is done with the routes of a service, whichever it is. The seed is fixed: a run is the same every time, and what
 * fails is printed as it was sent, with the path to it.
 */

export const SEED = 20260401

export interface Suite {
  readonly world: HostileWorld
  readonly routes: readonly Route[]
  readonly manner: Manner
  /** What no answer may hold. */
  readonly secrets: readonly string[]
  /** In place of the dispatcher of the world. */
  readonly send?: (sent: Sent) => Promise<Answer | undefined>
  /** Whether a refused request may leave something all the same. */
  readonly mayChange?: (sent: Sent, answer: Answer) => boolean
}

/** Every route is taken as it stands: what is mutated is close to what is valid. */
export async function expectTaken({ world, routes, send = world.send }: Suite): Promise<void> {
  const answers: [string, number, string][] = []
  for (const route of routes) {
    const answer = await send(sentOf(route))
    if (answer?.status !== route.status) answers.push([route.name, answer?.status ?? 0, answer?.text ?? ''])
    world.reset()
  }
  expect(answers).toEqual([])
}

/** What went wrong when this was sent; undefined: nothing. The world is as it was afterwards. */
async function wrongWith(suite: Suite, sent: Sent, seen?: (status: number) => void): Promise<string | undefined> {
  const { world, manner, secrets, mayChange = () => false, send = world.send } = suite
  const answer = await send(sent).catch((error: unknown) => String(error))
  if (answer === undefined) return undefined
  if (typeof answer === 'string') return `nothing was answered: ${answer}`
  seen?.(answer.status)
  const changed = world.changed()
  if (changed.length > 0) world.reset()
  const fault = faultOf(sent, answer, manner, secrets)
  if (fault !== undefined) return fault
  if (answer.status < 400 || changed.length === 0 || mayChange(sent, answer)) return undefined
  return `the refusal (${answer.status}) changed ${changed.join(', ')}`
}

/** Random requests, each a valid one of which one to three parts were changed. */
export async function expectNothingBreaks(suite: Suite, runs: number): Promise<void> {
  const statuses = new Map<number, number>()
  const property = fc.asyncProperty(mutated(suite.routes), async ({ sent }) => {
    const wrong = await wrongWith(suite, sent, (status) => statuses.set(status, (statuses.get(status) ?? 0) + 1))
    if (wrong !== undefined) throw new Error(wrong)
  })
  await fc.assert(property, { seed: SEED, numRuns: runs })
  expectCleanPrototypes()
  // Neither all refused at the door nor hardly changed at all.
  const answered = [...statuses].reduce((sum, [, count]) => sum + count, 0)
  const taken = [...statuses].reduce((sum, [status, count]) => sum + (status < 400 ? count : 0), 0)
  expect(answered).toBeGreaterThan(runs * 0.8)
  expect(taken).toBeGreaterThan(runs * 0.1)
  expect(taken).toBeLessThan(answered * 0.7)
}

/** Every value that is odd at every member of every body, one at a time. */
export async function expectEveryMemberHolds(suite: Suite, values: readonly unknown[] = ODD_MEMBERS): Promise<void> {
  const faults: string[] = []
  for (const route of suite.routes) {
    if (route.body === undefined || route.status === 501) continue
    for (const place of placesOf(route.body)) {
      for (const value of [...values, undefined]) {
        if (value === undefined && place.length === 0) continue
        const body = JSON.stringify(withAt(route.body, place, value))
        const wrong = await wrongWith(suite, sentOf(route, { body }))
        if (wrong === undefined) continue
        faults.push(`${route.name} ${place.join('.')} = ${(JSON.stringify(value) ?? 'absent').slice(0, 60)}: ${wrong}`)
      }
    }
  }
  expect(faults).toEqual([])
  expectCleanPrototypes()
}

/** Members named `__proto__` and `constructor` were sent: no object got anything of them that it did not have. */
function expectCleanPrototypes(): void {
  for (const prototype of [Object.prototype, Array.prototype, Function.prototype]) {
    expect(Object.keys(prototype)).toEqual([])
  }
  expect(Object.keys(Object)).toEqual([])
}
