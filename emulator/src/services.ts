import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type ContainerGroups, createContainerGroups, type ImageCatalogue } from './aci/index.ts'
import { createArmService, seedSubscription } from './arm/index.ts'
import { type Control, type ControlOptions, createControl } from './control/routes.ts'
import {
  COLLECTIONS,
  createDispatcher,
  type Dispatcher,
  type EmulatorContext,
  type InternalFetch,
  outsideFetch,
  plantSeed,
  type Service,
} from './core/index.ts'
import type { InstanceCredential } from './doors/credential.ts'
import { emulatedHostNames } from './doors/host-names.ts'
import { createLocalRoutes, DEVICE_PATH, type LocalRoutes } from './doors/local-routes.ts'
import type { WireDoor } from './doors/wire.ts'
import { createEntraService, createTokenVerifier } from './entra/index.ts'
import { type EventFeed, eventsOf } from './events/index.ts'
import { createGraphService } from './graph/index.ts'
import { createImdsService } from './imds/index.ts'
import { createKdsService } from './kds/index.ts'
import { createKeyVaultService } from './keyvault/index.ts'
import { createMaaService } from './maa/index.ts'
import { createSgxPlatform, type SgxPlatform } from './maa/sgx/index.ts'
import { createProcessor, type ProcessorOptions } from './psp/index.ts'
import type { VirtualProcessor } from './psp/types.ts'
import { createAuthorizer } from './rbac/index.ts'
import type { ConfidentialRunner } from './run/index.ts'

/** What an emulator is apart from its doors: the services over one state. Importing another state makes them anew. */
export interface RunningServices extends AsyncDisposable {
  readonly context: EmulatorContext
  readonly dispatcher: Dispatcher
  readonly psp: VirtualProcessor
  readonly sgx: SgxPlatform
  readonly containerGroups: ContainerGroups
  readonly events: EventFeed
  readonly control: Control
  /** What answers on the plain port without the credential of the instance. */
  readonly local: LocalRoutes
  /** Exact host names of what is emulated now. */
  hostNames(): string[]
  /** The programs of others that run on the time of this instance: container groups and guests of `skerry run`. */
  dependents(): readonly string[]
}

export interface ServicesOptions {
  readonly parts: Omit<EmulatorContext, 'fetch' | 'outside'>
  readonly processor?: ProcessorOptions
  /** Where container groups leave files while they run. */
  readonly folder: string
  readonly caFile: string
  readonly images: ImageCatalogue
  readonly runner: ConfidentialRunner
  readonly proxyUrl: (groupId?: string) => string
  readonly credential: InstanceCredential
  /** Of the plain port, `http://127.0.0.1:<port>`; undefined while nothing listens. */
  readonly plainUrl: () => string | undefined
  readonly door: () => WireDoor | undefined
  readonly control: Pick<ControlOptions, 'dataDir' | 'instance'>
}

export function startServices(options: ServicesOptions): RunningServices {
  const { parts, folder, runner } = options
  const cleanup = new AsyncDisposableStack()
  const services: Service[] = []
  const dispatcher = createDispatcher(services)
  const fetch: InternalFetch = (request) => dispatcher.dispatch(request, { door: 'process' })
  const context: EmulatorContext = { ...parts, fetch, outside: outsideFetch(parts.settings.authorities) }
  const { store } = context
  plantSeed(store, context.seed)
  const events = cleanup.use(eventsOf(context))

  const psp = createProcessor(context, options.processor)
  const sgx = createSgxPlatform(context)
  const tokens = createTokenVerifier(context)
  const authorizer = createAuthorizer(context)
  const hostNames = () => emulatedHostNames(store)
  const workDir = join(folder, 'groups')
  // What a killed process left of its groups; this one has the lock.
  rmSync(workDir, { recursive: true, force: true })
  const containerGroups = createContainerGroups(context, {
    workDir,
    psp,
    runner,
    images: options.images,
    clientEnvironment: {
      caFile: options.caFile,
      proxyUrl: options.proxyUrl,
      hostNames,
      watchHostNames: (changed) => store.watch([COLLECTIONS.vaults, COLLECTIONS.attestationProviders], changed),
      accept: (groupId, socket, meant) => {
        const door = options.door()
        if (door === undefined) socket.destroy()
        else door.attachGroup(groupId)(socket, meant)
      },
    },
  })
  cleanup.defer(() => containerGroups.close())
  services.push(
    createEntraService(context, {
      devicePage: () => {
        const url = options.plainUrl()
        return url === undefined ? undefined : url + DEVICE_PATH
      },
    }),
    createGraphService(context, { tokens }),
    createImdsService(context, { psp }),
    createKdsService(context, { psp }),
    createMaaService(context, { psp, sgx, tokens, authorizer }),
    cleanup.use(createKeyVaultService(context, { tokens, authorizer })),
    createArmService(context, { tokens, authorizer, containerGroups }),
    events.service,
  )
  seedSubscription(context)
  const control = createControl({ context, psp, hostNames, ...options.control })

  return {
    context,
    dispatcher,
    psp,
    sgx,
    containerGroups,
    events,
    hostNames,
    control,
    local: createLocalRoutes(context, options.credential),
    dependents: () => [
      ...containerGroups
        .list('/subscriptions')
        .filter(({ state }) => !ENDED.has(state))
        .map(({ name }) => `container group ${name}`),
      ...control.guests().map((id) => `guest ${id.slice(0, 8)} (skerry run)`),
    ],
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  }
}

const ENDED: ReadonlySet<string> = new Set(['Stopped', 'Succeeded', 'Failed'])
