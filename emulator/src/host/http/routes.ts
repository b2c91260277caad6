import { bindingOfType, type FunctionMetadata } from '../app/rpc.ts'
import { HostError } from '../errors.ts'
import { parseRoute, type RouteTemplate } from './route-template.ts'

export interface HttpRoute {
  readonly functionName: string
  readonly metadata: FunctionMetadata
  readonly bindingKey: string
  /** Upper case; empty: every method. */
  readonly methods: readonly string[]
  readonly authLevel: 'anonymous' | 'function' | 'admin'
  readonly route: RouteTemplate
}

export interface RouteTable {
  readonly routes: readonly HttpRoute[]
  /** The first route, in the order of the functions' names, that takes this method and path (below the prefix). */
  find(method: string, path: string): { route: HttpRoute; params: Record<string, string> } | undefined
}

/** Builds the table of an app's HTTP triggers, sorted as the host sorts functions: by name, ordinal, ignoring case. */
export function buildRoutes(functions: readonly FunctionMetadata[]): RouteTable {
  const routes = sortByName(functions).flatMap((metadata) => {
    const found = bindingOfType(metadata, 'httpTrigger')
    return found === undefined ? [] : [routeOf(metadata, found.key, found.binding)]
  })
  for (const [index, route] of routes.entries()) {
    const twin = routes.slice(0, index).find((earlier) => sameTemplate(earlier, route) && shareMethod(earlier, route))
    if (twin !== undefined) {
      throw new HostError(
        'ERR_HOST_APP_INVALID',
        `functions "${twin.functionName}" and "${route.functionName}" have the same route ${JSON.stringify(route.route.template)} and method`,
      )
    }
  }
  return {
    routes,
    find(method, path) {
      for (const route of routes) {
        if (route.methods.length > 0 && !route.methods.includes(method)) continue
        const params = route.route.match(path)
        if (params !== undefined) return { route, params }
      }
      return undefined
    },
  }
}

export function sortByName(functions: readonly FunctionMetadata[]): FunctionMetadata[] {
  const ordinal = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
  return [...functions].sort((a, b) => ordinal(a.name.toUpperCase(), b.name.toUpperCase()))
}

function routeOf(
  metadata: FunctionMetadata,
  bindingKey: string,
  binding: Readonly<Record<string, unknown>>,
): HttpRoute {
  const template = typeof binding.route === 'string' ? binding.route : metadata.name
  if (/^\/*(admin|runtime)(\/|$)/i.test(template)) {
    throw new HostError(
      'ERR_HOST_APP_INVALID',
      `function "${metadata.name}": the route ${JSON.stringify(template)} begins with a reserved word`,
    )
  }
  const level = String(binding.authLevel ?? 'function').toLowerCase()
  return {
    functionName: metadata.name,
    metadata,
    bindingKey,
    methods: Array.isArray(binding.methods) ? binding.methods.map((method) => String(method).toUpperCase()) : [],
    // A level that is not known must not open a door: it asks for the master key.
    authLevel: level === 'anonymous' || level === 'function' ? level : 'admin',
    route: parseRoute(template),
  }
}

function sameTemplate(a: HttpRoute, b: HttpRoute): boolean {
  return a.route.template.toLowerCase() === b.route.template.toLowerCase()
}

function shareMethod(a: HttpRoute, b: HttpRoute): boolean {
  return a.methods.length === 0 || b.methods.length === 0 || a.methods.some((method) => b.methods.includes(method))
}
