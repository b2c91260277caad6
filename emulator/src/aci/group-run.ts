import { rmSync } from 'node:fs'
import type { VirtualGuest } from '../psp/types.ts'
import type { GroupNetwork } from '../run/types.ts'
import { type ContainerRun, runContainer } from './container-run.ts'
import { containerEnvironment } from './environment.ts'
import { aciErrors } from './errors.ts'
import { type ContainerLog, createContainerLog } from './log.ts'
import { decodeCcePolicy, type GuestPolicyText, tamperPolicy } from './policy.ts'
import { writeSecurityContext } from './security-context.ts'
import type { AciContext, ContainerGroupRecord, ContainerGroupsOptions, ContainerSpec, ContainerView } from './types.ts'

export interface GroupRunOptions {
  readonly ctx: AciContext
  readonly options: ContainerGroupsOptions
  readonly workDir: string
  readonly record: ContainerGroupRecord
  readonly secureValue: (container: string, name: string) => string | undefined
  /** Told of every change of a container. */
  readonly changed: (container: string, view: ContainerView) => void
  /** Told when every container has ended for good: with their exit codes. */
  readonly finished: (exitCodes: readonly number[]) => void
}

/** The utility VM of one group and what runs in it. */
export interface GroupRun {
  /** Lower-case hex; what the guest was launched with. */
  readonly hostData: string
  readonly tampered: boolean
  readonly logs: ReadonlyMap<string, ContainerLog>
  /** Starts the containers anew in the same guest; the first time after `launchGroup` too. */
  startContainers(views: Readonly<Record<string, ContainerView>>): Promise<void>
  stopContainers(hard?: boolean): Promise<void>
  /** Stops, and takes network and security context away. */
  dispose(hard?: boolean): Promise<void>
}

/** Launches the guest: its host data is the digest of the policy that the host actually uses. */
export async function launchGroup(run: GroupRunOptions): Promise<GroupRun> {
  const { ctx, options, record, workDir } = run
  const { psp, runner, clientEnvironment } = options
  const given = decodeCcePolicy(record.spec.ccePolicy ?? '', record.name)
  const tampered = ctx.faults.tamper === 'policy'
  const policy: GuestPolicyText = tampered ? tamperPolicy(given) : given
  const guest = psp.launch({ hostData: policy.hostData, debug: ctx.faults.tamper === 'debug' })
  const securityContextDir = await writeSecurityContext(workDir, { psp, policy: policy.text, random: ctx.random })
  const network = await openNetwork(run).catch((error: unknown) => {
    rmSync(securityContextDir, { recursive: true, force: true })
    throw error
  })
  // A vault that is made while the group runs can be reached from it, as on Azure.
  const names = clientEnvironment.watchHostNames?.(() => network?.setHostNames(clientEnvironment.hostNames()))
  const logs = new Map<string, ContainerLog>()
  let running: ContainerRun[] = []
  let epoch = 0

  const launchContainer = (container: ContainerSpec, view: ContainerView | undefined, once: boolean) => {
    const log = logs.get(container.name) ?? createContainerLog()
    logs.set(container.name, log)
    return runContainer({
      clock: ctx.clock,
      name: container.name,
      image: container.image,
      restartPolicy: once ? 'Never' : record.spec.restartPolicy,
      log,
      ...(view !== undefined && { view }),
      changed: (next) => run.changed(container.name, next),
      start: (line) => startProgram(container, guest, network, securityContextDir, line),
    })
  }

  const startProgram = (
    container: ContainerSpec,
    guestOf: VirtualGuest,
    networkOf: GroupNetwork | undefined,
    directory: string,
    line: (text: string) => void,
  ) => {
    const program = options.images(container.image, container.command)
    if (program === undefined) throw aciErrors.inaccessibleImage(container.image, record.name)
    return runner.start({
      command: program.command,
      env: containerEnvironment({
        container,
        program,
        group: record.name,
        secureValue: (name) => run.secureValue(container.name, name),
        securityContextDir: directory,
        caFile: clientEnvironment.caFile,
        ...(networkOf === undefined && { proxyUrl: clientEnvironment.proxyUrl(record.id) }),
      }),
      guest: guestOf,
      ...(program.module !== undefined && { module: program.module }),
      ...(networkOf !== undefined && { network: networkOf }),
      securityContextDir: directory,
      visible: [clientEnvironment.caFile],
      output: line,
    })
  }

  const stopContainers = async (hard = false) => {
    epoch += 1
    await Promise.all(running.map((container) => container.stop(hard)))
    running = []
    for (const log of logs.values()) log.shrink()
  }

  return {
    hostData: Buffer.from(policy.hostData).toString('hex'),
    tampered,
    logs,
    stopContainers,
    async startContainers(views) {
      epoch += 1
      const mine = epoch
      for (const container of record.spec.initContainers) {
        const init = launchContainer(container, views[container.name], true)
        running = [init]
        const exitCode = await init.ended
        if (mine !== epoch) return
        if (exitCode !== 0) throw new Error(`The init container '${container.name}' ended with exit code ${exitCode}.`)
      }
      const containers = record.spec.containers.map((container) =>
        launchContainer(container, views[container.name], false),
      )
      running = containers
      void Promise.all(containers.map((container) => container.ended)).then((codes) => {
        if (mine === epoch) run.finished(codes.map((code) => code ?? 0))
      })
      await Promise.all(containers.map((container) => container.started))
    },
    async dispose(hard = false) {
      await stopContainers(hard)
      names?.[Symbol.dispose]()
      await network?.[Symbol.asyncDispose]()
      rmSync(securityContextDir, { recursive: true, force: true })
    },
  }
}

async function openNetwork({ options, record }: GroupRunOptions): Promise<GroupNetwork | undefined> {
  const { runner, clientEnvironment } = options
  const { networkNamespace } = await runner.capabilities()
  if (!networkNamespace || clientEnvironment.accept === undefined) return undefined
  const accept = clientEnvironment.accept.bind(clientEnvironment)
  const network = await runner.createNetwork({ onConnection: (socket, port) => accept(record.id, socket, port) })
  network.setHostNames(clientEnvironment.hostNames())
  return network
}
