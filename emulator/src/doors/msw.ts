import { type HttpHandler, http } from 'msw'
import { createSeed, type Dispatcher, hostMatches, type JournalRecord, type Seed, systemRandom } from '../core/index.ts'
import { createEmulator, type Emulator, type EmulatorOptions } from '../emulator.ts'
import { credentialEnvironment } from './environment.ts'
import { type InProcessGuest, type InProcessGuestOptions, launchInProcess } from './guest.ts'

/** What a service answers for: the door must know before the emulator is there. */
const EMULATED = [
  'login.microsoftonline.com',
  'login.windows.net',
  'login.microsoft.com',
  'sts.windows.net',
  '169.254.169.254',
  'management.azure.com',
  'kdsintf.amd.com',
  '*.acccache.azure.net',
  '*.attest.azure.net',
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
  close(): Promise<void>
}

/**
 * The door in process: MSW request handlers over an emulator in memory, with no socket and no other process. For unit
 * tests on any operating system.
 *
 * @example
 * const skerry = skerryHandlers()
 * const server = setupServer(...skerry.handlers)
 */
export function skerryHandlers(options: EmulatorOptions = {}): SkerryHandlers {
  const seed: Seed = { ...createSeed(systemRandom()), ...options.seed }
  let made: Promise<Emulator> | undefined
  const emulator = () => {
    made ??= createEmulator({ ...options, seed })
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
    close,
    [Symbol.asyncDispose]: close,
  }
}
