import { rmSync } from 'node:fs'
import { constants } from 'node:os'
import { join, resolve } from 'node:path'
import { seedResources } from '../../arm/index.ts'
import { type Clock, type Journal, lockDataDirectory, NO_FAULTS } from '../../core/index.ts'
import { createEmulator } from '../../emulator.ts'
import { entryFiles } from '../../host/app/load-app.ts'
import { startFunctionsHost } from '../../host/index.ts'
import type { ConfidentialRunner } from '../../run/index.ts'
import { denialTable } from '../denial-table.ts'
import { untilSignal } from '../until-signal.ts'
import { type Answer, type DeploymentView, type FrontDoor, frontDoor } from './front-door.ts'
import { type DemoInputs, readInputs } from './inputs.ts'
import { Operator } from './operator.ts'
import { closingPage, field, metClaims, stepLine } from './page.ts'
import { CAUGHT, judge, type Tamper } from './tamper.ts'

export interface DemoOptions {
  readonly template: string
  readonly config: string
  readonly tamper?: Tamper
  /** Where the run leaves its journal and the host its store. */
  readonly data: string
  /** Folder of the Functions app (its `package.json` `main` is loaded). */
  readonly app: string
  readonly write?: (text: string) => void
  /** What runs the containers; default: whatever this machine allows. */
  readonly runner?: ConfidentialRunner
}

/** The longest that one operation may take before the run gives up. */
const PATIENCE_MS = 60_000
const DEPLOYMENT = 'skr-demo'
const LOCATION = 'westeurope'

/**
 * The whole flow, once: emulator and Functions host start, the app deploys, proves, rotates and tears down; with `tamper`,
 * the host cheats and the run shows how that is caught.
 * @returns the exit code: 0, 3 to 5 for a tampering that was caught, 1 when something went otherwise than it must, 128 and
 * the signal's number when it was told to end
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const out = options.write ?? ((text: string) => void process.stdout.write(text))
  // Once it was told to end, what still goes on in the flow has nobody to tell.
  let ending = false
  const write = (text: string) => (ending ? undefined : out(text))
  const say = (line = '') => write(`${line}\n`)
  const inputs = readInputs(options.template, options.config)
  // An app that cannot be is told before anything is made for it.
  entryFiles(options.app)
  const data = resolve(options.data)
  using stop = untilSignal()
  using _lock = lockDataDirectory(data)
  for (const part of ['journal.jsonl', 'host']) rmSync(join(data, part), { recursive: true, force: true })

  await using emulator = await createEmulator({
    faults: options.tamper ? { tamper: options.tamper } : NO_FAULTS,
    journalFile: join(data, 'journal.jsonl'),
    // The host's store is there, with the keys of the app's functions.
    hidden: [data],
    ...(options.runner && { runner: options.runner }),
    ...(inputs.world.subscriptionId && { seed: { subscriptionId: inputs.world.subscriptionId } }),
  })
  const { clock, journal } = emulator.context
  const started = clock.now()
  seedResources(emulator.context, {
    resourceGroups: [{ name: inputs.world.resourceGroup, location: LOCATION }],
    vaults: inputs.world.vaults.map((name) => ({
      name,
      resourceGroup: inputs.world.resourceGroup,
      location: LOCATION,
    })),
    managedHsms: inputs.world.managedHsms.map((name) => ({
      name,
      resourceGroup: inputs.world.resourceGroup,
      location: LOCATION,
    })),
    attestationProviders: inputs.world.attestationProviders.map((host) => ({ host })),
  })
  await using wire = await emulator.listen()
  say('Skerry: a key into an attested container, and nowhere else')
  say()
  say(field('emulator', `on loopback, ${wire.url} (${seconds(clock, started)} s)`))

  await using host = await startFunctionsHost({
    appDir: options.app,
    port: 0,
    dataDir: join(data, 'host'),
    env: { ...wire.environment, ...APP_SETTINGS },
    caPem: wire.caPem,
    clock,
    log: (entry) => {
      if (ending) return
      if (entry.level === 'error' || entry.level === 'critical') process.stderr.write(`functions: ${entry.message}\n`)
    },
  })
  say(field('functions', `${host.url} (${seconds(clock, started)} s)`))
  for (const notice of await emulator.notices()) say(field('notice', notice))
  if (options.tamper) say(field('tampering', TAMPERING[options.tamper]))

  const door = frontDoor(host.url, host)
  const run = new Run(door, new Operator(emulator.dispatcher, emulator.context.seed), clock, say)
  const flow = options.tamper
    ? tampered(run, inputs, options.tamper, journal, say)
    : untampered(run, inputs, journal, say, () => (clock.now() - started) / 1000, write)
  const ended = await Promise.race([flow, stop.signal])
  if (typeof ended === 'number') return ended
  say()
  say(field('ended', `by ${ended}, before the flow was over`))
  ending = true
  flow.catch(() => {})
  return 128 + constants.signals[ended]
}

const TAMPERING: Readonly<Record<Tamper, string>> = {
  policy: 'the host will change one byte of the CCE policy before it starts the group',
  debug: 'the host will launch the guest with the debug bit set',
  tcb: 'the host hands out certificates that never match its reports',
}

/** Impatient settings: on Azure these steps take minutes, here they take what they take. */
const APP_SETTINGS = {
  POLL_SECONDS: '0.2',
  RETRY_SECONDS: '0.5',
  RUNNING_TIMEOUT_SECONDS: '40',
  PROOF_TIMEOUT_SECONDS: '30',
  PROOF_REFUSALS: '2',
  ROTATION_SCHEDULE: '0 0 3 * * *',
  // Every key is due, so that firing the timer by hand rotates.
  ROTATION_AGE_DAYS: '0',
}

async function untampered(
  run: Run,
  inputs: DemoInputs,
  journal: Journal,
  say: (line?: string) => void,
  elapsed: () => number,
  write: (text: string) => void,
): Promise<number> {
  const running = await run.deploy(inputs)
  if (running.phase !== 'Running') return run.failed(running)
  const proofLines = [await run.proofLine(running)]
  const sidecarLine = await run.sidecarLine(running, inputs.world.keyName)
  const conditions = metClaims(journal.records())

  say()
  say('POST /admin/functions/rotateDueKeys (the rotation timer, fired by hand)')
  await run.expect(202, await run.door.fire('rotateDueKeys'))
  const rotated = await run.follow((view) => (view.rotations?.length ?? 0) > 0 && view.phase !== 'Rotating')
  if (rotated.phase !== 'Running') return run.failed(rotated)
  proofLines.push(await run.proofLine(rotated))

  say()
  say(`DELETE /api/deployments/${DEPLOYMENT}`)
  await run.expect(202, await run.door.request('DELETE', `/api/deployments/${DEPLOYMENT}`))
  const deleted = await run.follow((view) => view.phase === 'Deleted' || view.phase === 'Failed')
  if (deleted.phase !== 'Deleted') return run.failed(deleted)

  const left = [...(await run.operator.resources(inputs.world.resourceGroup)), ...(deleted.remains ?? [])]
  const records = journal.records()
  write(
    closingPage({
      running,
      rotated,
      deleted,
      conditions,
      sidecarLine,
      proofLines,
      left,
      journalFile: journal.file ?? '',
      decisions: records.length,
      seconds: elapsed(),
    }),
  )
  return 0
}

async function tampered(
  run: Run,
  inputs: DemoInputs,
  tamper: Tamper,
  journal: Journal,
  say: (line?: string) => void,
): Promise<number> {
  const view = await run.deploy(inputs)
  const records = journal.records()
  const verdict = judge(tamper, records, view.phase)
  const digest = view.proof?.plaintextSha256
  const leaked = digest !== undefined && run.seenLines().some((line) => line.includes(digest))
  say()
  say(verdict.lesson)
  say()
  if (verdict.denial) say(denialTable(verdict.denial))
  else for (const line of run.sidecarWords()) say(`  sidecar: ${line}`)
  say()
  if (view.failure) say(field('failed at', `${view.failure.step}: ${view.failure.reason}`))
  for (const remain of view.remains ?? []) say(field('left', remain))
  say(field('journal', `${journal.file}  (${records.length} decisions; npx skerry explain --journal ${journal.file})`))
  return verdict.caught && !leaked ? CAUGHT[tamper] : 1
}

function seconds(clock: Clock, since: number): string {
  return ((clock.now() - since) / 1000).toFixed(2)
}

/** One run's conversation with the app, told as it goes. */
class Run {
  readonly door: FrontDoor
  readonly operator: Operator
  readonly #clock: Clock
  readonly #say: (line?: string) => void
  /** Steps that were printed: a later operation's view still shows those of the one before until it begins. */
  readonly #told = new Set<string>()
  /** The last log seen of each container: a group that failed is removed, and its logs with it. */
  readonly #logs = new Map<string, string[]>()

  constructor(door: FrontDoor, operator: Operator, clock: Clock, say: (line?: string) => void) {
    this.door = door
    this.operator = operator
    this.#clock = clock
    this.#say = say
  }

  async deploy(inputs: DemoInputs): Promise<DeploymentView> {
    this.#say()
    const answer = await this.door.request('POST', '/api/deployments', {
      name: DEPLOYMENT,
      resourceGroup: inputs.world.resourceGroup,
      location: LOCATION,
      template: inputs.template,
      importKeyConfig: inputs.importKeyConfig,
    })
    this.#say(`POST /api/deployments  ->  ${answer.status}  Location: ${answer.location ?? '-'}`)
    await this.expect(202, answer)
    return await this.follow((view) => view.phase === 'Running' || view.phase === 'Failed')
  }

  /** Prints steps as they end, until `until` holds. */
  async follow(until: (view: DeploymentView) => boolean): Promise<DeploymentView> {
    const deadline = this.#clock.now() + PATIENCE_MS
    for (;;) {
      const { body } = await this.door.request('GET', `/api/deployments/${DEPLOYMENT}`)
      const view = body as DeploymentView
      const over = until(view)
      for (const step of view.steps ?? []) {
        const key = `${step.name} ${step.startedAt}`
        if (step.outcome === 'running' || this.#told.has(key)) continue
        this.#told.add(key)
        this.#say(stepLine(step, 22))
      }
      if (view.group && view.group.state !== 'Deleted') await this.#readLogs(view.group.id)
      if (over) return view
      if (this.#clock.now() > deadline)
        throw new Error(`the deployment is still ${view.phase} after ${PATIENCE_MS / 1000} s`)
      await this.#clock.sleep(100)
    }
  }

  async expect(status: number, answer: Answer): Promise<void> {
    if (answer.status === status) return
    throw new Error(`the app answered ${answer.status}, not ${status}: ${JSON.stringify(answer.body)}`)
  }

  failed(view: DeploymentView): number {
    this.#say()
    this.#say(field('failed at', `${view.failure?.step}: ${view.failure?.reason}`))
    for (const [container, lines] of this.#logs)
      for (const line of lines.slice(-5)) this.#say(`  ${container}: ${line}`)
    return 1
  }

  /** The line of the container's log, read through ARM, that holds the digest of this version's challenge. */
  async proofLine(view: DeploymentView): Promise<string> {
    const { container, plaintextSha256 } = view.proof ?? { container: '', plaintextSha256: '' }
    const lines = view.group ? await this.operator.log(view.group.id, container) : []
    const line = lines.find((candidate) => plaintextSha256 !== '' && candidate.includes(plaintextSha256))
    if (line === undefined) throw new Error(`the log of ${container} does not hold the digest ${plaintextSha256}`)
    return line
  }

  async sidecarLine(view: DeploymentView, keyName: string): Promise<string | undefined> {
    if (view.group) await this.#readLogs(view.group.id)
    return this.seenLines().find((line) => line.includes(`Releasing key blob: {${keyName}}`))
  }

  seenLines(): string[] {
    return [...this.#logs.values()].flat()
  }

  /** What the sidecar said about certificates and TCB, for the page of a run that stopped there. */
  sidecarWords(): string[] {
    return [...new Set(this.seenLines().filter((line) => /tcb|certificate/i.test(line)))].slice(0, 6)
  }

  async #readLogs(groupId: string): Promise<void> {
    for (const container of await this.operator.containerNames(groupId)) {
      const lines = await this.operator.log(groupId, container)
      if (lines.length > 0) this.#logs.set(container, lines)
    }
  }
}
