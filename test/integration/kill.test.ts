import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestWebhook, type TestWebhook } from '../../emulator/src/events/test-webhook.ts'
import { startUp, type Up } from '../support/processes.ts'
import { skerry, temporaryFolder } from '../support/skerry.ts'
import { until } from '../support/until.ts'
import { keptIn, openToOthers } from './kill/kept.ts'
import {
  ABSENT,
  type Backup,
  type KeyModel,
  type KnownVersion,
  nextStep,
  type StepAnswer,
  UNKNOWN,
} from './kill/key-model.ts'
import { type VaultClient, vaultClient, workingVersions } from './kill/vault-client.ts'

// `skerry up --data DIR` is killed with SIGKILL while clients write, again and again on the same directory. What was
// answered with 2xx must be there afterwards; of what was not answered, all or nothing.

const ROUNDS = 3
const KINDS = ['create', 'delete', 'import', 'purge', 'putRotationPolicy', 'recover', 'restore', 'rotate', 'update']
/** The steps that make a version. */
const MAKES: ReadonlySet<string> = new Set(['create', 'import', 'rotate'])
const SEED = 8
const VAULT = 'https://skerry.vault.azure.net'
const MANAGED_HSM = 'https://skerry.managedhsm.azure.net'

const folder = temporaryFolder()
const runtime = join(folder.path, 'run')
beforeAll(() => mkdirSync(runtime, { mode: 0o700 }))
afterAll(() => folder[Symbol.dispose]())

/** mulberry32: the same story with the same seed, but for what the machine does with it. */
function diceOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Actor {
  readonly name: string
  readonly origin: string
  readonly dice: () => number
  /** What holds, and what may hold instead, since a request was never answered. */
  model: KeyModel
  instead: KeyModel | undefined
  backup: Backup | undefined
}

const actors: readonly Actor[] = [VAULT, VAULT, VAULT, VAULT, MANAGED_HSM, MANAGED_HSM].map((origin, index) => ({
  name: `key-${index}`,
  origin,
  dice: diceOf(SEED * 1000 + index),
  model: ABSENT,
  instead: undefined,
  backup: undefined,
}))

/** Writes until the process is gone. `answered` is told of each answer, with the id of the version that came with it. */
async function write(
  actor: Actor,
  client: VaultClient,
  answered: (step: string, kid: string | undefined) => void,
): Promise<void> {
  for (;;) {
    if (actor.model.life === 'live' && actor.dice() < 0.3) {
      const backup = await client.call('POST', `keys/${actor.name}/backup`)
      if (backup === undefined) return
      expect(backup.status).toBe(200)
      actor.backup = { value: backup.json.value, model: actor.model }
    }
    const step = nextStep(actor.model, actor.backup, actor.dice)
    const answer = await client.call(step.method, step.path.replace('NAME', actor.name), step.body)
    if (answer === undefined) {
      actor.instead = step.after(undefined)
      return
    }
    expect([step.name, answer.status, answer.json?.error]).toEqual([step.name, expect.toBeOneOf([200, 204]), undefined])
    actor.model = step.after(answer.json as StepAnswer | undefined)
    answered(step.name, answer.json?.key?.kid)
  }
}

/**
 * The key as it is now, its versions in the order in which they are kept: those of one second have none that a client
 * could see. A deleted one is brought back to be looked at.
 */
async function observe({ name, origin }: Actor, client: VaultClient, kept: readonly string[]): Promise<KeyModel> {
  const placeOf = ({ id }: KnownVersion) => kept.indexOf(`${new URL(origin).host}/${name}/${id}`)
  const live = (await client.call('GET', `keys/${name}`))!.status === 200
  if (!live) {
    const deleted = (await client.call('GET', `deletedkeys/${name}`))!.status === 200
    if (!deleted) return ABSENT
    expect((await client.call('POST', `deletedkeys/${name}/recover`))!.status).toBe(200)
  }
  const { attributes } = (await client.call('GET', `keys/${name}/rotationpolicy`))!.json
  return {
    life: live ? 'live' : 'deleted',
    versions: (await workingVersions(client, name)).sort((a, b) => placeOf(a) - placeOf(b)),
    ...(attributes?.expiryTime ? { expiryTime: attributes.expiryTime as string } : {}),
  }
}

/** With room for what a version is that nobody was told of. */
function comparable(model: KeyModel): object {
  const versions = model.versions.map(({ id, x, tags }) => ({
    id: id === UNKNOWN.id ? expect.any(String) : id,
    x: x === UNKNOWN.x ? expect.any(String) : x,
    tags,
  }))
  return { ...model, versions }
}

function holds(found: KeyModel, wanted: KeyModel): boolean {
  try {
    expect(found).toEqual(comparable(wanted))
    return true
  } catch {
    return false
  }
}

async function inClients<T>(up: Up, use: (clients: Readonly<Record<string, VaultClient>>) => Promise<T>): Promise<T> {
  const [vault, managedHsm] = await Promise.all([vaultClient(up, VAULT), vaultClient(up, MANAGED_HSM)])
  try {
    return await use({ [VAULT]: vault, [MANAGED_HSM]: managedHsm })
  } finally {
    await Promise.all([vault.close(), managedHsm.close()])
  }
}

/** However it is left, it is killed and not asked to end. */
function killed(up: Up): Up & AsyncDisposable & { kill(): Promise<void> } {
  const kill = async () => {
    up.command.child.kill('SIGKILL')
    expect((await up.command.ended).signal).toBe('SIGKILL')
  }
  return { ...up, kill, [Symbol.asyncDispose]: kill }
}

describe('an instance that is killed while clients write to it', () => {
  const data = join(folder.path, 'written')
  const dice = diceOf(SEED)
  const steps = new Map<string, number>()
  /** The versions of the vault that somebody was told of, whose events must have come. */
  const made = new Set<string>()
  let webhook: TestWebhook
  beforeAll(async () => {
    webhook = await startTestWebhook()
  })
  afterAll(() => webhook[Symbol.asyncDispose]())
  const start = async () => killed(await startUp(data, runtime, ['--event-webhook', webhook.url]))

  const round = async () => {
    await using up = await start()
    await inClients(up, async (clients) => {
      let left = 15 + Math.floor(dice() * 60)
      const answered = (step: string, kid: string | undefined) => {
        steps.set(step, (steps.get(step) ?? 0) + 1)
        if (MAKES.has(step) && kid?.startsWith(VAULT)) made.add(kid)
        left -= 1
        if (left === 0) up.command.child.kill('SIGKILL')
      }
      await Promise.all(actors.map((actor) => write(actor, clients[actor.origin]!, answered)))
    })
    await up.kill()

    const { versions, materials, integrity } = keptIn(data)
    expect(integrity).toBe('ok')
    expect([...materials].sort()).toEqual([...versions].sort())
    expect(openToOthers(data)).toEqual([])

    await using again = await start()
    await inClients(again, async (clients) => {
      for (const actor of actors) {
        const found = await observe(actor, clients[actor.origin]!, versions)
        const either = [actor.model, ...(actor.instead === undefined ? [] : [actor.instead])]
        expect(
          either.some((wanted) => holds(found, wanted)),
          `${actor.name}: ${JSON.stringify(found)} is none of ${JSON.stringify(either)}`,
        ).toBe(true)
        actor.model = found.life === 'deleted' ? { ...found, life: 'live' } : found
        actor.instead = undefined
      }
    })
  }

  it.each(Array.from({ length: ROUNDS }, (_, at) => at + 1))(
    'has kept all that was answered, and nothing by halves: round %i',
    round,
  )

  it('has told the webhook of every version at least once', async () => {
    await using _last = await start()
    const told = () => new Set(webhook.notifications().map(({ data }) => data.Id))
    await until(() => [...made].every((id) => told().has(id)))
    expect(made.size).toBeGreaterThan(ROUNDS)
    expect(webhook.notifications().map(({ topic }) => topic)).toEqual(
      expect.not.arrayContaining([expect.stringContaining('managedHSMs')]),
    )
  })

  it('was killed amid every kind of change', async () => {
    // What the machine does with the story is chance: where a kind did not come, the story goes on.
    for (let more = 0; steps.size < KINDS.length && more < ROUNDS; more += 1) await round()
    expect([...steps.keys()].sort()).toEqual(KINDS)
  })
})

it('an instance that is killed again and again while it starts for the first time starts at last, the same each time', async () => {
  const data = join(folder.path, 'started')
  // What is written beside, to be put in place whole, may stay behind; nobody reads it.
  const isBeside = (name: string) => /\.[0-9a-f]{8}-[0-9a-f-]{27}$/.test(name)
  const there = () =>
    existsSync(data)
      ? readdirSync(data, { recursive: true, encoding: 'utf8' }).filter((name) => !isBeside(name)).length
      : 0
  // After each file that comes, until one is ready before the next does.
  for (let files = 1; ; files += 1) {
    const { child, ended, line } = skerry(['up', '--json', '--data', data], {
      ...process.env,
      XDG_RUNTIME_DIR: runtime,
    })
    let ready = false
    const started = line(/^\{/).then(
      () => {
        ready = true
      },
      () => {},
    )
    while (there() < files && !ready && child.exitCode === null) await pause(1)
    child.kill('SIGKILL')
    await Promise.all([ended, started])
    expect(openToOthers(data)).toEqual([])
    if (ready) break
  }
  await using first = killed(await startUp(data, runtime))
  await inClients(first, async ({ [VAULT]: client }) => {
    expect((await client!.call('POST', 'keys/k/create', { kty: 'EC' }))!.status).toBe(200)
  })
  await first.kill()
  await using second = killed(await startUp(data, runtime))
  expect(second.info.credentials).toEqual(first.info.credentials)
  await inClients(second, async ({ [VAULT]: client }) => {
    expect(await workingVersions(client!, 'k')).toHaveLength(1)
  })
})
