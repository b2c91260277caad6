import type { Collection, EmulatorContext } from '../core/index.ts'

/** A subscription that exists here: collection `armSubscriptions`, key: its lower-case GUID. */
export interface SubscriptionRecord {
  readonly subscriptionId: string
  readonly displayName: string
}

export function subscriptionsOf(ctx: Pick<EmulatorContext, 'store'>): Collection<SubscriptionRecord> {
  return ctx.store.collection('armSubscriptions')
}

export function viewSubscription({ subscriptionId, displayName }: SubscriptionRecord, tenantId: string) {
  return {
    id: `/subscriptions/${subscriptionId}`,
    authorizationSource: 'RoleBased',
    managedByTenants: [],
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
