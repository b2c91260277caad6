import * as v from 'valibot'
import {
  COLLECTIONS,
  type EmulatorContext,
  type FederatedCredentialRecord,
  type ManagedIdentityRecord,
} from '../../core/index.ts'
import {
  DirectoryError,
  deleteFederatedCredential,
  federatedCredentialsOf,
  putFederatedCredential,
} from '../../entra/index.ts'
import { ArmError, notCovered } from '../error.ts'
import type { ArmResource, ResourceType } from './types.ts'

/** Body of a PUT: `{"properties": {"issuer", "subject", "audiences"}}`. */
const Body = v.object({
  properties: v.object({
    issuer: v.string(),
    subject: v.string(),
    audiences: v.array(v.string()),
    claimsMatchingExpression: v.optional(v.unknown()),
  }),
})

const TYPE = 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials'

/** Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials: children of an identity. */
export interface FederatedCredentialType extends ResourceType {
  /** Of an identity that is there, by its id. @throws ArmError 404 */
  listOf(identityId: string): ArmResource[]
}

export function federatedIdentityCredentials(ctx: EmulatorContext): FederatedCredentialType {
  const identities = ctx.store.collection<ManagedIdentityRecord>(COLLECTIONS.managedIdentities)
  const split = (id: string) => {
    const at = id.lastIndexOf('/')
    return { identityId: id.slice(0, at).replace(/\/[^/]+$/, ''), name: id.slice(at + 1) }
  }
  const require = (identityId: string): ManagedIdentityRecord => {
    const identity = identities.get(identityId.toLowerCase())
    if (identity !== undefined) return identity
    throw new ArmError(404, {
      code: 'ParentResourceNotFound',
      message: `Failed to perform 'write' on resource(s) of type '${TYPE}', because the parent resource '${identityId}' could not be found.`,
    })
  }
  /** Names are compared without case, and stay as they were created. */
  const find = ({ principalId }: ManagedIdentityRecord, name: string) =>
    federatedCredentialsOf(ctx, principalId).find((one) => one.name.toLowerCase() === name.toLowerCase())
  return {
    type: TYPE,
    get(id) {
      const { identityId, name } = split(id)
      const identity = identities.get(identityId.toLowerCase())
      const found = identity && find(identity, name)
      return found && view(identity, found)
    },
    // Resource Manager's own lists of resources do not show them.
    list: () => [],
    listOf(identityId) {
      const identity = require(identityId)
      return federatedCredentialsOf(ctx, identity.principalId).map((one) => view(identity, one))
    },
    async put({ id, body }) {
      const { identityId, name } = split(id)
      const identity = require(identityId)
      const parsed = v.safeParse(Body, body)
      if (!parsed.success) throw badRequest(v.summarize(parsed.issues))
      const { issuer, subject, audiences, claimsMatchingExpression } = parsed.output.properties
      if (claimsMatchingExpression != null) throw notCovered('flexible federated identity credentials')
      const credential = { name: find(identity, name)?.name ?? name, issuer, subject, audiences }
      try {
        const made = putFederatedCredential(ctx, identity.principalId, credential)
        return { status: made ? 201 : 200, body: view(identity, credential) }
      } catch (error) {
        if (error instanceof DirectoryError) throw badRequest(error.message)
        throw error
      }
    },
    async delete(id) {
      const { identityId, name } = split(id)
      const identity = require(identityId)
      const known = find(identity, name)
      if (known === undefined) return undefined
      deleteFederatedCredential(ctx, identity.principalId, known.name)
      return { status: 200 }
    },
  }
}

function view(identity: ManagedIdentityRecord, credential: FederatedCredentialRecord): ArmResource {
  const { name, issuer, subject, audiences } = credential
  return {
    id: `${identity.id.replace(/\/resourceGroups\//i, '/resourcegroups/')}/federatedIdentityCredentials/${name}`,
    name,
    type: TYPE,
    properties: { issuer, subject, audiences },
  }
}

function badRequest(message: string): ArmError {
  return new ArmError(400, { code: 'BadRequest', message })
}
