import type { LogLevel } from '../log.ts'
import { Disposable, systemError } from './disposable.ts'
import { HookRegistry } from './hooks.ts'
import type { FunctionMetadata, InvocationRequest, InvocationResponse } from './rpc.ts'

/**
 * The module `@azure/functions-core`: what Azure's Node worker gives to the app's `@azure/functions`, and the one thing
 * that makes the difference between an app that registers its functions and one that believes it is under test.
 */
export interface CoreModule {
  readonly version: string
  readonly hostVersion: string
  registerFunction(metadata: FunctionMetadata, callback: FunctionCallback): Disposable
  registerHook(name: string, callback: HookCallback): Disposable
  setProgrammingModel(model: ProgrammingModel): void
  getProgrammingModel(): ProgrammingModel | undefined
  log(level: LogLevel, category: LogCategory, message: string): void
  readonly Disposable: typeof Disposable
}

export type LogCategory = 'user' | 'system' | 'customMetric'
export type FunctionCallback = (...args: unknown[]) => unknown
export type HookCallback = (context: Record<string, unknown>) => unknown

export interface ProgrammingModel {
  readonly name: string
  readonly version: string
  getInvocationModel(context: CoreInvocationContext): InvocationModel
  getCapabilities?(defaults: Record<string, string>): Promise<Record<string, string>> | Record<string, string>
}

export interface InvocationModel {
  getArguments(): Promise<{ context: object; inputs: unknown[] }>
  invokeFunction(context: object, inputs: unknown[], callback: FunctionCallback): Promise<unknown>
  getResponse(context: object, result: unknown): Promise<InvocationResponse>
}

export interface CoreInvocationContext {
  readonly invocationId: string
  readonly request: InvocationRequest
  readonly metadata: FunctionMetadata & { functionId: string }
  state?: 'preInvocationHooks' | 'invocation' | 'postInvocationHooks'
  log(level: LogLevel, category: LogCategory, message: string): void
}

/** What the app registered, as the thread's pipeline uses it. */
export interface Registrations {
  readonly functions: Map<string, { metadata: FunctionMetadata; callback: FunctionCallback }>
  readonly hooks: HookRegistry
  model: ProgrammingModel | undefined
  /** After start-up nothing more may register. */
  closed: boolean
}

export interface CoreOptions {
  readonly version: string
  readonly hostVersion: string
  readonly log: (level: LogLevel, category: LogCategory, message: string) => void
}

export function createCoreModule(options: CoreOptions): { core: CoreModule; registrations: Registrations } {
  const registrations: Registrations = {
    functions: new Map(),
    hooks: new HookRegistry(),
    model: undefined,
    closed: false,
  }
  const core: CoreModule = {
    version: options.version,
    hostVersion: options.hostVersion,
    Disposable,
    registerFunction(metadata, callback) {
      if (registrations.closed) {
        throw systemError(new Error(`A function can only be registered during app startup: "${metadata.name}"`))
      }
      if (registrations.functions.has(metadata.name)) {
        throw systemError(new Error(`A function with the name "${metadata.name}" has already been registered`))
      }
      registrations.functions.set(metadata.name, { metadata, callback })
      return new Disposable(() => {
        if (registrations.closed) throw systemError(new Error('A function can only be disposed during app startup'))
        registrations.functions.delete(metadata.name)
      })
    },
    registerHook: (name, callback) => registrations.hooks.add(name, callback),
    setProgrammingModel(model) {
      if (registrations.closed) throw systemError(new Error('The programming model can only be set during app startup'))
      registrations.model = model
    },
    getProgrammingModel: () => registrations.model,
    log: options.log,
  }
  return { core, registrations }
}
