import type { LogLevel } from '../log.ts'
import type { CoreInvocationContext, FunctionCallback, LogCategory, Registrations } from './core-module.ts'
import { systemError } from './disposable.ts'
import { hookContext } from './hooks.ts'
import type { InvocationRequest, InvocationResponse } from './rpc.ts'

export type InvocationLog = (
  level: LogLevel,
  category: LogCategory,
  message: string,
  origin: { functionName: string; invocationId: string },
) => void

/** Runs one invocation through model and hooks, in the order of Azure's Node worker. Throws what the function threw. */
export async function invoke(
  registrations: Registrations,
  request: InvocationRequest,
  write: InvocationLog,
): Promise<InvocationResponse> {
  const registered = registrations.functions.get(request.functionId)
  const { model, hooks } = registrations
  if (registered === undefined || model === undefined) {
    throw systemError(new Error(`Function with id "${request.functionId}" is not loaded`))
  }
  const origin = { functionName: registered.metadata.name, invocationId: request.invocationId }
  let done = false
  let userContext: object | undefined
  const hookData = {}
  const core: CoreInvocationContext = {
    invocationId: request.invocationId,
    request,
    metadata: { ...registered.metadata, functionId: registered.metadata.name },
    log(level, category, message) {
      if (done) {
        write(
          'warning',
          'system',
          `a log call of "${origin.functionName}" came after the invocation had completed`,
          origin,
        )
      }
      const line = hookContext(
        { category, hookData, appHookData: hooks.appHookData, invocationContext: userContext },
        { level, message },
      )
      hooks.runSync('log', line)
      if (category === 'user') write(line.level as LogLevel, category, String(line.message), origin)
      else write(level, category, message, origin)
    },
  }

  const invocation = model.getInvocationModel(core)
  const { context, inputs } = await invocation.getArguments()
  userContext = context
  try {
    core.state = 'preInvocationHooks'
    const shared = { hookData, appHookData: hooks.appHookData, invocationContext: context }
    const pre = hookContext(shared, { inputs, functionCallback: registered.callback })
    await hooks.run('preInvocation', pre)

    core.state = 'invocation'
    const finalInputs = pre.inputs as unknown[]
    const post = hookContext(shared, { inputs: finalInputs, result: null, error: null })
    try {
      post.result = await invocation.invokeFunction(context, finalInputs, pre.functionCallback as FunctionCallback)
    } catch (error) {
      post.error = error ?? new Error(String(error))
    }
    core.state = 'postInvocationHooks'
    await hooks.run('postInvocation', post)

    delete core.state
    if (post.error !== null && post.error !== undefined) throw post.error
    return await invocation.getResponse(context, post.result)
  } finally {
    done = true
  }
}

/** A thrown value as the wire carries it: a non-Error is turned into text. */
export function failureOf(thrown: unknown): { message: string; stackTrace: string } {
  if (thrown instanceof Error || (typeof thrown === 'object' && thrown !== null && 'message' in thrown)) {
    const { message, stack } = thrown as { message?: unknown; stack?: unknown }
    return { message: String(message), stackTrace: typeof stack === 'string' ? stack : '' }
  }
  const text = typeof thrown === 'string' ? thrown : (JSON.stringify(thrown) ?? String(thrown))
  return { message: text, stackTrace: '' }
}
