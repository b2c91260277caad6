import type { EmulatorContext, Service } from '../core/index.ts'
import type { VirtualProcessor } from '../psp/types.ts'
import { imdsRoutes } from './routes.ts'

/** The instance metadata service at 169.254.169.254, which answers over plain HTTP only. */
export function createImdsService(ctx: EmulatorContext, options: { readonly psp: VirtualProcessor }): Service {
  const app = imdsRoutes(ctx, options)
  return {
    name: 'imds',
    hosts: ['169.254.169.254'],
    handle: (request, caller) => app.fetch(request, { caller }),
  }
}

export { appServiceIdentity, type HeaderIdentity, MSI_PATH } from './app-service.ts'
export { findIdentity } from './identity.ts'
