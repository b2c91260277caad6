import { type HttpHandler, http } from 'msw'
import { createSeed, type Dispatcher, hostMatches, type JournalRecord, type Seed, systemRandom } from '../core/index.ts'
import { createEmulator, type Emulator, type EmulatorOptions } from '../emulator.ts'
import { parseSeed, readSeedFile } from '../seed/index.ts'
import { seedOf } from '../seed/merge.ts'
import { readStateFile } from '../state/parse.ts'
import { credentialEnvironment } from './environment.ts'
import { type InProcessGuest, type InProcessGuestOptions, launchInProcess } from './guest.ts'
import { keepMockedSessionsFromOpenssl } from './mocked-sessions.ts'

/** What a service answers for: the door must know before the emulator is there. */
const EMULATED = [
  'login.microsoftonline.com',
  'login.windows.net',
  'login.microsoft.com',
  'sts.windows.net',
  'graph.microsoft.com',
  '169.254.169.254',
  'management.azure.com',
  'kdsintf.amd.com',
  '*.acccache.azure.net',
  '*.attest.azure.net',
  '*.eventgrid.azure.net',
  '*.vault.azure.net',
  '*.managedhsm.azure.net',
] as const

export interface SkerryHandlers extends AsyncDisposable {
  /** For MSW's `setupServer(...handlers)`: every request to an emulated host is answered, all others are not touched. */
  readonly handlers: readonly HttpHandler[]
  /** Tenant, subscription and the administrator with its secret, for `new ClientSecretCredential(...)`. */
  readonly seed: Seed
  /** The same as environment variables, for `EnvironmentCredential`. */
  readonly environment: Readonly<Record<string, string>>
  /** Resolves once the emulator is made: its context, its processor, its container groups. Made at the first ask. */
  emulator(): Promise<Emulator>
  /** Launches a guest, for code under test that runs in a confidential container. */
  guest(options?: InProcessGuestOptions): Promise<InProcessGuest>
  /** The refusals so far, the last one last: what `skerry explain` would say. */
  denials(): Promise<readonly JournalRecord[]>
  /** Moves the clock forward, by milliseconds: tokens, soft-delete windows, expiry and rotation with it. */
  advance(ms: number): Promise<void>
  close(): Promise<void>
}

/**
 * The door in process: MSW request handlers over an emulator in memory, with no socket and no other process. For unit
 * tests on any operating system.
 *
 * @example
 * const skerry = skerryHandlers({ seedDocument: { vaults: [{ name: 'contoso', resourceGroup: 'tests' }] } })
 * const server = setupServer(...skerry.handlers)
 * @throws SeedError, StateError for a seed or state that cannot be used
 */
export function skerryHandlers(options: EmulatorOptions = {}): SkerryHandlers {
  keepMockedSessionsFromOpenssl()
  const start = startOf(options)
  const { seed } = start
  let made: Promise<Emulator> | undefined
  const emulator = () => {
    made ??= createEmulator(start)
    return made
  }
  const answer = async (request: Request): Promise<Response> => {
    const { dispatcher }: { dispatcher: Dispatcher } = await emulator()
    return await dispatcher.dispatch(request, { door: 'process' })
  }
  const close = async () => {
    const closing = made
    made = undefined
    await (await closing)?.close()
  }
  return {
    handlers: [
      http.all('*', async ({ request }) => {
        const { hostname } = new URL(request.url)
        return EMULATED.some((pattern) => hostMatches(pattern, hostname)) ? await answer(request) : undefined
      }),
    ],
    seed,
    environment: credentialEnvironment(seed),
    emulator,
    guest: async (guestOptions = {}) => launchInProcess((await emulator()).psp, guestOptions),
    denials: async () => (await emulator()).context.journal.records().filter(({ outcome }) => outcome === 'denied'),
    advance: async (ms) => await (await emulator()).advance(ms),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Files are read now: tenant and administrator are known before the emulator is made. */
function startOf({ seedDocument, seedFile, stateFile, ...options }: EmulatorOptions) {
  const state = stateFile === undefined ? options.state : readStateFile(stateFile)
  const given = seedFile === undefined ? seedDocument && parseSeed(seedDocument) : readSeedFile(seedFile)
  const parsedSeed = options.parsedSeed ?? given
  const seed: Seed = state?.seed ?? seedOf(createSeed(systemRandom()), options.seed, parsedSeed?.document)
  return { ...options, seed, ...(state && { state }), ...(parsedSeed && { parsedSeed }) }
}
