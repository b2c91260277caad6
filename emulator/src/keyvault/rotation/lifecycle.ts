import { COLLECTIONS, type EmulatorContext, epochSeconds, type VaultRecord } from '../../core/index.ts'
import { nextMoment } from '../rules/moments.ts'
import { SECONDS_PER_DAY } from '../rules/vault-rules.ts'
import type { KeyRecord, KeyState, KeyVersion } from '../state.ts'
import { Agenda } from './agenda.ts'
import { observedKeys } from './observed-keys.ts'
import { rotateKey } from './rotate-key.ts'

/** What becomes known of the keys of a vault. A managed HSM has no such events. */
export type KeyNews = 'KeyNewVersionCreated' | 'KeyNearExpiry' | 'KeyExpired'

/** Called in the transaction that makes it so. */
export type TellNews = (news: KeyNews, vault: VaultRecord, key: KeyRecord, version: KeyVersion) => void

export interface KeyLifecycle extends Disposable {
  /** The keys as everyone else must change them, so that what time does to them is planned anew. */
  readonly keys: KeyState
}

/** How many keys are read at a time when all of a vault are looked through. */
const PAGE = 256

/**
 * What time does to keys by itself: their policies rotate them, and vaults give notice of their expiry. All of it on the
 * clock of the emulator, by one alarm for whatever comes first. One key is made at a time.
 *
 * What came due while no emulator ran happens when one runs again, a rotation once however many were missed: the new
 * version is made then, and the next is due from then on. A clock that is moved forward stops at each time on its way,
 * so that each rotation takes place at its own.
 */
export function createKeyLifecycle(ctx: EmulatorContext, plainKeys: KeyState, tell: TellNews): KeyLifecycle {
  const { store, clock } = ctx
  const vaults = store.shared<VaultRecord>(COLLECTIONS.vaults)
  const records = store.collection<KeyRecord>('keyvault.keys')
  const agenda = new Agenda()
  const known = new Set<string>()
  let alarm: { readonly atMs: number; readonly handle: Disposable } | undefined
  let running: Promise<void> | undefined
  let closed = false

  const now = () => epochSeconds(clock)
  const idOf = ({ host, name }: KeyRecord) => `${host}/${name.toLowerCase()}`
  const momentOf = (key: KeyRecord, vault: VaultRecord) => nextMoment(key, vault.kind, now())
  const plan = (key: KeyRecord): void => {
    const vault = vaults.get(key.host)
    // A deletion that is being taken back ends by the clock, without another change.
    const back = key.deleted?.recoveredAt
    const at = back === undefined ? vault && momentOf(key, vault)?.at : Math.ceil(back / 1000)
    agenda.set(idOf(key), at)
  }

  const keys = observedKeys(plainKeys, store, {
    added(key, version) {
      const vault = vaults.get(key.host)
      if (vault?.kind === 'vault') tell('KeyNewVersionCreated', vault, key, version)
    },
    changed(key) {
      plan(key)
      arm()
    },
    purged: (key) => agenda.set(idOf(key), undefined),
  })

  const giveNotice = (what: 'nearExpiry' | 'expired', vault: VaultRecord, key: KeyRecord): void => {
    const latest = key.versions.at(-1)!
    store.transaction(() => {
      plainKeys.put({ ...key, told: { version: latest.version, expires: latest.expires!, what } })
      tell(what === 'expired' ? 'KeyExpired' : 'KeyNearExpiry', vault, key, latest)
    })
  }

  const rotateIfDue = async (vault: VaultRecord, key: KeyRecord, due: number): Promise<void> => {
    const latest = key.versions.at(-1)!
    // While the key is made somebody may rotate, disable or delete it, or take the policy away.
    const stillDue = (current: KeyRecord | undefined): KeyRecord => {
      if (current?.versions.at(-1)?.version !== latest.version) throw new NotDueError()
      const moment = momentOf(current, vault)
      if (moment?.what !== 'rotate' || moment.at > now()) throw new NotDueError()
      return current
    }
    try {
      const rotated = await rotateKey({ ctx, keys }, vault, key, stillDue)
      ctx.journal.write({
        service: vault.kind === 'vault' ? 'keyvault' : 'managedhsm',
        operation: 'KeyRotateIfDue',
        outcome: 'done',
        subject: `https://${vault.host}/keys/${key.name}/${rotated.version.version}`,
        summary: `${key.name} has a new version, as its rotation policy says.`,
        details: { due: new Date(due * 1000).toISOString(), before: latest.version },
      })
    } catch (error) {
      if (!(error instanceof NotDueError)) throw error
    }
  }

  const attend = async (id: string): Promise<void> => {
    const host = id.slice(0, id.indexOf('/'))
    const vault = vaults.get(host)
    const key = keys.find(host, id.slice(host.length + 1))
    if (vault === undefined || key === undefined) return agenda.set(id, undefined)
    const moment = momentOf(key, vault)
    if (moment === undefined || moment.at > now()) return plan(key)
    if (moment.what === 'rotate') await rotateIfDue(vault, key, moment.at)
    else giveNotice(moment.what, vault, key)
    if (closed) return
    const then = keys.find(host, key.name)
    if (then !== undefined) plan(then)
  }

  const attendAll = async (): Promise<void> => {
    for (;;) {
      const first = agenda.first()
      if (closed || first === undefined || first.at > now()) return
      try {
        await attend(first.id)
      } catch (error) {
        if (closed) return
        agenda.set(first.id, now() + SECONDS_PER_DAY)
        journalFailure(ctx, first.id, error)
      }
      // Requests come first, however much is due.
      await turn()
    }
  }

  const run = (): Promise<void> => {
    running ??= attendAll().finally(() => {
      running = undefined
      arm()
    })
    return running
  }

  const arm = (): void => {
    if (closed || running !== undefined) return
    const first = agenda.first()
    const atMs = first === undefined ? undefined : first.at * 1000
    if (alarm?.atMs === atMs) return
    alarm?.handle[Symbol.dispose]()
    alarm = atMs === undefined ? undefined : { atMs, handle: clock.at(atMs, () => fired()) }
  }
  const fired = (): Promise<void> => {
    alarm = undefined
    return run()
  }

  /** One key that makes no sense must not keep all others from their rotation. */
  const planOrSay = (key: KeyRecord): void => {
    try {
      plan(key)
    } catch (error) {
      journalFailure(ctx, idOf(key), error)
    }
  }

  /** Looks through the keys of vaults that were not there before: all of them at the start, later one that came back. */
  const lookThrough = async (): Promise<void> => {
    const hosts = vaults.values().map(({ host }) => host)
    for (const host of known) if (!hosts.includes(host)) known.delete(host)
    for (const host of hosts.filter((each) => !known.has(each))) {
      known.add(host)
      for (let from = ''; ; ) {
        if (closed) return
        const page = records.page(`${host}/`, from, PAGE)
        for (const key of page) planOrSay(key)
        const last = page.at(-1)
        if (last === undefined || page.length < PAGE) break
        from = `${last.name.toLowerCase()}\0`
        await turn()
      }
    }
    arm()
  }
  let looking: Disposable | undefined
  const look = (): void => {
    looking?.[Symbol.dispose]()
    looking = clock.at(clock.now(), lookThrough)
  }
  const watch = store.watch([COLLECTIONS.vaults], look)
  look()

  return {
    keys,
    [Symbol.dispose]() {
      closed = true
      watch[Symbol.dispose]()
      looking?.[Symbol.dispose]()
      alarm?.handle[Symbol.dispose]()
    },
  }
}

/** Nothing came of a rotation since it was not due any more when the new version was ready. */
class NotDueError extends Error {}

const turn = () => new Promise<void>((done) => setImmediate(done))

function journalFailure({ journal }: EmulatorContext, id: string, error: unknown): void {
  journal.write({
    service: 'keyvault',
    operation: 'KeyRotateIfDue',
    outcome: 'failed',
    subject: `https://${id.replace('/', '/keys/')}`,
    summary: `What was due for this key could not be done: ${error instanceof Error ? error.message : 'unknown'}`,
    action: 'It is tried again after a day, or when the key is changed.',
  })
}
