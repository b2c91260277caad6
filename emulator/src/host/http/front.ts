import { InvocationFailed } from '../app/app-thread.ts'
import type { AppRuntime } from '../app/runtime.ts'
import { redact } from '../durable/failure.ts'
import { messageOf } from '../errors.ts'
import type { HostLog } from '../log.ts'
import type { AccessKeys } from './keys.ts'
import type { FetchHandler } from './listener.ts'
import type { HttpRoute, RouteTable } from './routes.ts'
import { fromRpcHttp, toRpcHttp } from './rpc-http.ts'

/** Where the Durable extension's HTTP API stands on the host's own address. */
export const DURABLE_WEBHOOK_PATH = '/runtime/webhooks/durabletask'

export interface FrontOptions {
  readonly routePrefix: string
  readonly table: RouteTable
  readonly app: AppRuntime
  readonly keys: AccessKeys
  readonly requireKeys: boolean
  readonly admin: FetchHandler
  readonly durable: FetchHandler
  readonly isDisabled: (functionName: string) => boolean
  readonly log: HostLog
}

/** Everything the host answers on its public address: functions, admin, the Durable webhooks, the home page. */
export function createFront(options: FrontOptions): FetchHandler {
  const { keys, requireKeys } = options
  const prefix = options.routePrefix === '' ? '/' : `/${options.routePrefix}/`
  const unauthorized = () => new Response(null, { status: 401 })
  const notFound = () => new Response(null, { status: 404 })

  return async (request) => {
    const { pathname } = new URL(request.url)
    const path = pathname.toLowerCase()
    if (path === '/') return homePage()
    if (path === '/admin' || path.startsWith('/admin/')) {
      // Admin routes carry the master key even where function keys are off: they fire what nobody asked for.
      return keys.allows(request, 'admin') ? await options.admin(request) : unauthorized()
    }
    if (path === DURABLE_WEBHOOK_PATH || path.startsWith(`${DURABLE_WEBHOOK_PATH}/`)) {
      return !requireKeys || keys.allowsDurableWebhook(request) ? await options.durable(request) : unauthorized()
    }
    if (!`${path}/`.startsWith(prefix.toLowerCase())) return notFound()
    const found = options.table.find(request.method, pathname.slice(prefix.length))
    if (found === undefined || options.isDisabled(found.route.functionName)) return notFound()
    if (requireKeys && !keys.allows(request, found.route.authLevel, found.route.functionName)) return unauthorized()
    return await callFunction(found.route, found.params, request, options)
  }
}

async function callFunction(
  route: HttpRoute,
  params: Record<string, string>,
  request: Request,
  { app, log }: FrontOptions,
): Promise<Response> {
  try {
    const traceParent = request.headers.get('traceparent')
    const response = await app.invoke({
      metadata: route.metadata,
      triggerType: 'httpTrigger',
      data: { http: await toRpcHttp(request, params) },
      ...(traceParent === null ? {} : { traceParent }),
    })
    // The HTTP output is the return value, or the output binding that the app named.
    const named = response.outputData.find(({ data }) => data?.http)?.data
    return fromRpcHttp(response.returnValue?.http ? response.returnValue : named)
  } catch (error) {
    const stack = error instanceof InvocationFailed ? `\n${error.failure.stackTrace}` : ''
    log({
      level: 'error',
      category: 'host',
      functionName: route.functionName,
      message: redact(`function "${route.functionName}" failed: ${messageOf(error)}${stack}`),
    })
    return new Response(null, { status: 500 })
  }
}

function homePage(): Response {
  const page =
    '<!DOCTYPE html><html><head><title>Functions host</title></head>' +
    '<body><h1>Your Functions app is up and running</h1><p>Skerry embedded Functions host</p></body></html>'
  return new Response(page, { headers: { 'content-type': 'text/html; charset=utf-8' } })
}
