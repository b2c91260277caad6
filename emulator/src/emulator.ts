import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ContainerGroups, defaultImages, type ImageCatalogue } from './aci/index.ts'
import {
  type Clock,
  cacheDirectory,
  createSeed,
  type Dispatcher,
  directoryFiles,
  type EmulatorContext,
  type Faults,
  type Journal,
  memoryFiles,
  NO_FAULTS,
  openAuthority,
  openJournal,
  ROOT_FILE,
  releasedAtExit,
  runtimeDirectory,
  type Seed,
  systemClock,
  systemRandom,
} from './core/index.ts'
import { type InstanceCredential, instanceCredential } from './doors/credential.ts'
import { appServiceEnvironment, clientEnvironment } from './doors/environment.ts'
import { createWireDoor, type WireDoor } from './doors/wire.ts'
import { findByClientId } from './entra/index.ts'
import type { EventFeed } from './events/index.ts'
import { MSI_PATH } from './imds/index.ts'
import type { SgxPlatform } from './maa/sgx/index.ts'
import type { ProcessorOptions } from './psp/index.ts'
import type { VirtualProcessor } from './psp/types.ts'
import { type ConfidentialRunner, createRunner, deviceJournal } from './run/index.ts'
import { makeStateFolder } from './run/state-folder.ts'
import { type GivenSettings, seedOf, settingsOf } from './seed/merge.ts'
import { type RunningServices, startServices } from './services.ts'
import { firstStart, givenSeed, initialState, type StartOptions } from './start.ts'
import { createGate } from './state/gate.ts'
import {
  ClockInUseError,
  ClockRangeError,
  type OpenState,
  openState,
  StateBusyError,
  type StateDocument,
} from './state/index.ts'
import { LONGEST_OFFSET_MS } from './state/limits.ts'

export interface EmulatorOptions extends StartOptions {
  /**
   * Without a data directory: a private folder for what others read as files while the emulator runs (the certificate that
   * clients trust, the files of container groups). Absent: one of its own, removed at the end.
   */
  readonly runtimeDir?: string
  /** Where keys that take long to make are kept for every instance of this user. */
  readonly cacheDir?: string
  readonly faults?: Faults
  /** The processor under the guests. Default: a Milan as on Azure. @throws ProcessorOptionError from `createEmulator` */
  readonly processor?: ProcessorOptions
  /** What is not given is as in `DEFAULT_SETTINGS`. @throws SettingsError from `createEmulator` */
  readonly settings?: GivenSettings
  /** What is not given is random. */
  readonly seed?: Partial<Seed>
  /** Real time unless given. Certificates follow real time in any case: TLS clients know no other. */
  readonly clock?: Clock
  /** The programs that stand for container images. */
  readonly images?: ImageCatalogue
  /** Default: `journal.jsonl` in the data directory. */
  readonly journalFile?: string
  readonly runner?: ConfidentialRunner
  /** Called after another state was imported. */
  readonly imported?: () => void | Promise<void>
  /** Directories that containers must find empty, beside the emulator's own: where its owner keeps secrets of the run. */
  readonly hidden?: readonly string[]
}

export interface Emulator extends AsyncDisposable {
  readonly context: EmulatorContext
  readonly dispatcher: Dispatcher
  readonly psp: VirtualProcessor
  /** A machine with SGX: `sgx.launch()` loads an enclave, whose quotes the attestation service believes. */
  readonly sgx: SgxPlatform
  readonly containerGroups: ContainerGroups
  /** What became known of vaults and their keys, as Event Grid tells it. */
  readonly events: EventFeed
  /** The file that clients are told to trust. */
  readonly caFile: string
  readonly credential: InstanceCredential
  /** Opens the door over the wire; 0 or no port: a free one. @throws PortInUseError */
  listen(options?: { readonly port?: number }): Promise<WireEndpoint>
  /** Exact host names of what is emulated now, for hosts files. */
  hostNames(): string[]
  /** What of the confinement of containers does not work on this machine, in words. */
  notices(): Promise<readonly string[]>
  /**
   * Moves the clock forward: tokens, soft-delete windows, expiry and rotation with it. In a data directory the instance
   * stays ahead by so much after a restart. Clients and TLS certificates stay with the machine's time.
   * @param ms not negative
   * @throws ClockInUseError while programs of others run on this time, unless forced; ClockRangeError beyond a century
   */
  advance(ms: number, options?: { readonly force?: boolean }): Promise<void>
  /** The whole state as one document of JSON. It holds every private key. */
  exportState(): Promise<StateDocument>
  /**
   * Puts another state in the place of this one, whole or not at all; requests wait meanwhile. `context`, `psp`,
   * `sgx` and `containerGroups` are others afterwards.
   * @throws StateError, and StateBusyError while container groups or programs of `skerry run` run
   */
  importState(state: StateDocument): Promise<void>
  /** Ends containers and connections and closes the store. May be called twice. */
  close(): Promise<void>
}

/** The open door: where clients connect, and what they must be told. */
export interface WireEndpoint extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, without the credential. */
  readonly url: string
  readonly port: number
  /** The same with the credential of this instance: for HTTPS_PROXY. */
  readonly proxyUrl: string
  readonly caPem: string
  readonly caFile: string
  /** Environment variables that lead a client of any language here, and sign it in as the seeded administrator. */
  readonly environment: Readonly<Record<string, string>>
  /**
   * Environment variables of an app in App Service or Functions (`IDENTITY_ENDPOINT`, `IDENTITY_HEADER`): with a client
   * id, of an app that has this managed identity alone; without, of one that has all of the instance's.
   * @throws RangeError for a client id that is no managed identity's
   */
  appServiceEnvironment(clientId?: string): Readonly<Record<string, string>>
  stop(): Promise<void>
}

/** @throws DataDirectoryInUseError when another process has the data directory */
export async function createEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { dataDir } = options
  const sown = await givenSeed(options)
  await using cleanup = new AsyncDisposableStack()
  const begun = dataDir === undefined ? undefined : firstStart(dataDir, cleanup)

  const random = systemRandom()
  const wall = systemClock()
  const inData = (name: string) => (dataDir === undefined ? undefined : join(dataDir, name))
  const open = (state?: StateDocument): Promise<OpenState> =>
    openState({
      dataDir,
      state,
      cacheDir: options.cacheDir ?? cacheDirectory(),
      seed: seedOf(createSeed(random), options.seed, sown?.document),
      clock: options.clock,
      unusable: (reason) => noteUnusableCache(journal, reason),
    })
  // What is kept, and the services over it, change with an import; the journal, the authority and the door stay.
  let kept: OpenState | undefined
  const journal = openJournal(
    { now: () => (kept?.clock ?? wall).now() },
    options.journalFile ?? inData('journal.jsonl'),
  )
  cleanup.defer(() => journal.close())
  kept = await open(await initialState(options, sown))
  cleanup.defer(() => kept?.[Symbol.dispose]())
  sown?.requireAgreement(kept.seed)

  const authorityFiles = dataDir === undefined ? memoryFiles() : directoryFiles(join(dataDir, 'authority'))
  const label = dataDir === undefined ? `in memory, process ${process.pid}` : lastOf(dataDir)
  const { keys } = kept
  const authority = await openAuthority({ files: authorityFiles, keys, random, now: () => wall.now(), label })
  const folder = dataDir ?? options.runtimeDir ?? temporaryFolder(cleanup)
  const caFile = dataDir === undefined ? writeCaFile(folder, authority.rootPem) : join(folder, 'authority', ROOT_FILE)
  const credential = instanceCredential(random.bytes(32))
  const runner =
    options.runner ??
    createRunner({
      hidden: madeAll([folder, options.cacheDir ?? cacheDirectory(), runtimeDirectory(), ...(options.hidden ?? [])]),
      stateDir: folder,
      ...deviceJournal(journal),
    })
  let door: WireDoor | undefined
  let port: number | undefined
  const proxyUrl = (groupId?: string) => {
    if (port === undefined) throw new Error('the emulator does not listen yet: call listen() first')
    return `http://${credential.userInfo(groupId)}@127.0.0.1:${port}`
  }
  const start = ({ store, keys, clock, seed }: OpenState): RunningServices =>
    startServices({
      parts: {
        clock,
        store,
        journal,
        random,
        keys,
        authority,
        faults: options.faults ?? NO_FAULTS,
        settings: settingsOf(options.settings, sown?.document.settings),
        seed,
      },
      ...(options.processor !== undefined && { processor: options.processor }),
      folder,
      caFile,
      images: options.images ?? defaultImages(),
      runner,
      proxyUrl,
      credential,
      plainUrl: () => (port === undefined ? undefined : `http://127.0.0.1:${port}`),
      door: () => door,
      control: { dataDir, instance: { offsetMs: () => kept!.offsetMs(), advance, exportState, importState } },
    })
  let running = start(kept)
  cleanup.defer(() => running[Symbol.asyncDispose]())
  const gate = createGate(() => running.dispatcher, wall)
  await sown?.apply(running.context)
  begun?.keep()

  async function advance(ms: number, { force = false } = {}): Promise<void> {
    const depend = running.dependents()
    if (depend.length > 0 && !force) throw new ClockInUseError(depend)
    if (kept!.offsetMs() + ms > LONGEST_OFFSET_MS) throw new ClockRangeError()
    await kept!.advance(ms)
    noteAdvance(journal, ms)
  }
  async function exportState(): Promise<StateDocument> {
    const { stateOf } = await import('./state/export.ts')
    return await stateOf(kept!, wall.now())
  }
  async function importState(json: StateDocument): Promise<void> {
    const [{ checkState }, { announceImport }] = await Promise.all([
      import('./state/check.ts'),
      import('./state/import.ts'),
    ])
    const state = checkState(json)
    await gate.alone(async () => {
      const depend = running.dependents()
      if (depend.length > 0) throw new StateBusyError(`these run on the present state: ${depend.join(', ')}`)
      if (dataDir !== undefined) await announceImport(dataDir, state)
      // In memory the new state is whole before the old one is let go.
      const next = dataDir === undefined ? await open(state) : undefined
      await running[Symbol.asyncDispose]()
      kept![Symbol.dispose]()
      kept = next ?? (await open())
      running = start(kept)
      journal.write({
        service: 'emulator',
        operation: 'import',
        outcome: 'done',
        summary: 'Another state was imported.',
      })
    })
    await options.imported?.()
  }

  const openDoor = (): WireDoor =>
    createWireDoor({
      dispatcher: gate.dispatcher,
      authority,
      journal,
      credential,
      control: (request) => running.control.handle(request),
      plainControl: (method, url) => {
        const { messages } = running.control
        return messages.covers(method, url) ? messages.answer : undefined
      },
      local: { answer: (request, isOwner) => running.local.answer(request, isOwner) },
    })
  const endpoint = (listening: WireDoor, at: number): WireEndpoint => {
    const stop = async () => {
      if (door === listening) [door, port] = [undefined, undefined]
      await listening.close()
    }
    return {
      url: `http://127.0.0.1:${at}`,
      port: at,
      proxyUrl: proxyUrl(),
      caPem: authority.rootPem,
      caFile,
      environment: clientEnvironment({ proxyUrl: proxyUrl(), caFile, seed: running.context.seed }),
      appServiceEnvironment(clientId) {
        const identity = clientId === undefined ? undefined : findByClientId(running.context, clientId)
        if (clientId !== undefined && identity?.kind !== 'managedIdentity') {
          throw new RangeError(`no managed identity has the client id ${clientId}`)
        }
        const header = credential.identityHeader(identity?.objectId)
        return appServiceEnvironment(`http://127.0.0.1:${at}${MSI_PATH}`, header)
      },
      stop,
      [Symbol.asyncDispose]: stop,
    }
  }

  const life = cleanup.move()
  const close = () => life.disposeAsync()
  return {
    get context() {
      return running.context
    },
    get psp() {
      return running.psp
    },
    get sgx() {
      return running.sgx
    },
    get containerGroups() {
      return running.containerGroups
    },
    get events() {
      return running.events
    },
    dispatcher: gate.dispatcher,
    caFile,
    credential,
    hostNames: () => running.hostNames(),
    notices: async () => (await runner.capabilities()).notices,
    async listen({ port: wanted = 0 } = {}) {
      if (door !== undefined) throw new Error('the emulator listens already')
      const opening = openDoor()
      port = await opening.listen(wanted)
      door = opening
      life.defer(() => opening.close())
      // What ran when the last process with this data directory ended runs again, as after a restart of the platform.
      if (dataDir !== undefined) await running.containerGroups.resume()
      return endpoint(opening, port)
    },
    advance,
    exportState,
    importState,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** What is not there yet cannot be hidden: a directory that came later would be seen by containers that run already. */
function madeAll(directories: readonly string[]): readonly string[] {
  for (const directory of directories) {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
    } catch {
      // One that cannot be made holds nothing of ours.
    }
  }
  return directories
}

function temporaryFolder(cleanup: AsyncDisposableStack): string {
  const folder = makeStateFolder(tmpdir(), 'emulator')
  cleanup.use(releasedAtExit(() => rmSync(folder, { recursive: true, force: true })))
  return folder
}

function writeCaFile(folder: string, rootPem: string): string {
  const file = join(folder, ROOT_FILE)
  writeFileSync(file, rootPem, { mode: 0o600 })
  return file
}

/** The end of a path, short enough for a certificate's common name (64 characters with the words around it). */
function lastOf(path: string): string {
  return path.length <= 40 ? path : `...${path.slice(-37)}`
}

function noteUnusableCache(journal: Journal, reason: string): void {
  const summary = `${reason}: the keys of this machine are made anew at each start`
  journal.write({ service: 'emulator', operation: 'cache', outcome: 'failed', summary })
}

function noteAdvance(journal: Journal, ms: number): void {
  const summary = `The clock was moved forward by ${ms / 1000} seconds.`
  journal.write({ service: 'emulator', operation: 'advance', outcome: 'done', summary })
}
