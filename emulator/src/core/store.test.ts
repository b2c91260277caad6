import { describe, expect, it, vi } from 'vitest'
import { remembered } from './document-cache.ts'
import { openStore } from './store.ts'

describe('a store', () => {
  it('keeps documents by key, in key order, by prefix', () => {
    const people = openStore().collection<{ age: number }>('people')
    people.put('b', { age: 2 })
    people.put('a/1', { age: 1 })
    expect(people.entries()).toEqual([
      ['a/1', { age: 1 }],
      ['b', { age: 2 }],
    ])
    expect(people.values('a/')).toEqual([{ age: 1 }])
    expect(people.get('c')).toBeUndefined()
  })

  it('keeps all of a transaction or none, also of a nested one', () => {
    const store = openStore()
    const names = store.collection<string>('names')
    expect(() =>
      store.transaction(() => {
        names.put('1', 'one')
        store.transaction(() => names.put('2', 'two'))
        throw new Error('no')
      }),
    ).toThrow('no')
    expect(names.entries()).toEqual([])
  })
})

describe('a page of a collection', () => {
  it('holds as many as were asked for, from a key on, whether that key is there or not', () => {
    const names = openStore().collection<string>('names')
    for (const name of ['a/1', 'b/1', 'b/2', 'b/4', 'c/1']) names.put(name, name)
    expect(names.page('b/', '', 2)).toEqual(['b/1', 'b/2'])
    expect(names.page('b/', '2', 5)).toEqual(['b/2', 'b/4'])
    expect(names.page('b/', '3', 5)).toEqual(['b/4'])
    expect(names.page('b/', '5', 5)).toEqual([])
  })
})

describe('a collection that is split by a member', () => {
  it('gives pages of the documents that have it and of those that have not, as they are now', () => {
    const store = openStore()
    const keys = store.collection<{ n: number; deleted?: { at?: number } }>('keys')
    for (const n of [1, 2, 3, 4]) keys.put(`v/${n}`, n === 3 ? { n, deleted: {} } : { n })
    store.collection('other').put('v/1', { n: 9, deleted: {} })
    const { having, lacking } = store.split<{ n: number }>('keys', 'deleted')
    const { having: timed } = store.split<{ n: number }>('keys', 'deleted.at')
    const numbers = (found: { n: number }[]) => found.map(({ n }) => n)
    expect(numbers(having.page('v/', '', 9))).toEqual([3])
    expect(numbers(lacking.page('v/', '2', 9))).toEqual([2, 4])
    keys.put('v/2', { n: 2, deleted: { at: 5 } })
    expect(numbers(having.page('v/', '', 1))).toEqual([2])
    expect(numbers(timed.page('v/', '', 9))).toEqual([2])
    expect(numbers(lacking.page('v/', '', 9))).toEqual([1, 4])
  })

  it('was there before it was split', () => {
    const store = openStore()
    store.collection('keys').put('a', { deleted: 1 })
    expect(store.split('keys', 'deleted').having.page('', '', 5)).toHaveLength(1)
  })
})

describe('shared documents', () => {
  it('are one frozen object for all readers, until they change', () => {
    const store = openStore()
    const people = store.collection<{ age: number; names: string[] }>('people')
    people.put('a', { age: 1, names: ['A'] })
    const shared = store.shared<{ age: number; names: string[] }>('people')
    const before = shared.get('a')
    expect(shared.get('a')).toBe(before)
    expect(store.shared('people').get('a')).toBe(before)
    expect(() => before?.names.push('B')).toThrow(TypeError)
    people.put('a', { age: 2, names: [] })
    expect(shared.get('a')).toEqual({ age: 2, names: [] })
    people.delete('a')
    expect(shared.get('a')).toBeUndefined()
  })

  it('are listed as they are, also after one was added', () => {
    const store = openStore()
    const shared = store.shared<number>('n')
    store.collection('n').put('x/1', 1)
    store.collection('n').put('y/1', 9)
    expect(shared.values('x/')).toEqual([1])
    expect(shared.values('x/')).toBe(shared.values('x/'))
    store.collection('n').put('x/2', 2)
    expect(shared.values('x/')).toEqual([1, 2])
  })

  it('show what a transaction wrote within it, and never what was rolled back', () => {
    const store = openStore()
    const names = store.collection<string>('names')
    const shared = store.shared<string>('names')
    names.put('1', 'one')
    const attempt = () =>
      store.transaction(() => {
        names.put('1', 'uno')
        expect([shared.get('1'), shared.values()]).toEqual(['uno', ['uno']])
        throw new Error('no')
      })
    expect(attempt).toThrow('no')
    expect([shared.get('1'), shared.values()]).toEqual(['one', ['one']])
  })

  it('are gone when other contents take their place', () => {
    const store = openStore()
    const shared = store.shared<string>('names')
    store.collection('names').put('1', 'one')
    expect(shared.get('1')).toBe('one')
    store.replace({ other: { '1': 'x' } })
    expect([shared.get('1'), shared.values()]).toEqual([undefined, []])
  })

  it('are kept in bounded number, those that were used last', () => {
    const map = new Map<string, number>()
    for (const key of ['a', 'b', 'a', 'c']) remembered(map, key, 2, () => map.size)
    expect([...map.keys()]).toEqual(['a', 'c'])
  })
})

describe('whoever watches a collection', () => {
  it('is told of a change of it, and of no other', () => {
    const store = openStore()
    const changed = vi.fn()
    store.watch(['vaults'], changed)
    store.collection('keys').put('k', 1)
    expect(changed).not.toHaveBeenCalled()
    store.collection('vaults').put('v', 1)
    store.collection('vaults').delete('v')
    store.collection('vaults').delete('v')
    expect(changed).toHaveBeenCalledTimes(2)
  })

  it('is told once, after the commit, and never of what was rolled back', () => {
    const store = openStore()
    const vaults = store.collection<number>('vaults')
    const seen: number[] = []
    const watch = store.watch(['vaults'], () => seen.push(vaults.values().length))
    store.transaction(() => {
      vaults.put('a', 1)
      vaults.put('b', 2)
      expect(seen).toEqual([])
    })
    expect(seen).toEqual([2])
    expect(() =>
      store.transaction(() => {
        vaults.put('c', 3)
        throw new Error('no')
      }),
    ).toThrow()
    expect(seen).toEqual([2])
    watch[Symbol.dispose]()
    vaults.put('d', 4)
    expect(seen).toEqual([2])
  })

  it('gives out all it holds, and takes another whole content in its place', () => {
    const [one, two] = [openStore(), openStore()]
    one.collection('people').put('a', { age: 1 })
    one.collection('names').put('__proto__', 'x')
    two.collection('gone').put('g', 1)
    const gone = vi.fn()
    two.watch(['gone'], gone)
    two.replace(one.contents())
    expect(two.contents()).toEqual(one.contents())
    expect(two.collection('names').entries()).toEqual([['__proto__', 'x']])
    expect(gone).toHaveBeenCalledOnce()
  })
})
