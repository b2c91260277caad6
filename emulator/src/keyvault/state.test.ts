import { beforeEach, describe, expect, it } from 'vitest'
import { manualClock, openStore } from '../core/index.ts'
import type { Deletion } from './rules/lifecycle.ts'
import { createKeyState, type KeyRecord, type KeyState } from './state.ts'

const HOST = 'v.vault.azure.net'
const DAY = 24 * 3600

let clock: ReturnType<typeof manualClock>
let keys: KeyState

beforeEach(() => {
  clock = manualClock()
  keys = createKeyState(openStore(), clock)
})

const now = () => Math.floor(clock.now() / 1000)

function record(name: string, deleted?: Partial<Deletion>, host = HOST): KeyRecord {
  const version = { version: '0'.repeat(32), kty: 'EC', keyOps: [], publicJwk: {}, enabled: true } as const
  return {
    host,
    name,
    exportable: false,
    versions: [{ ...version, created: now(), updated: now() }],
    ...(deleted && { deleted: { deletedDate: now(), scheduledPurgeDate: now() + DAY, ...deleted } }),
  }
}

const names = (which: 'live' | 'deleted', from = '', limit = 25) =>
  keys.page(HOST, which, from, limit).map(({ name }) => name)

describe('a page of keys', () => {
  it('is full although keys of the other kind and of other vaults lie between', () => {
    for (let at = 0; at < 60; at += 1) keys.put(record(`k${String(at).padStart(2, '0')}`, at % 3 ? {} : undefined))
    keys.put(record('k01x', undefined, 'other.vault.azure.net'))
    expect(names('live', '', 3)).toEqual(['k00', 'k03', 'k06'])
    expect(names('live', 'k04', 3)).toEqual(['k06', 'k09', 'k12'])
    expect(names('deleted', 'k57', 3)).toEqual(['k58', 'k59'])
    expect(names('live')).toHaveLength(20)
  })

  it('is in the order of the names in lower case', () => {
    for (const name of ['b', 'A', 'C', 'a-1']) keys.put(record(name))
    expect(names('live')).toEqual(['A', 'a-1', 'b', 'C'])
  })

  it('passes over deleted keys whose time is up, and they are gone', async () => {
    for (const name of ['a', 'b', 'c', 'd']) keys.put(record(name, {}))
    keys.put(record('e', { scheduledPurgeDate: now() + 2 * DAY }))
    await clock.advance(DAY * 1000)
    expect(names('deleted', '', 2)).toEqual(['e'])
    expect(keys.list(HOST)).toHaveLength(1)
  })

  it('has a key whose recovery takes its time among neither, and then among the live ones', async () => {
    keys.put(record('back', { recoveredAt: clock.now() + 1000 }))
    expect([names('live'), names('deleted')]).toEqual([[], []])
    await clock.advance(1000)
    expect([names('live'), names('deleted')]).toEqual([['back'], []])
    expect(keys.find(HOST, 'back')?.deleted).toBeUndefined()
  })
})

describe('a key that was read', () => {
  it('is shared by all who read it, and shows each change', () => {
    keys.put(record('k'))
    expect(keys.find(HOST, 'K')).toBe(keys.find(HOST, 'k'))
    keys.put({ ...keys.find(HOST, 'k')!, exportable: true })
    expect(keys.find(HOST, 'k')?.exportable).toBe(true)
    keys.purge(keys.find(HOST, 'k')!)
    expect(keys.find(HOST, 'k')).toBeUndefined()
  })
})
