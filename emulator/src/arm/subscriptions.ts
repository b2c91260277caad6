import type { Collection, EmulatorContext } from '../core/index.ts'
import { DEFAULT_DOMAIN } from '../entra/index.ts'

/** A subscription that exists here: collection `armSubscriptions`, key: its lower-case GUID. */
export interface SubscriptionRecord {
  readonly subscriptionId: string
  readonly displayName: string
}

export function subscriptionsOf(ctx: Pick<EmulatorContext, 'store'>): Collection<SubscriptionRecord> {
  return ctx.store.collection('armSubscriptions')
}

/** From these api-versions on the answers have these members (Azure REST API, "Subscriptions" and "Tenants"). */
const TELLS_TENANTS = '2019-06-01'
const TELLS_TENANT_NAME = '2022-09-01'

export function viewTenant(tenantId: string, apiVersion: string) {
  const named = { displayName: 'Skerry', defaultDomain: DEFAULT_DOMAIN, tenantType: 'AAD' }
  return {
    id: `/tenants/${tenantId}`,
    tenantId,
    tenantCategory: 'Home',
    ...(apiVersion >= TELLS_TENANT_NAME && named),
  }
}

export function viewSubscription(
  { subscriptionId, displayName }: SubscriptionRecord,
  tenantId: string,
  apiVersion: string,
) {
  return {
    id: `/subscriptions/${subscriptionId}`,
    authorizationSource: 'RoleBased',
    ...(apiVersion >= TELLS_TENANTS && { managedByTenants: [], tags: {} }),
    subscriptionId,
    tenantId,
    displayName,
    state: 'Enabled',
    subscriptionPolicies: {
      locationPlacementId: 'Public_2014-09-01',
      quotaId: 'PayAsYouGo_2014-09-01',
      spendingLimit: 'Off',
    },
  }
}
