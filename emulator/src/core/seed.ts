import { createHash } from 'node:crypto'
import type { Random, Seed } from './context.ts'
import { COLLECTIONS, type ServicePrincipalRecord } from './resources.ts'
import type { Store } from './store.ts'

/** A tenant, a subscription and an administrator that no other instance has. */
export function createSeed(random: Random): Seed {
  return {
    tenantId: random.uuid(),
    subscriptionId: random.uuid(),
    admin: {
      clientId: random.uuid(),
      objectId: random.uuid(),
      // Entra's own client secrets are 40 characters of a URL-safe alphabet; so is this one.
      clientSecret: random.bytes(30).toString('base64url'),
    },
  }
}

/** Makes the seeded administrator known to Entra, once. What it may do is the resource manager's business. */
export function plantSeed(store: Store, seed: Seed): void {
  const principals = store.collection<ServicePrincipalRecord>(COLLECTIONS.servicePrincipals)
  if (principals.has(seed.admin.objectId)) return
  principals.put(seed.admin.objectId, {
    objectId: seed.admin.objectId,
    clientId: seed.admin.clientId,
    displayName: 'skerry-admin',
    kind: 'application',
    clientSecretSha256: createHash('sha256').update(seed.admin.clientSecret).digest('hex'),
  })
}
