import { Disposable, systemError } from './disposable.ts'

export type Hook = (context: Record<string, unknown>) => unknown

const NAMES = ['preInvocation', 'postInvocation', 'appStart', 'appTerminate', 'log'] as const
export type HookName = (typeof NAMES)[number]

/** The app's hooks, run in the order in which they were registered. */
export class HookRegistry {
  /** One object for the life of the app, seen by every hook. */
  readonly appHookData: Record<string, unknown> = {}
  readonly #hooks = new Map<HookName, Hook[]>(NAMES.map((name) => [name, []]))

  add(name: string, callback: Hook): Disposable {
    const hooks = this.#hooks.get(name as HookName)
    if (hooks === undefined) throw systemError(new RangeError(`Unrecognized hook "${name}"`))
    hooks.push(callback)
    return new Disposable(() => {
      const index = hooks.indexOf(callback)
      if (index >= 0) hooks.splice(index, 1)
    })
  }

  /** One after another, each awaited; the first that throws ends it. */
  async run(name: HookName, context: Record<string, unknown>): Promise<void> {
    for (const hook of [...(this.#hooks.get(name) ?? [])]) await hook(context)
  }

  /** Log hooks are synchronous and may not fail. */
  runSync(name: HookName, context: Record<string, unknown>): void {
    for (const hook of this.#hooks.get(name) ?? []) {
      try {
        hook(context)
      } catch {
        // A log line is written whatever its hooks do.
      }
    }
  }
}

/** A hook context whose named members cannot be replaced. */
export function hookContext(
  fixed: Record<string, unknown>,
  open: Record<string, unknown> = {},
): Record<string, unknown> {
  const context: Record<string, unknown> = { ...open }
  for (const [name, value] of Object.entries(fixed)) {
    Object.defineProperty(context, name, {
      enumerable: true,
      get: () => value,
      set: () => {
        throw systemError(new Error(`Cannot assign to read only property "${name}"`))
      },
    })
  }
  return context
}
