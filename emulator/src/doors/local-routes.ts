import type { EmulatorContext } from '../core/index.ts'
import { devicePage } from '../entra/index.ts'
import { appServiceIdentity, MSI_PATH } from '../imds/index.ts'
import type { InstanceCredential } from './credential.ts'

/** Where a person signs in at a device, on the plain port. */
export const DEVICE_PATH = '/.skerry/device'

/** What answers on the plain port without the credential of the instance, since it asks for another proof. */
export interface LocalRoutes {
  /**
   * The answer, or undefined for a path that is not among these.
   * @param isOwner whether the connection comes from a program of the user that the emulator runs as
   */
  answer(request: Request, isOwner: () => Promise<boolean>): Promise<Response> | undefined
}

/**
 * The token service of App Service, whose clients show a secret; and the page of the device flow, which is for the
 * browser of this user. The door has seen to it that the request names loopback as its host: a page of a stranger that
 * had its name resolved to loopback does not.
 */
export function createLocalRoutes(ctx: EmulatorContext, credential: InstanceCredential): LocalRoutes {
  const identity = appServiceIdentity(ctx, { readHeader: (secret) => credential.readIdentityHeader(secret) })
  const device = async (request: Request, isOwner: () => Promise<boolean>) =>
    (await isOwner())
      ? await devicePage(ctx, request, { owner: true })
      : new Response('This page is for the user that runs the emulator.\n', { status: 403 })
  return {
    answer(request, isOwner) {
      const { pathname } = new URL(request.url)
      if (pathname === DEVICE_PATH) return device(request, isOwner)
      // No browser has business there.
      if (pathname === MSI_PATH && request.headers.get('origin') === null) return identity(request)
      return undefined
    },
  }
}
