import { seedResources } from '../arm/index.ts'
import type { Endpoints } from '../control/instance.ts'
import type { EmulatorContext } from '../core/index.ts'

const LOCATION = 'westeurope'
const GROUP = 'skerry'

/** What a client of `skerry up` may count on: a vault, a managed HSM and an attestation provider, in one resource group. */
export function seedEndpoints(context: EmulatorContext): Endpoints {
  seedResources(context, {
    resourceGroups: [{ name: GROUP, location: LOCATION }],
    vaults: [{ name: 'skerry', resourceGroup: GROUP, location: LOCATION }],
    managedHsms: [{ name: 'skerry', resourceGroup: GROUP, location: LOCATION }],
    attestationProviders: [{ host: 'sharedweu.weu.attest.azure.net' }],
  })
  return {
    vault: 'https://skerry.vault.azure.net',
    mhsm: 'https://skerry.managedhsm.azure.net',
    maa: 'https://sharedweu.weu.attest.azure.net',
    arm: 'https://management.azure.com',
  }
}
