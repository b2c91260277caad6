import type { ContainerGroupRecord, ContainerSpec, ContainerView, GroupIdentity } from './types.ts'

/** The ids that an answer shows for an identity of the group. */
export interface IdentityLookup {
  readonly tenantId: string
  userAssigned(id: string): { readonly principalId: string; readonly clientId: string } | undefined
}

export interface ViewOptions {
  /** Lists leave out what runs: container and group instance views. */
  readonly instanceView: boolean
}

/** A container group as Azure Resource Manager shows it. Secrets never come back. */
export function viewGroup(record: ContainerGroupRecord, identities: IdentityLookup, options: ViewOptions): object {
  const { id, name, spec, provisioningState, state, events, views, ip } = record
  const container = (item: ContainerSpec) => viewContainer(item, options.instanceView ? views[item.name] : undefined)
  return {
    properties: {
      sku: spec.sku,
      provisioningState,
      provisioningTimeoutInSeconds: 1800,
      isCustomProvisioningTimeout: false,
      containers: spec.containers.map(container),
      initContainers: spec.initContainers.map(container),
      restartPolicy: spec.restartPolicy,
      osType: spec.osType,
      ...(spec.ipAddress !== undefined && {
        ipAddress: {
          ports: spec.ipAddress.ports,
          ...(ip !== undefined && { ip }),
          type: spec.ipAddress.type,
          ...(spec.ipAddress.dnsNameLabel !== undefined && {
            dnsNameLabel: spec.ipAddress.dnsNameLabel,
            fqdn: `${spec.ipAddress.dnsNameLabel}.${spec.location}.azurecontainer.io`,
          }),
        },
      }),
      ...spec.echoed,
      ...(spec.ccePolicy !== undefined && { confidentialComputeProperties: { ccePolicy: spec.ccePolicy } }),
      ...(options.instanceView && { instanceView: { events, state } }),
    },
    ...(spec.identity !== undefined && { identity: viewIdentity(spec.identity, identities) }),
    id,
    name,
    type: 'Microsoft.ContainerInstance/containerGroups',
    location: spec.location,
    ...(spec.tags !== undefined && { tags: spec.tags }),
    ...(spec.zones !== undefined && { zones: spec.zones }),
  }
}

function viewContainer(spec: ContainerSpec, view: ContainerView | undefined): object {
  const { currentState, previousState, events = [], restartCount } = view ?? {}
  return {
    name: spec.name,
    properties: {
      image: spec.image,
      ...(spec.command !== undefined && { command: spec.command }),
      ports: spec.ports,
      environmentVariables: spec.environmentVariables.map(({ name, value, secure }) => {
        return secure ? { name } : { name, value }
      }),
      // The whole view is absent until the container was started.
      ...(currentState !== undefined && {
        instanceView: { restartCount, currentState, ...(previousState !== undefined && { previousState }), events },
      }),
      ...(spec.resources !== undefined && { resources: spec.resources }),
      ...spec.echoed,
    },
  }
}

function viewIdentity(identity: GroupIdentity, lookup: IdentityLookup): object {
  const assigned = identity.userAssigned.map((id) => [id, lookup.userAssigned(id) ?? {}] as const)
  return {
    ...(identity.principalId !== undefined && { principalId: identity.principalId, tenantId: lookup.tenantId }),
    type: identity.type,
    ...(assigned.length > 0 && { userAssignedIdentities: Object.fromEntries(assigned) }),
  }
}
