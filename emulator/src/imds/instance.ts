import type { Caller, EmulatorContext } from '../core/index.ts'

/** What the instance metadata says of the caller: the parts that a container group or a developer's machine has. */
export function instanceMetadata(ctx: EmulatorContext, caller: Caller): Record<string, unknown> {
  const [, , subscriptionId, , resourceGroupName, , , , name] = caller.containerGroupId?.split('/') ?? []
  return {
    compute: {
      azEnvironment: 'AzurePublicCloud',
      name: name ?? '',
      osType: 'Linux',
      provider: caller.containerGroupId === undefined ? 'Microsoft.Compute' : 'Microsoft.ContainerInstance',
      resourceGroupName: resourceGroupName ?? '',
      resourceId: caller.containerGroupId ?? '',
      subscriptionId: subscriptionId ?? ctx.seed.subscriptionId,
    },
  }
}
