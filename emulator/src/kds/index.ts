import type { EmulatorContext, Service } from '../core/index.ts'
import type { VirtualProcessor } from '../psp/types.ts'
import { azureCacheRoutes, keyDistributionRoutes } from './routes.ts'

const AMD_HOST = 'kdsintf.amd.com'

/** Where a machine's certificates can be had from outside of it: AMD's own service, and Azure's cache of it. */
export function createKdsService(ctx: EmulatorContext, options: { readonly psp: VirtualProcessor }): Service {
  const amd = keyDistributionRoutes(ctx, options)
  const azure = azureCacheRoutes(ctx, options)
  return {
    name: 'kds',
    hosts: [AMD_HOST, '*.acccache.azure.net'],
    handle: (request) => (new URL(request.url).hostname === AMD_HOST ? amd : azure).fetch(request),
  }
}
