/** Makes a value at the first ask and keeps it; concurrent asks share one making, and a failed one is tried again. */
export function memo<T>(make: () => Promise<T>): () => Promise<T> {
  let pending: Promise<T> | undefined
  return () => {
    pending ??= make().catch((error: unknown) => {
      pending = undefined
      throw error
    })
    return pending
  }
}
