import { COLLECTIONS, type EmulatorContext, type VaultRecord } from '../../core/index.ts'
import { ArmError } from '../error.ts'
import { type ArmResource, type PutRequest, propertiesOf, type ResourceType } from '../providers/types.ts'
import { changeAccessPolicies, isPolicyChange, readAccessPolicies } from './access-policies.ts'
import { vaultErrors } from './errors.ts'
import type { VaultType } from './vaults.ts'

/**
 * Microsoft.KeyVault/vaults/accessPolicies: no resource of its own, but a change of its vault, which its name says
 * (`add`, `replace` or `remove`).
 */
export function accessPolicies(ctx: EmulatorContext, vaults: VaultType): ResourceType {
  const records = ctx.store.collection<VaultRecord>(COLLECTIONS.vaults)
  return {
    type: 'Microsoft.KeyVault/vaults/accessPolicies',
    get(id) {
      const vault = vaults.record(parentOf(id))
      return vault && view(vault)
    },
    list: () => [],
    async put({ id, name, body }: PutRequest) {
      const change = name.toLowerCase()
      if (!isPolicyChange(change)) {
        throw new ArmError(400, {
          code: 'InvalidOperationKind',
          message: `The operation '${name}' is not one on access policies: add, replace or remove.`,
        })
      }
      const vault = vaults.record(parentOf(id))
      if (vault === undefined) throw vaultErrors.parentNotFound(parentOf(id))
      const wanted = readAccessPolicies(propertiesOf(body).accessPolicies, vault.tenantId)
      const changed = { ...vault, accessPolicies: changeAccessPolicies(vault.accessPolicies ?? [], change, wanted) }
      records.put(vault.host, changed)
      return { status: 200, body: view(changed) }
    },
    async delete() {
      throw new ArmError(405, {
        code: 'MethodNotAllowed',
        message: 'Access policies are taken away by a PUT of remove.',
      })
    },
  }
}

/** The service answers without a name, and with a slash at the end of the id. */
function view(vault: VaultRecord): ArmResource {
  const answer: Omit<ArmResource, 'name'> = {
    id: `${vault.id}/accessPolicies/`,
    type: 'Microsoft.KeyVault/vaults/accessPolicies',
    properties: { accessPolicies: vault.accessPolicies ?? [] },
  }
  return answer as ArmResource
}

const parentOf = (id: string): string => id.slice(0, id.toLowerCase().lastIndexOf('/accesspolicies'))
