import { afterAll, beforeAll, describe } from 'vitest'
import { access } from './access.suite.ts'
import { cryptography } from './cryptography.suite.ts'
import { keys } from './keys.suite.ts'
import { management } from './management.suite.ts'
import { personality } from './personality.suite.ts'
import { release } from './release.suite.ts'
import { rotation } from './rotation.suite.ts'
import { serviceVersions } from './service-versions.suite.ts'
import { softDelete } from './soft-delete.suite.ts'
import { states } from './states.suite.ts'
import { symmetric } from './symmetric.suite.ts'
import { type Kind, type Place, placeOf, type World } from './world.ts'

/** A part of the suite: declares its tests; the vault or managed HSM is there once they run. */
export type Part = (place: () => Place, kind: Kind) => void

const PARTS: readonly Part[] = [
  keys,
  softDelete,
  cryptography,
  symmetric,
  states,
  release,
  rotation,
  serviceVersions,
  personality,
  access,
  management,
]

/** The whole suite, against a vault and a managed HSM behind one door. */
export function conformance(open: () => Promise<World>): void {
  let world: World
  beforeAll(async () => {
    world = await open()
  })
  afterAll(() => world[Symbol.asyncDispose]())

  describe.each<[string, Kind]>([
    ['a vault', 'vault'],
    ['a managed HSM', 'managedHsm'],
  ])('%s', (_, kind) => {
    let place: Place
    beforeAll(() => {
      place = placeOf(kind, world)
    })
    for (const part of PARTS) part(() => place, kind)
  })
}
