import { describe, expect, it, vi } from 'vitest'
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
