/** Resolves at the first SIGTERM or SIGINT. Disposing gives the signals back their default: a second Ctrl-C ends at once. */
export function untilSignal(): { readonly signal: Promise<NodeJS.Signals> } & Disposable {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  const names: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT']
  // A promise alone does not keep a process alive; the listening socket does.
  for (const name of names) process.once(name, resolve)
  return {
    signal: promise,
    [Symbol.dispose]: () => {
      for (const name of names) process.off(name, resolve)
    },
  }
}
