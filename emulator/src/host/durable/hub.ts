import type { SQLInputValue } from 'node:sqlite'
import type { HubFile } from '../hub-file.ts'
import type { HistoryEvent, ParentInstance, PendingEvent, RuntimeStatus } from './events.ts'

/** One orchestration instance. `input`, `output` and `customStatus` are JSON texts (a failure's output is words). */
export interface Instance {
  readonly id: string
  readonly execution: string
  readonly name: string
  readonly version: string
  readonly status: RuntimeStatus
  readonly input: string | null
  readonly output: string | null
  readonly customStatus: string | null
  readonly parent: ParentInstance | null
  /** Milliseconds since the epoch. */
  readonly created: number
  readonly updated: number
}

export type MessageKind = 'orchestration' | 'activity' | 'entity'

/** Something on its way. It stays until the transaction that commits its effect. */
export interface Message {
  readonly id: number
  readonly kind: MessageKind
  /** Instance or entity id. */
  readonly target: string
  /** The execution it is meant for; null: whichever runs. */
  readonly execution: string | null
  /** The sequence id that a timer's message has. */
  readonly taskId: number | null
  readonly visibleAt: number
  readonly payload: string
  readonly attempts: number
}

export interface ActivityPayload {
  readonly taskId: number
  readonly name: string
  /** JSON of the action's input; absent: none. */
  readonly input?: unknown
}

export interface EntityRow {
  readonly id: string
  readonly present: boolean
  /** JSON text. */
  readonly state: string | null
  readonly lockedBy: { readonly parent: string; readonly id: string } | null
  readonly lastOperation: number
}

export interface InstanceFilter {
  readonly idPrefix?: string
  readonly createdFrom?: number
  readonly createdTo?: number
  readonly statuses?: readonly RuntimeStatus[]
  readonly top?: number
  /** Only what comes after this position. */
  readonly after?: { readonly created: number; readonly id: string }
}

/** The task hub's tables, in the engine's words. Every method is synchronous; group them with `transaction`. */
export interface Hub {
  transaction<T>(change: () => T): T
  instance(id: string): Instance | undefined
  putInstance(instance: Instance): void
  /** Removes instance, history and what is on its way to it. */
  deleteInstance(id: string): void
  instances(filter: InstanceFilter): Instance[]
  history(id: string): HistoryEvent[]
  appendHistory(id: string, events: readonly HistoryEvent[]): void
  clearHistory(id: string): void
  send(message: Omit<Message, 'id' | 'attempts'>): void
  sendEvent(target: string, execution: string | null, event: PendingEvent, visibleAt: number): void
  /** Targets that have a visible message, the longest waiting first. */
  dueTargets(kind: MessageKind, now: number): string[]
  inbox(kind: MessageKind, target: string, now: number, limit?: number): Message[]
  due(kind: MessageKind, now: number): Message[]
  removeMessages(ids: readonly number[]): void
  removeMessagesTo(kind: MessageKind, target: string): void
  removeTimer(target: string, execution: string, taskId: number): void
  countAttempt(ids: readonly number[]): void
  hasMessage(id: number): boolean
  /** When the next message that is not visible yet becomes so. */
  nextVisible(now: number): number | undefined
  entity(id: string): EntityRow | undefined
  putEntity(entity: EntityRow): void
  deleteEntity(id: string): void
  entities(prefix: string): EntityRow[]
}

type Row = Record<string, SQLInputValue>

export function openHub(file: HubFile): Hub {
  const { db } = file
  const sql = {
    instance: db.prepare('SELECT * FROM instances WHERE id = ?'),
    putInstance: db.prepare('INSERT OR REPLACE INTO instances VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    deleteInstance: db.prepare('DELETE FROM instances WHERE id = ?'),
    history: db.prepare('SELECT event FROM history WHERE instance = ? ORDER BY seq'),
    lastSeq: db.prepare('SELECT MAX(seq) AS seq FROM history WHERE instance = ?'),
    append: db.prepare('INSERT INTO history VALUES (?, ?, ?)'),
    clearHistory: db.prepare('DELETE FROM history WHERE instance = ?'),
    send: db.prepare(
      'INSERT INTO messages (kind, target, execution, taskId, visibleAt, payload) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    dueTargets: db.prepare(
      'SELECT target FROM messages WHERE kind = ? AND visibleAt <= ? GROUP BY target ORDER BY MIN(visibleAt), MIN(id)',
    ),
    inbox: db.prepare(
      'SELECT * FROM messages WHERE kind = ? AND target = ? AND visibleAt <= ? ORDER BY visibleAt, id LIMIT ?',
    ),
    due: db.prepare('SELECT * FROM messages WHERE kind = ? AND visibleAt <= ? ORDER BY visibleAt, id'),
    removeMessage: db.prepare('DELETE FROM messages WHERE id = ?'),
    removeMessagesTo: db.prepare('DELETE FROM messages WHERE kind = ? AND target = ?'),
    removeTimer: db.prepare('DELETE FROM messages WHERE kind = ? AND target = ? AND execution = ? AND taskId = ?'),
    countAttempt: db.prepare('UPDATE messages SET attempts = attempts + 1 WHERE id = ?'),
    hasMessage: db.prepare('SELECT 1 FROM messages WHERE id = ?'),
    nextVisible: db.prepare('SELECT MIN(visibleAt) AS at FROM messages WHERE visibleAt > ?'),
    entity: db.prepare('SELECT * FROM entities WHERE id = ?'),
    putEntity: db.prepare('INSERT OR REPLACE INTO entities VALUES (?, ?, ?, ?, ?)'),
    deleteEntity: db.prepare('DELETE FROM entities WHERE id = ?'),
    entities: db.prepare('SELECT * FROM entities WHERE substr(id, 1, length(?)) = ? ORDER BY id'),
  }

  const hub: Hub = {
    transaction: file.transaction,
    instance: (id) => instanceOf(sql.instance.get(id) as Row | undefined),
    putInstance: (i) =>
      void sql.putInstance.run(
        i.id,
        i.execution,
        i.name,
        i.version,
        i.status,
        i.input,
        i.output,
        i.customStatus,
        i.parent === null ? null : JSON.stringify(i.parent),
        i.created,
        i.updated,
      ),
    deleteInstance(id) {
      sql.deleteInstance.run(id)
      sql.clearHistory.run(id)
      sql.removeMessagesTo.run('orchestration', id)
    },
    instances(filter) {
      const { where, values } = conditions(filter)
      const rows = db
        .prepare(`SELECT * FROM instances ${where} ORDER BY created, id LIMIT ?`)
        .all(...values, filter.top ?? -1)
      return rows.map((row) => instanceOf(row as Row) as Instance)
    },
    history: (id) => sql.history.all(id).map((row) => JSON.parse(row.event as string) as HistoryEvent),
    appendHistory(id, events) {
      let seq = (sql.lastSeq.get(id)?.seq as number | null) ?? -1
      for (const event of events) {
        seq += 1
        sql.append.run(id, seq, JSON.stringify(event))
      }
    },
    clearHistory: (id) => void sql.clearHistory.run(id),
    send: (m) => void sql.send.run(m.kind, m.target, m.execution, m.taskId, m.visibleAt, m.payload),
    sendEvent: (target, execution, event, visibleAt) =>
      hub.send({
        kind: 'orchestration',
        target,
        execution,
        taskId: event.TimerId ?? null,
        visibleAt,
        payload: JSON.stringify(event),
      }),
    dueTargets: (kind, now) => sql.dueTargets.all(kind, now).map((row) => row.target as string),
    inbox: (kind, target, now, limit = -1) =>
      sql.inbox.all(kind, target, now, limit).map((row) => row as unknown as Message),
    due: (kind, now) => sql.due.all(kind, now).map((row) => row as unknown as Message),
    removeMessages(ids) {
      for (const id of ids) sql.removeMessage.run(id)
    },
    removeMessagesTo: (kind, target) => void sql.removeMessagesTo.run(kind, target),
    removeTimer: (target, execution, taskId) => void sql.removeTimer.run('orchestration', target, execution, taskId),
    countAttempt(ids) {
      for (const id of ids) sql.countAttempt.run(id)
    },
    hasMessage: (id) => sql.hasMessage.get(id) !== undefined,
    nextVisible: (now) => (sql.nextVisible.get(now)?.at as number | null) ?? undefined,
    entity: (id) => entityOf(sql.entity.get(id) as Row | undefined),
    putEntity: (e) =>
      void sql.putEntity.run(
        e.id,
        e.present ? 1 : 0,
        e.state,
        e.lockedBy === null ? null : JSON.stringify(e.lockedBy),
        e.lastOperation,
      ),
    deleteEntity: (id) => void sql.deleteEntity.run(id),
    entities: (prefix) => sql.entities.all(prefix, prefix).map((row) => entityOf(row as Row) as EntityRow),
  }
  return hub
}

function conditions(filter: InstanceFilter): { where: string; values: SQLInputValue[] } {
  const parts: string[] = []
  const values: SQLInputValue[] = []
  const add = (part: string, ...given: SQLInputValue[]) => {
    parts.push(part)
    values.push(...given)
  }
  if (filter.idPrefix !== undefined) add('substr(id, 1, length(?)) = ?', filter.idPrefix, filter.idPrefix)
  if (filter.createdFrom !== undefined) add('created >= ?', filter.createdFrom)
  if (filter.createdTo !== undefined) add('created <= ?', filter.createdTo)
  if (filter.statuses !== undefined && filter.statuses.length > 0) {
    add(`status IN (${filter.statuses.map(() => '?').join(', ')})`, ...filter.statuses)
  }
  if (filter.after !== undefined) add('(created, id) > (?, ?)', filter.after.created, filter.after.id)
  return { where: parts.length === 0 ? '' : `WHERE ${parts.join(' AND ')}`, values }
}

function instanceOf(row: Row | undefined): Instance | undefined {
  if (row === undefined) return undefined
  const parent = row.parent === null ? null : (JSON.parse(row.parent as string) as ParentInstance)
  return { ...(row as unknown as Instance), parent }
}

function entityOf(row: Row | undefined): EntityRow | undefined {
  if (row === undefined) return undefined
  return {
    id: row.id as string,
    present: row.present === 1,
    state: row.state as string | null,
    lockedBy: row.lockedBy === null ? null : (JSON.parse(row.lockedBy as string) as { parent: string; id: string }),
    lastOperation: row.lastOperation as number,
  }
}
