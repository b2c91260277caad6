import { type Clock, type MovableClock, manualClock } from '../../core/index.ts'
import { seedResources } from '../seed.ts'
import { type ArmWorld, createArmWorld } from '../test-world.ts'

/*
 * For tests: the vault `mine` in the resource group `rg`, made and looked at through Resource Manager.
 */

export const V = 'api-version=2023-07-01'
export const VAULT = 'https://mine.vault.azure.net'

export interface ArmVault extends ArmWorld {
  /** The paths of the subscription and of the vault. */
  readonly subscriptionPath: string
  readonly vault: string
  body(properties?: object, more?: object): { readonly properties: { readonly enableRbacAuthorization: boolean } }
  put(properties?: object, more?: object, at?: string): Promise<Response>
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was answered
  read(at?: string): Promise<any>
  makeKey(name?: string): Promise<Response>
}

export function createArmVault(clock: MovableClock & Clock = manualClock('2026-01-01T00:00:00Z')): ArmVault {
  const arm = createArmWorld(clock)
  const subscriptionPath = `/subscriptions/${arm.subscription}`
  const vault = `${subscriptionPath}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/mine`
  seedResources(arm.world.ctx, { resourceGroups: [{ name: 'rg' }] })
  const body = (properties: object = {}, more: object = {}) => ({
    location: 'westeurope',
    ...more,
    properties: {
      tenantId: arm.world.ctx.seed.tenantId,
      sku: { family: 'A', name: 'premium' },
      enableRbacAuthorization: true,
      ...properties,
    },
  })
  return {
    ...arm,
    subscriptionPath,
    vault,
    body,
    put: (properties, more, at = vault) => arm.send('PUT', `${at}?${V}`, body(properties, more)),
    read: async (at = vault) => (await arm.send('GET', `${at}?${V}`)).json(),
    makeKey: (name = 'k') => arm.data('POST', `${VAULT}/keys/${name}/create`, { kty: 'EC' }),
  }
}
