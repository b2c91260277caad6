import { clients } from '../azure/clients.ts'
import { done, refused } from '../azure/outcome.ts'
import type { VaultReference } from '../deployment/record.ts'
import { activity } from './activity.ts'

/** Finds the vault or managed HSM that answers at `vaultHost` in the subscription: its ARM id is the scope of the role. */
export const findVault = activity<{ subscriptionId: string; vaultHost: string }, VaultReference>(
  'findVault',
  async ({ subscriptionId, vaultHost }) => {
    const client = clients.vaults(subscriptionId)
    const url = `https://${vaultHost}`
    const name = vaultHost.split('.', 1)[0]!.toLowerCase()
    if (/\.managedhsm\./i.test(vaultHost)) {
      for await (const hsm of client.managedHsms.listBySubscription()) {
        if (hsm.name?.toLowerCase() === name && hsm.id) return done({ kind: 'managedHsm', id: hsm.id, url })
      }
    } else {
      for await (const vault of client.vaults.listBySubscription()) {
        if (vault.name?.toLowerCase() === name && vault.id) return done({ kind: 'vault', id: vault.id, url })
      }
    }
    return refused(
      'ERR_VAULT_NOT_FOUND',
      `no vault or managed HSM answers at ${vaultHost} in subscription ${subscriptionId}`,
    )
  },
)

/** Sees to it that the resource group is there; this app makes none, since removing one removes what others put in it. */
export const checkResourceGroup = activity<{ subscriptionId: string; resourceGroup: string }, null>(
  'checkResourceGroup',
  async ({ subscriptionId, resourceGroup }) => {
    const { body } = await clients.resources(subscriptionId).resourceGroups.checkExistence(resourceGroup)
    return body ? done(null) : refused('ResourceGroupNotFound', `resource group ${resourceGroup} does not exist`)
  },
)
