/** The core module's Disposable: runs its function once. */
export class Disposable {
  #callOnDispose: (() => unknown) | undefined

  constructor(callOnDispose: () => unknown) {
    this.#callOnDispose = callOnDispose
  }

  static from(...disposables: { dispose(): unknown }[]): Disposable {
    return new Disposable(() => {
      for (const disposable of disposables) disposable.dispose()
    })
  }

  dispose(): unknown {
    const call = this.#callOnDispose
    this.#callOnDispose = undefined
    return call?.()
  }
}

/** Marks an error as the platform's own, not the app's: the library looks for this member. */
export function systemError<E extends Error>(error: E): E {
  return Object.assign(error, { isAzureFunctionsSystemError: true })
}
