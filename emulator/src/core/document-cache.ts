/** Documents of a collection that are read on every request: parsed once, and frozen, since all readers share them. */
export interface SharedDocuments<T> {
  /** The same object until the document changes. */
  get(key: string): T | undefined
  /** The values whose key starts with `prefix`, in key order: the same array until one of the collection changes. */
  values(prefix?: string): readonly T[]
}

/** More than a busy instance works with at a time, and still a few megabytes. */
const MOST_DOCUMENTS = 1024
const MOST_LISTS = 64
/** A longer list is read anew each time. */
const LONGEST_LIST = 1024

/** Stands for a document that is not there: most of what is asked for is, or is not, again and again. */
const ABSENT = Symbol('absent')

/** What was parsed of one collection; the store tells it of every change. */
export class DocumentCache {
  private readonly documents = new Map<string, unknown>()
  private readonly lists = new Map<string, readonly unknown[]>()

  document(key: string, read: () => unknown): unknown {
    const known = remembered(this.documents, key, MOST_DOCUMENTS, () => {
      const document = read()
      return document === undefined ? ABSENT : frozen(document)
    })
    return known === ABSENT ? undefined : known
  }

  list(prefix: string, read: () => unknown[]): readonly unknown[] {
    const known = this.lists.get(prefix)
    if (known !== undefined) return known
    const list = frozen(read())
    if (list.length <= LONGEST_LIST) remembered(this.lists, prefix, MOST_LISTS, () => list)
    return list
  }

  forget(key: string): void {
    this.documents.delete(key)
    this.lists.clear()
  }

  clear(): void {
    this.documents.clear()
    this.lists.clear()
  }
}

/** What the map has under the key, else what `make` makes; the entry that was used longest ago makes room. */
export function remembered<K, V>(map: Map<K, V>, key: K, most: number, make: () => V): V {
  const known = map.get(key)
  // While there is room nobody has to know which one that is, to within half of them.
  if (known !== undefined && map.size * 2 <= most) return known
  const value = known === undefined ? make() : known
  if (value === undefined) return value
  if (known !== undefined) map.delete(key)
  else if (map.size >= most) map.delete(map.keys().next().value as K)
  map.set(key, value)
  return value
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const member of Object.values(value)) frozen(member)
  return Object.freeze(value)
}
