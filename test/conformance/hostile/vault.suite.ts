import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Route } from './routes.ts'
import { expectEveryMemberHolds, expectNothingBreaks, expectTaken, type Suite } from './suite.ts'
import { prepareKeys, SENT_SECRETS, vaultRoutes } from './vault-routes.ts'
import { createHostileWorld, type HostileWorld, hasErrorObject, MANAGED_HSM, VAULT } from './world.ts'

/*
 * The data plane of vault and managed HSM: whatever is sent, there is an answer of theirs.
 */

let world: HostileWorld
const routes: Record<string, Route[]> = {}
beforeAll(async () => {
  world = await createHostileWorld()
  for (const origin of [VAULT, MANAGED_HSM])
    routes[origin] = await vaultRoutes(world, origin, await prepareKeys(world, origin))
  world.keep()
})
afterAll(() => world[Symbol.asyncDispose]())

const suite = (origin: string): Suite => ({
  world,
  routes: routes[origin]!,
  manner: {
    // A path that the web server before a vault does not pass on is answered by that, with a page.
    isRefusal: (json, { headers, text }) =>
      hasErrorObject(json) ? headers.has('x-ms-request-id') : origin === VAULT && text.startsWith('<!DOCTYPE html>'),
    headers: ['strict-transport-security', 'x-content-type-options', 'cache-control', 'content-type'],
  },
  secrets: [...SENT_SECRETS, ...new Set(routes[origin]!.map(({ headers }) => headers.authorization!.split('.')[2]!))],
})

describe.each([
  ['a vault', VAULT],
  ['a managed HSM', MANAGED_HSM],
])('%s', (_, origin) => {
  it('takes every request that is mutated here, as it stands', () => expectTaken(suite(origin)))
  it('holds against every odd value at every member of every body', () => expectEveryMemberHolds(suite(origin)))
  it('holds against requests that were mutated at random', () => expectNothingBreaks(suite(origin), 350))
  it('has written no secret to the journal', () => {
    const journal = JSON.stringify(world.emulator.context.journal.records())
    expect(suite(origin).secrets.filter((secret) => journal.includes(secret))).toEqual([])
  })
})
