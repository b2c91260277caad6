import type { Store } from '../../core/index.ts'
import type { KeyRecord, KeyState, KeyVersion } from '../state.ts'

/** Who is told of what happens to keys. */
export interface KeyObserver {
  /** In the transaction that adds the version: what is written here is kept with it, or not at all. */
  added(key: KeyRecord, version: KeyVersion): void
  /** After the change was committed. */
  changed(key: KeyRecord): void
  purged(key: KeyRecord): void
}

/** The same keys, whose every change is told. */
export function observedKeys(keys: KeyState, store: Store, observer: KeyObserver): KeyState {
  return {
    ...keys,
    put(key) {
      keys.put(key)
      observer.changed(key)
    },
    addVersion(host, name, version, material, change) {
      const key = store.transaction(() => {
        const added = keys.addVersion(host, name, version, material, change)
        observer.added(added, version)
        return added
      })
      observer.changed(key)
      return key
    },
    restore(key, materials) {
      const restored = keys.restore(key, materials)
      if (restored) observer.changed(key)
      return restored
    },
    purge(key) {
      keys.purge(key)
      observer.purged(key)
    },
  }
}
