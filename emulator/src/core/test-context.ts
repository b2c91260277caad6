import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openAuthority } from './authority.ts'
import { type MovableClock, manualClock } from './clock.ts'
import type { EmulatorContext, Seed } from './context.ts'
import { cacheDirectory } from './directories.ts'
import { type Faults, NO_FAULTS } from './faults.ts'
import { openJournal } from './journal.ts'
import { keyCacheOver } from './keys.ts'
import { outsideFetch } from './outside.ts'
import { directoryFiles, memoryFiles } from './private-files.ts'
import { seededRandom, systemRandom } from './random.ts'
import { createSeed, plantSeed } from './seed.ts'
import { type Caller, createDispatcher, type Dispatcher, type InternalFetch, type Service } from './service.ts'
import { DEFAULT_SETTINGS, type Settings } from './settings.ts'
import { openStore } from './store.ts'

/*
 * For the tests of services: everything an emulator shares, in memory, with a clock that the test moves. Services reach
 * each other through the same dispatcher as in a running emulator.
 */

export interface TestContextOptions {
  readonly clock?: MovableClock
  readonly faults?: Faults
  readonly seed?: Seed
  readonly settings?: Partial<Settings>
  /** In place of the way out of the emulator. */
  readonly outside?: InternalFetch
}

export interface TestWorld {
  readonly ctx: EmulatorContext
  readonly clock: MovableClock
  readonly dispatcher: Dispatcher
  /** Makes the service reachable under its host names, and returns it. */
  use<S extends Service>(service: S): S
  /** Sends a request to the service of its host; `caller` is an ordinary client of this process unless said otherwise. */
  fetch(request: Request | string | URL, caller?: Caller): Promise<Response>
}

/**
 * `XDG_CACHE_HOME` for tests. RSA keys take seconds to make and no test looks at them: one set for this checkout, and none
 * in the home of whoever runs the tests.
 */
export const TEST_CACHE_HOME = fileURLToPath(new URL('../../../node_modules/.cache/skerry-test', import.meta.url))
/** The `cacheDir` of an emulator under test. */
export const TEST_CACHE_DIRECTORY = cacheDirectory({ XDG_CACHE_HOME: TEST_CACHE_HOME })

// Certificates are made anew: they depend on the clock.
const keyFiles = directoryFiles(join(TEST_CACHE_DIRECTORY, 'keys'))

const authority = await openAuthority({
  files: memoryFiles(),
  keys: keyCacheOver(keyFiles),
  random: systemRandom(),
  now: () => Date.parse('2026-01-01T00:00:00Z'),
  label: 'tests',
  validity: { notBefore: Date.parse('2020-01-01T00:00:00Z'), notAfter: Date.parse('2049-12-31T00:00:00Z') },
})

export function createTestContext(options: TestContextOptions = {}): TestWorld {
  const clock = options.clock ?? manualClock()
  const services: Service[] = []
  const dispatcher = createDispatcher(services)
  const random = seededRandom('skerry')
  const store = openStore()
  const settings = { ...DEFAULT_SETTINGS, ...options.settings }
  const seed = options.seed ?? createSeed(random)
  plantSeed(store, seed)
  return {
    clock,
    dispatcher,
    ctx: {
      clock,
      store,
      seed,
      random,
      authority,
      journal: openJournal(clock),
      keys: keyCacheOver(keyFiles, memoryFiles()),
      faults: options.faults ?? NO_FAULTS,
      settings,
      outside: options.outside ?? outsideFetch(settings.authorities),
      fetch: (request) => dispatcher.dispatch(request, { door: 'process' }),
    },
    use(service) {
      services.push(service)
      return service
    },
    fetch: (request, caller = { door: 'process' }) =>
      dispatcher.dispatch(request instanceof Request ? request : new Request(request), caller),
  }
}
