const due = new Set<() => void>()

/**
 * Runs `release` when disposed of, and at the latest when this process ends by itself: after its last work, by
 * `process.exit` or an error that nobody caught. `release` must not wait for anything; it runs once. A signal that nobody
 * handles ends a process without this.
 */
export function releasedAtExit(release: () => void): Disposable {
  if (due.size === 0) process.once('exit', releaseAll)
  due.add(release)
  return {
    [Symbol.dispose]: () => {
      if (!due.delete(release)) return
      if (due.size === 0) process.off('exit', releaseAll)
      release()
    },
  }
}

function releaseAll(): void {
  // The last one first, as disposing would have done.
  for (const release of [...due].reverse()) {
    due.delete(release)
    try {
      release()
    } catch {
      // The others still are to be released.
    }
  }
}
