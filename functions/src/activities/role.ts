import {
  createDefaultHttpClient,
  createHttpHeaders,
  createPipelineFromOptions,
  createPipelineRequest,
} from '@azure/core-rest-pipeline'
import { clients, credential } from '../azure/clients.ts'
import { errorIn } from '../azure/nested-error.ts'
import { nameBasedUuid } from '../azure/operation-id.ts'
import { codeOf, done, found, type Outcome, refused } from '../azure/outcome.ts'
import type { RoleReference, VaultReference } from '../deployment/record.ts'
import { activity } from './activity.ts'

/** Built-in roles that may release a key and nothing else (Azure built-in roles; Managed HSM local RBAC built-in roles). */
const RELEASE_ROLE = {
  vault: { name: 'Key Vault Crypto Service Release User', id: '08bbd89e-9f13-488c-ac41-acfcb10c90ab' },
  managedHsm: { name: 'Managed HSM Crypto Service Release User', id: '21dbd100-6940-42c2-9190-5d6cb909625c' },
} as const

interface AssignInput {
  readonly subscriptionId: string
  readonly vault: VaultReference
  readonly keyName: string
  readonly principalId: string
  /** Part of the assignment's name, so that two deployments of one identity never take each other's for their own. */
  readonly deployment: string
}

/** Lets the group's identity release keys of the vault (scope: the vault; on a managed HSM, the one key). */
export const assignReleaseRole = activity<AssignInput, RoleReference>('assignReleaseRole', (input) =>
  input.vault.kind === 'vault' ? assignOnVault(input) : assignOnManagedHsm(input),
)

async function assignOnVault({
  subscriptionId,
  vault,
  principalId,
  deployment,
}: AssignInput): Promise<Outcome<RoleReference>> {
  const { roleAssignments } = clients.roles(subscriptionId)
  const role = RELEASE_ROLE.vault
  const name = nameBasedUuid(vault.id, principalId, role.id, deployment)
  const reference = {
    id: `${vault.id}/providers/Microsoft.Authorization/roleAssignments/${name}`,
    roleName: role.name,
    scope: vault.id,
  }
  try {
    await roleAssignments.create(vault.id, name, {
      principalId,
      principalType: 'ServicePrincipal',
      roleDefinitionId: `/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/${role.id}`,
    })
    return done({ ...reference, created: true })
  } catch (error) {
    // The same principal has the role there under another name: somebody else's assignment, to be left alone.
    if (codeOf(error) === 'RoleAssignmentExists') {
      const own = await found(() => roleAssignments.get(vault.id, name))
      return done({ ...reference, created: own !== undefined })
    }
    throw error
  }
}

async function assignOnManagedHsm({
  vault,
  keyName,
  principalId,
  deployment,
}: AssignInput): Promise<Outcome<RoleReference>> {
  const role = RELEASE_ROLE.managedHsm
  const scope = `/keys/${keyName}`
  const name = nameBasedUuid(vault.id, scope, principalId, role.id, deployment)
  const id = `${vault.url}${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`
  const answer = await managedHsm('PUT', id, {
    properties: {
      principalId,
      roleDefinitionId: `Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/${role.id}`,
    },
  })
  const exists = answer.status === 409 && answer.code === 'RoleAssignmentExists'
  if (answer.status >= 300 && !exists) return refused(answer.code, answer.message)
  const created = !exists || (await managedHsm('GET', id)).status === 200
  return done({ id, roleName: role.name, scope, created })
}

export const removeRole = activity<{ subscriptionId: string; role: RoleReference }, null>(
  'removeRole',
  async ({ subscriptionId, role }) => {
    if (!role.created) return done(null)
    if (role.id.startsWith('https://')) {
      const answer = await managedHsm('DELETE', role.id)
      return answer.status < 300 || answer.status === 404 ? done(null) : refused(answer.code, answer.message)
    }
    await found(() => clients.roles(subscriptionId).roleAssignments.deleteById(role.id))
    return done(null)
  },
)

/**
 * Managed HSM's local RBAC (data plane, api-version 7.4): no published JavaScript client of ours to reach it with today,
 * so the pipeline that all Azure clients are built on is used directly.
 */
async function managedHsm(method: 'GET' | 'PUT' | 'DELETE', url: string, body?: unknown) {
  const token = await credential().getToken('https://managedhsm.azure.net/.default')
  const request = createPipelineRequest({
    url: `${url}?api-version=7.4`,
    method,
    headers: createHttpHeaders({ 'content-type': 'application/json', authorization: `Bearer ${token?.token}` }),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const response = await createPipelineFromOptions({}).sendRequest(createDefaultHttpClient(), request)
  if (response.status === 429 || response.status >= 500) throw new Error(`managed HSM answered ${response.status}`)
  const error = response.status >= 300 ? errorIn(response.bodyAsText) : undefined
  return {
    status: response.status,
    code: error?.code ?? 'ERR_AZURE',
    message: error?.message ?? `status ${response.status}`,
  }
}
