import Module, { registerHooks } from 'node:module'
import type { CoreModule } from './core-module.ts'

const NAME = '@azure/functions-core'
const URL_OF_CORE = 'skerry:functions-core'
const KEY = Symbol.for('skerry.functions-core')

/**
 * Makes `@azure/functions-core` resolvable in this thread, for `require` and `import`, in a plain or a bundled app.
 * Synchronous module hooks answer every way of asking; the proxy around `require` (which is what Azure's own worker
 * does) stays as a second line, because a library that fails to find the module once falls silent for ever.
 */
export function provideCore(core: CoreModule): void {
  Object.defineProperty(globalThis, KEY, { value: core, configurable: true })
  // Written out member by member: an ES importer learns the names of a CommonJS module by reading it.
  const members = Object.keys(core).map((name) => `exports.${name} = core.${name};`)
  const source = `const core = globalThis[Symbol.for('skerry.functions-core')];\n${members.join('\n')}\n`

  registerHooks({
    resolve: (specifier, context, nextResolve) =>
      specifier === NAME
        ? { url: URL_OF_CORE, format: 'commonjs', shortCircuit: true }
        : nextResolve(specifier, context),
    load: (url, context, nextLoad) =>
      url === URL_OF_CORE ? { format: 'commonjs', source, shortCircuit: true } : nextLoad(url, context),
  })

  const prototype = Module.prototype as unknown as { require(id: string): unknown }
  prototype.require = new Proxy(prototype.require, {
    apply: (target, thisArg, args) => (args[0] === NAME ? core : Reflect.apply(target, thisArg, args)),
  })
}
