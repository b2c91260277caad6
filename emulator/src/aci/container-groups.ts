import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aciErrors, ContainerGroupError } from './errors.ts'
import { type GroupRun, launchGroup } from './group-run.ts'
import { type ParsedGroup, parseContainerGroup } from './properties.ts'
import { addressOf, needsNewGuest, refuseImmutableChanges, refuseWhatCannotRun } from './rules.ts'
import { keyOf, openGroupState } from './state.ts'
import type {
  AciContext,
  ContainerGroupRecord,
  ContainerGroupSpec,
  ContainerGroups,
  ContainerGroupsOptions,
  ContainerView,
  GroupOperation,
  OperationResult,
} from './types.ts'

interface LiveGroup {
  /** The operation that is going on; awaited before the next one that may wait. */
  operation: Promise<OperationResult>
  run?: GroupRun
  secureValues: ReadonlyMap<string, string>
  /** Set when the group is going away: what is still starting must not go on. */
  leaving: boolean
}

const SUCCEEDED: OperationResult = { status: 'Succeeded' }

/** The emulated Azure Container Instances of one emulator. */
export function createContainerGroups(ctx: AciContext, options: ContainerGroupsOptions): ContainerGroups {
  const { clock, journal } = ctx
  const { runner, images } = options
  const state = openGroupState(ctx.store)
  const live = new Map<string, LiveGroup>()
  /** Secure values of groups that were stopped and may be started again. */
  const stoppedSecrets = new Map<string, ReadonlyMap<string, string>>()
  /** Made with the first group, so that an emulator that runs none leaves nothing behind. */
  let madeDir: string | undefined
  const workDir = () => {
    madeDir ??= privateDirectory(options.workDir)
    return madeDir
  }
  let closed = false

  const time = () => new Date(clock.now()).toISOString()
  const secretsOf = (id: string): ReadonlyMap<string, string> =>
    live.get(keyOf(id))?.secureValues ?? stoppedSecrets.get(keyOf(id)) ?? new Map()
  const requireGroup = (id: string): ContainerGroupRecord => {
    const record = state.get(id)
    if (record === undefined) throw aciErrors.notFound(id.slice(id.lastIndexOf('/') + 1))
    return record
  }
  const refuseWhileTransitioning = ({ name, provisioningState }: ContainerGroupRecord) => {
    if (['Pending', 'Creating', 'Updating'].includes(provisioningState)) throw aciErrors.transitioning(name)
  }

  /** Without network namespaces every group has the machine's own loopback: one at a time. */
  const reserve = async (id: string, spec: ContainerGroupSpec) => {
    const { networkNamespace } = await runner.capabilities()
    if (networkNamespace) return
    for (const [key, group] of live) {
      if (key === keyOf(id) || group.leaving) continue
      throw aciErrors.noCapacity(spec.location, state.get(key)?.name ?? key)
    }
  }

  const journalStart = (record: ContainerGroupRecord, run: GroupRun) => {
    journal.write({
      service: 'aci',
      operation: 'startContainerGroup',
      outcome: 'done',
      subject: record.id,
      summary: run.tampered
        ? `The host started ${record.name} with a CCE policy of which one byte was changed.`
        : `The host started ${record.name} with the CCE policy that the group was given.`,
      details: {
        hostData: run.hostData,
        containers: record.spec.containers.map((container) => container.name),
        ...(run.tampered && { tampered: true }),
      },
    })
  }

  const noteMissingNetwork = async (record: ContainerGroupRecord) => {
    const { networkNamespace, notices } = await runner.capabilities()
    if (networkNamespace) return
    const message =
      'This group has no network of its own: other local users can reach the ports its containers listen on. ' +
      `One group runs at a time. ${notices.join(' ')}`.trim()
    state.addEvent(record.id, { name: 'SharedNetwork', message, type: 'Warning' }, time())
    journal.write({
      service: 'aci',
      operation: 'createNetwork',
      outcome: 'failed',
      subject: record.id,
      summary: message,
    })
  }

  const finished = (id: string) => (exitCodes: readonly number[]) => {
    const failed = exitCodes.some((code) => code !== 0)
    state.change(id, (record) => ({ ...record, state: failed ? 'Failed' : 'Succeeded' }))
  }

  const fail = (id: string, error: unknown): OperationResult => {
    const message = error instanceof Error ? error.message : String(error)
    const code = error instanceof ContainerGroupError ? error.code : 'Failed'
    state.addEvent(id, { name: 'Failed', message, type: 'Warning' }, time())
    state.change(id, (record) => ({ ...record, provisioningState: 'Failed', state: 'Failed' }))
    journal.write({
      service: 'aci',
      operation: 'startContainerGroup',
      outcome: 'failed',
      subject: id,
      summary: message,
    })
    return { status: 'Failed', error: { code, message } }
  }

  /** Launches a guest for the group as it is kept now and starts its containers. Never rejects. */
  const bringUp = async (id: string, group: LiveGroup): Promise<OperationResult> => {
    try {
      const record = state.change(id, (kept) => ({ ...kept, provisioningState: 'Creating', views: {}, events: [] }))
      if (record === undefined || group.leaving) return gone()
      const run = await launchGroup({
        ctx,
        options,
        workDir: workDir(),
        record,
        secureValue: (container, name) => group.secureValues.get(`${container}/${name}`),
        changed: (container, view) => showContainer(id, container, view),
        finished: finished(id),
      })
      group.run = run
      if (group.leaving) {
        await run.dispose(true)
        return gone()
      }
      journalStart(record, run)
      await noteMissingNetwork(record)
      state.change(id, (kept) => ({ ...kept, hostData: run.hostData }))
      await run.startContainers({})
      if (group.leaving) return gone()
      const ip = record.spec.ipAddress === undefined ? {} : { ip: addressOf(id) }
      state.change(id, (kept) => ({ ...kept, ...ip, provisioningState: 'Succeeded', state: runningUnlessEnded(kept) }))
      return SUCCEEDED
    } catch (error) {
      if (group.leaving) return gone()
      await group.run?.dispose(true)
      delete group.run
      return fail(id, error)
    }
  }

  const showContainer = (id: string, container: string, view: ContainerView) => {
    if (closed) return
    state.change(id, (record) => ({ ...record, views: { ...record.views, [container]: view } }))
  }

  const takeDown = async (id: string, hard = false) => {
    const group = live.get(keyOf(id))
    if (group === undefined) return
    group.leaving = true
    await group.run?.dispose(hard)
    await group.operation
    live.delete(keyOf(id))
  }

  /** Makes this group the live one under its id; the caller has taken down what was there. */
  const goLive = (id: string, secureValues: ReadonlyMap<string, string>): LiveGroup => {
    const group: LiveGroup = { operation: Promise.resolve(SUCCEEDED), secureValues, leaving: false }
    live.set(keyOf(id), group)
    group.operation = bringUp(id, group)
    return group
  }

  const create = async (id: string, spec: ContainerGroupSpec, parsed: ParsedGroup): Promise<GroupOperation> => {
    await reserve(id, spec)
    const name = id.slice(id.lastIndexOf('/') + 1)
    const record: ContainerGroupRecord = {
      id,
      name,
      spec,
      provisioningState: 'Pending',
      state: 'Pending',
      events: [],
      views: {},
    }
    state.put(record)
    return { group: record, created: true, done: goLive(id, parsed.secureValues).operation }
  }

  const update = async (
    before: ContainerGroupRecord,
    spec: ContainerGroupSpec,
    parsed: ParsedGroup,
  ): Promise<GroupOperation> => {
    const { id, name } = before
    refuseWhileTransitioning(before)
    refuseImmutableChanges(name, before.spec, spec)
    const group = live.get(keyOf(id))
    const sameSecrets = group !== undefined && sameEntries(group.secureValues, parsed.secureValues)
    if (before.state === 'Running' && sameSecrets && !needsNewGuest(before.spec, spec)) {
      const record = state.change(id, (kept) => ({ ...kept, spec }))
      return { group: record ?? before, created: false, done: Promise.resolve(SUCCEEDED) }
    }
    if (group === undefined) await reserve(id, spec)
    const record = state.change(id, (kept) => ({ ...kept, spec, provisioningState: 'Pending', state: 'Pending' }))
    const done = takeDown(id).then(() => goLive(id, parsed.secureValues).operation)
    return { group: record ?? before, created: false, done }
  }

  const groups: ContainerGroups = {
    validate(id, body) {
      const name = id.slice(id.lastIndexOf('/') + 1)
      const { spec } = parseContainerGroup(name, body)
      refuseWhatCannotRun(name, spec, images)
      return spec
    },
    async put(id, body, { systemIdentity } = {}) {
      groups.validate(id, body)
      const before = state.get(id)
      const parsed = parseContainerGroup(id.slice(id.lastIndexOf('/') + 1), body)
      const spec = withSystemIdentity(parsed.spec, before, systemIdentity)
      return before === undefined ? await create(id, spec, parsed) : await update(before, spec, parsed)
    },
    get: (id) => state.get(id),
    list: (scope) => state.list(scope),
    setTags(id, tags) {
      requireGroup(id)
      return state.change(id, (record) => ({ ...record, spec: { ...record.spec, tags } })) ?? requireGroup(id)
    },
    async delete(id) {
      const record = state.get(id)
      if (record === undefined) return undefined
      await takeDown(id)
      stoppedSecrets.delete(keyOf(id))
      const last = state.get(id) ?? record
      state.delete(id)
      journal.write({
        service: 'aci',
        operation: 'deleteContainerGroup',
        outcome: 'done',
        subject: record.id,
        summary: `${record.name} was deleted and its processes ended.`,
      })
      return last
    },
    async restart(id) {
      const record = requireGroup(id)
      refuseWhileTransitioning(record)
      const group = live.get(keyOf(id))
      const run = group?.run
      if (group === undefined || run === undefined) return await groups.start(id)
      const updating = state.change(id, (kept) => ({ ...kept, provisioningState: 'Updating' })) ?? record
      group.operation = restartInPlace(id, run, group)
      return { group: updating, created: false, done: group.operation }
    },
    async start(id) {
      const record = requireGroup(id)
      refuseWhileTransitioning(record)
      if (live.get(keyOf(id))?.run !== undefined && record.state === 'Running') {
        return { group: record, created: false, done: Promise.resolve(SUCCEEDED) }
      }
      const secureValues = secretsOf(id)
      await takeDown(id)
      await reserve(id, record.spec)
      const pending =
        state.change(id, (kept) => ({ ...kept, provisioningState: 'Pending', state: 'Pending' })) ?? record
      return { group: pending, created: false, done: goLive(id, secureValues).operation }
    },
    async stop(id) {
      requireGroup(id)
      stoppedSecrets.set(keyOf(id), secretsOf(id))
      await takeDown(id)
      state.change(id, ({ ip: _released, ...kept }) => ({ ...kept, state: 'Stopped', provisioningState: 'Succeeded' }))
    },
    logs(id, container, logOptions) {
      const record = requireGroup(id)
      const known = [...record.spec.containers, ...record.spec.initContainers].some(({ name }) => name === container)
      if (!known) throw aciErrors.containerNotFound(container, record.name)
      return live.get(keyOf(id))?.run?.logs.get(container)?.read(logOptions) ?? ''
    },
    async resume() {
      for (const record of state.list('/subscriptions')) {
        if (live.has(keyOf(record.id)) || ['Stopped', 'Succeeded', 'Failed'].includes(record.state)) continue
        if (hasSecrets(record.spec)) {
          fail(record.id, new Error('The values of its secure variables were held in memory only and are gone.'))
          continue
        }
        await reserve(record.id, record.spec).then(
          () => goLive(record.id, new Map()),
          (error: unknown) => fail(record.id, error),
        )
      }
    },
    async close() {
      await Promise.all([...live.keys()].map((id) => takeDown(id, true)))
      closed = true
      if (madeDir !== undefined) rmSync(madeDir, { recursive: true, force: true })
    },
    [Symbol.asyncDispose]: () => groups.close(),
  }

  const restartInPlace = async (id: string, run: GroupRun, group: LiveGroup): Promise<OperationResult> => {
    try {
      await run.stopContainers()
      const views = restartedViews(state.get(id)?.views ?? {})
      await run.startContainers(views)
      state.change(id, (kept) => ({ ...kept, provisioningState: 'Succeeded', state: runningUnlessEnded(kept) }))
      return SUCCEEDED
    } catch (error) {
      return group.leaving ? gone() : fail(id, error)
    }
  }

  return groups
}

function gone(): OperationResult {
  return {
    status: 'Failed',
    error: { code: 'Canceled', message: 'The container group was stopped or deleted meanwhile.' },
  }
}

/** A group whose programs have all ended by the time its start is noted stays ended. */
function runningUnlessEnded(record: ContainerGroupRecord): ContainerGroupRecord['state'] {
  return record.state === 'Succeeded' || record.state === 'Failed' ? record.state : 'Running'
}

function restartedViews(views: Readonly<Record<string, ContainerView>>): Record<string, ContainerView> {
  return Object.fromEntries(
    Object.entries(views).map(([name, view]) => [name, { ...view, restartCount: view.restartCount + 1 }]),
  )
}

function withSystemIdentity(
  spec: ContainerGroupSpec,
  before: ContainerGroupRecord | undefined,
  make: (() => string) | undefined,
): ContainerGroupSpec {
  const { identity } = spec
  if (identity === undefined || !identity.type.includes('SystemAssigned')) return spec
  const principalId = before?.spec.identity?.principalId ?? make?.()
  return principalId === undefined ? spec : { ...spec, identity: { ...identity, principalId } }
}

function hasSecrets(spec: ContainerGroupSpec): boolean {
  return [...spec.containers, ...spec.initContainers].some((container) =>
    container.environmentVariables.some((variable) => variable.secure),
  )
}

function sameEntries(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value)
}

function privateDirectory(wanted: string | undefined): string {
  if (wanted === undefined) return mkdtempSync(join(tmpdir(), 'skerry-aci-'))
  mkdirSync(wanted, { recursive: true, mode: 0o700 })
  return wanted
}
