import type { AppRuntime } from '../app/runtime.ts'
import type { TimerTriggers } from '../timers/timer-triggers.ts'
import type { FetchHandler } from './listener.ts'

/** The host's admin API (docs: "Manually run a non HTTP-triggered function"). The caller has shown the master key. */
export function createAdmin(options: {
  readonly app: AppRuntime
  readonly timers: TimerTriggers
  readonly version: string
  readonly upSince: () => number
}): FetchHandler {
  const { app, timers } = options
  return async (request) => {
    const { pathname } = new URL(request.url)
    const [, , area, name, ...more] = pathname.replace(/\/+$/, '').split('/')
    if (
      area?.toLowerCase() === 'host' &&
      name?.toLowerCase() === 'status' &&
      more.length === 0 &&
      request.method === 'GET'
    ) {
      return Response.json({
        id: 'skerry',
        state: 'Running',
        version: options.version,
        processUptime: options.upSince(),
      })
    }
    if (area?.toLowerCase() === 'warmup' && name === undefined) return new Response(null, { status: 200 })
    if (area?.toLowerCase() !== 'functions' || name === undefined || more.length > 0)
      return new Response(null, { status: 404 })
    const functionName = decodeURIComponent(name)
    const metadata = app.find(functionName)
    if (metadata === undefined) return new Response(null, { status: 404 })
    if (request.method !== 'POST') return new Response(null, { status: 404 })
    const problem = await bodyProblem(request)
    if (problem !== undefined) return Response.json({ Message: problem }, { status: 400 })
    if (timers.fire(metadata.name)) return new Response(null, { status: 202 })
    return Response.json(
      { Message: `function "${metadata.name}" has no timer trigger: this host runs only timer functions by hand` },
      { status: 501 },
    )
  }
}

/** The body is `{ "input": … }`; a timer has no use for what is in it. */
async function bodyProblem(request: Request): Promise<string | undefined> {
  const text = await request.text()
  if (text.trim() === '') return undefined
  try {
    const body = JSON.parse(text) as unknown
    return typeof body === 'object' && body !== null
      ? undefined
      : 'The request body must be a JSON object with an "input" property.'
  } catch {
    return 'The request body is not valid JSON.'
  }
}
