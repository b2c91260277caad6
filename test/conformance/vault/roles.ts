import { randomUUID } from 'node:crypto'
import { AuthorizationManagementClient } from '@azure/arm-authorization'
import { administratorOf, type Place, type Program } from './world.ts'

/**
 * Lets a program use keys and not see them, by a role made for it: through Resource Manager for a vault, by the local
 * RBAC of a managed HSM.
 */
export async function mayUseKeysUnseen(place: Place, { objectId: principalId }: Program): Promise<void> {
  const uses = ['encrypt', 'decrypt', 'sign', 'verify', 'wrap', 'unwrap']
  const role = randomUUID()
  if (!place.isVault) {
    const dataActions = uses.map((use) => `Microsoft.KeyVault/managedHsm/keys/${use}/action`)
    const properties = { roleName: 'Uses keys unseen', permissions: [{ dataActions }], assignableScopes: ['/'] }
    await put(place, `roleDefinitions/${role}`, { ...properties, type: 'CustomRole' })
    await assignLocally(place, role, principalId)
    return
  }
  const { client, scope } = roles(place)
  const { id: roleDefinitionId } = await client.roleDefinitions.createOrUpdate(scope, role, {
    roleName: `Uses keys unseen ${role}`,
    roleType: 'CustomRole',
    assignableScopes: [scope],
    permissions: [{ dataActions: uses.map((use) => `Microsoft.KeyVault/vaults/keys/${use}/action`) }],
  })
  await client.roleAssignments.create(scope, randomUUID(), { roleDefinitionId: roleDefinitionId!, principalId })
}

/** Of a managed HSM: a role by its GUID, at `/`, `/keys` or `/keys/NAME`. Resolves to the assignment's name. */
export async function assignLocally(place: Place, role: string, principalId: string, scope = ''): Promise<string> {
  const name = randomUUID()
  const roleDefinitionId = `Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/${role}`
  await put(place, `roleAssignments/${name}`, { roleDefinitionId, principalId }, scope)
  return name
}

async function put(place: Place, what: string, properties: object, scope = ''): Promise<void> {
  const path = `${scope}/providers/Microsoft.Authorization/${what}?api-version=7.4`
  const { status, text } = await place.raw('PUT', path, { properties })
  if (status !== 201) throw new Error(`${status}: ${text}`)
}

/** The client of roles, and the vault's own scope. */
export function roles({ world, url }: Place) {
  const { subscriptionId } = world.emulator.context.seed
  const client = new AuthorizationManagementClient(administratorOf(world), subscriptionId, { ...world.options })
  const name = new URL(url).hostname.split('.')[0]
  const group = `/subscriptions/${subscriptionId}/resourceGroups/conformance`
  return { client, scope: `${group}/providers/Microsoft.KeyVault/vaults/${name}` }
}
