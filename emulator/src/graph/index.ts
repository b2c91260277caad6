import type { EmulatorContext, Service } from '../core/index.ts'
import type { TokenVerifier } from '../entra/index.ts'
import { graphRoutes } from './routes.ts'

/** The part of Microsoft Graph that turns names of users and applications into object ids; read only. */
export function createGraphService(ctx: EmulatorContext, options: { readonly tokens: TokenVerifier }): Service {
  const app = graphRoutes(ctx, options.tokens)
  return { name: 'graph', hosts: ['graph.microsoft.com'], handle: async (request) => await app.fetch(request) }
}
