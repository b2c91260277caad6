import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ContainerGroups, createContainerGroups, defaultImages, type ImageCatalogue } from './aci/index.ts'
import { createArmService, seedSubscription } from './arm/index.ts'
import { createControl } from './control/routes.ts'
import {
  type Clock,
  COLLECTIONS,
  cacheDirectory,
  createDispatcher,
  createSeed,
  DEFAULT_SETTINGS,
  type Dispatcher,
  directoryFiles,
  directoryKeyCache,
  disposableFiles,
  type EmulatorContext,
  type Faults,
  type InternalFetch,
  keyCacheOver,
  lockDataDirectory,
  memoryFiles,
  NO_FAULTS,
  openAuthority,
  openJournal,
  openStore,
  outsideFetch,
  plantSeed,
  ROOT_FILE,
  releasedAtExit,
  runtimeDirectory,
  type Seed,
  type Service,
  type Settings,
  systemClock,
  systemRandom,
  withMachineKeys,
} from './core/index.ts'
import { type InstanceCredential, instanceCredential } from './doors/credential.ts'
import { clientEnvironment } from './doors/environment.ts'
import { emulatedHostNames } from './doors/host-names.ts'
import { createWireDoor, type WireDoor } from './doors/wire.ts'
import { createEntraService, createTokenVerifier } from './entra/index.ts'
import { createImdsService } from './imds/index.ts'
import { createKdsService } from './kds/index.ts'
import { createKeyVaultService } from './keyvault/index.ts'
import { createMaaService } from './maa/index.ts'
import { createProcessor } from './psp/index.ts'
import type { VirtualProcessor } from './psp/types.ts'
import { createAuthorizer } from './rbac/index.ts'
import { type ConfidentialRunner, createRunner } from './run/index.ts'
import { makeStateFolder } from './run/state-folder.ts'

export interface EmulatorOptions {
  /** Where state, keys and journal are kept; absent: in memory, gone with the emulator. */
  readonly dataDir?: string
  /**
   * Without a data directory: a private folder for what others read as files while the emulator runs (the certificate that
   * clients trust, the files of container groups). Absent: one of its own, removed at the end.
   */
  readonly runtimeDir?: string
  /** Where keys that take long to make are kept for every instance of this user. */
  readonly cacheDir?: string
  readonly faults?: Faults
  /** What is not given is as in `DEFAULT_SETTINGS`. @throws SettingsError from `createEmulator` */
  readonly settings?: Partial<Settings>
  /** What is not given is random. */
  readonly seed?: Partial<Seed>
  /** Real time unless given. Certificates follow real time in any case: TLS clients know no other. */
  readonly clock?: Clock
  /** The programs that stand for container images. */
  readonly images?: ImageCatalogue
  /** Default: `journal.jsonl` in the data directory. */
  readonly journalFile?: string
  readonly runner?: ConfidentialRunner
  /** Directories that containers must find empty, beside the emulator's own: where its owner keeps secrets of the run. */
  readonly hidden?: readonly string[]
}

export interface Emulator extends AsyncDisposable {
  readonly context: EmulatorContext
  readonly dispatcher: Dispatcher
  readonly psp: VirtualProcessor
  readonly containerGroups: ContainerGroups
  /** The file that clients are told to trust. */
  readonly caFile: string
  readonly credential: InstanceCredential
  /** Opens the door over the wire; 0 or no port: a free one. @throws PortInUseError */
  listen(options?: { readonly port?: number }): Promise<WireEndpoint>
  /** Exact host names of what is emulated now, for hosts files. */
  hostNames(): string[]
  /** What of the confinement of containers does not work on this machine, in words. */
  notices(): Promise<readonly string[]>
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
  stop(): Promise<void>
}

/** @throws DataDirectoryInUseError when another process has the data directory */
export async function createEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { dataDir } = options
  await using cleanup = new AsyncDisposableStack()
  if (dataDir !== undefined) cleanup.use(lockDataDirectory(dataDir))

  const clock = options.clock ?? systemClock()
  const random = systemRandom()
  const inData = (name: string) => (dataDir === undefined ? undefined : join(dataDir, name))
  const journal = openJournal(clock, options.journalFile ?? inData('journal.jsonl'))
  cleanup.defer(() => journal.close())
  const store = openStore(inData('state.sqlite'))
  cleanup.defer(() => store.close())
  const keys = openKeys(dataDir, options.cacheDir ?? cacheDirectory(), (reason) => {
    const summary = `${reason}: the keys of this machine are made anew at each start`
    journal.write({ service: 'emulator', operation: 'cache', outcome: 'failed', summary })
  })
  const authorityFiles = dataDir === undefined ? memoryFiles() : directoryFiles(join(dataDir, 'authority'))
  const wall = systemClock()
  const label = dataDir === undefined ? `in memory, process ${process.pid}` : lastOf(dataDir)
  const authority = await openAuthority({ files: authorityFiles, keys, random, now: () => wall.now(), label })
  const seed = await keptSeed(dataDir, { ...createSeed(random), ...options.seed })
  plantSeed(store, seed)

  const services: Service[] = []
  const dispatcher = createDispatcher(services)
  const fetch: InternalFetch = (request) => dispatcher.dispatch(request, { door: 'process' })
  const faults = options.faults ?? NO_FAULTS
  const settings: Settings = { ...DEFAULT_SETTINGS, ...options.settings }
  const outside = outsideFetch(settings.authorities)
  const context: EmulatorContext = {
    clock,
    store,
    journal,
    random,
    keys,
    authority,
    faults,
    settings,
    seed,
    fetch,
    outside,
  }

  const folder = dataDir ?? options.runtimeDir ?? temporaryFolder(cleanup)
  const caFile = dataDir === undefined ? writeCaFile(folder, authority.rootPem) : join(folder, 'authority', ROOT_FILE)
  const credential = instanceCredential(random.bytes(32))
  const psp = createProcessor(context)
  const tokens = createTokenVerifier(context)
  const authorizer = createAuthorizer(context)
  const runner =
    options.runner ??
    createRunner({
      hidden: madeAll([folder, options.cacheDir ?? cacheDirectory(), runtimeDirectory(), ...(options.hidden ?? [])]),
      stateDir: folder,
      onFault: (error) => noteFirmwareFault(context, error),
    })
  const hostNames = () => emulatedHostNames(store)
  let door: WireDoor | undefined
  let port: number | undefined
  const proxyUrl = (groupId?: string) => {
    if (port === undefined) throw new Error('the emulator does not listen yet: call listen() first')
    return `http://${credential.userInfo(groupId)}@127.0.0.1:${port}`
  }
  const workDir = join(folder, 'groups')
  // What a killed process left of its groups; this one has the lock.
  rmSync(workDir, { recursive: true, force: true })
  const containerGroups = createContainerGroups(context, {
    workDir,
    psp,
    runner,
    images: options.images ?? defaultImages(),
    clientEnvironment: {
      caFile,
      proxyUrl,
      hostNames,
      watchHostNames: (changed) => store.watch([COLLECTIONS.vaults, COLLECTIONS.attestationProviders], changed),
      accept: (groupId, socket, meant) => {
        if (door === undefined) socket.destroy()
        else door.attachGroup(groupId)(socket, meant)
      },
    },
  })
  cleanup.defer(() => containerGroups.close())
  services.push(
    createEntraService(context),
    createImdsService(context, { psp }),
    createKdsService(context, { psp }),
    createMaaService(context, { psp }),
    createKeyVaultService(context, { tokens, authorizer }),
    createArmService(context, { tokens, authorizer, containerGroups }),
  )
  seedSubscription(context)

  const openDoor = (): WireDoor =>
    createWireDoor({
      dispatcher,
      authority,
      journal,
      credential,
      control: createControl({ context, psp, hostNames, dataDir }),
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
      environment: clientEnvironment({ proxyUrl: proxyUrl(), caFile, seed }),
      stop,
      [Symbol.asyncDispose]: stop,
    }
  }

  const open = cleanup.move()
  const close = () => open.disposeAsync()
  return {
    context,
    dispatcher,
    psp,
    containerGroups,
    caFile,
    credential,
    hostNames,
    notices: async () => (await runner.capabilities()).notices,
    async listen({ port: wanted = 0 } = {}) {
      if (door !== undefined) throw new Error('the emulator listens already')
      const opening = openDoor()
      port = await opening.listen(wanted)
      door = opening
      open.defer(() => opening.close())
      // What ran when the last process with this data directory ended runs again, as after a restart of the platform.
      if (dataDir !== undefined) await containerGroups.resume()
      return endpoint(opening, port)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** RSA keys that take long to make belong to the machine; those of an instance without a directory do, whatever their size. */
function openKeys(dataDir: string | undefined, cacheDir: string, unusable: (reason: string) => void) {
  const machine = keyCacheOver(disposableFiles(join(cacheDir, 'keys'), unusable))
  return dataDir === undefined
    ? withMachineKeys(keyCacheOver(memoryFiles()), machine, 2048)
    : withMachineKeys(directoryKeyCache(join(dataDir, 'keys')), machine, 3072)
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

/** Tenant and administrator of a data directory stay the same, since what is stored there names them. */
async function keptSeed(dataDir: string | undefined, made: Seed): Promise<Seed> {
  if (dataDir === undefined) return made
  return JSON.parse(await directoryFiles(dataDir).writeOnce('seed.json', JSON.stringify(made, null, 2))) as Seed
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

function noteFirmwareFault({ journal }: EmulatorContext, error: unknown): void {
  journal.write({
    service: 'psp',
    operation: 'report',
    outcome: 'failed',
    summary: `A request to the device ended with EIO: ${error instanceof Error ? error.message : String(error)}`,
  })
}
