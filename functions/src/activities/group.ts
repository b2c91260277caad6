import { clients } from '../azure/clients.ts'
import { done, found, refused } from '../azure/outcome.ts'
import { activity } from './register.ts'

interface StartInput {
  readonly subscriptionId: string
  readonly resourceGroup: string
  readonly deploymentName: string
  readonly template: Record<string, unknown>
  readonly parameters: Record<string, { readonly value: unknown }>
}

/** Hands the template to ARM and returns when ARM has taken it. The same PUT again is the same deployment. */
export const startDeployment = activity<StartInput, null>('startDeployment', async (input) => {
  const { deployments } = clients.deployments(input.subscriptionId)
  const current = await found(() => deployments.get(input.resourceGroup, input.deploymentName))
  // An earlier delivery got through: ARM refuses a second PUT while the first one runs.
  if (current && !isTerminal(current.properties?.provisioningState)) return done(null)
  const poller = deployments.createOrUpdate(input.resourceGroup, input.deploymentName, {
    properties: { mode: 'Incremental', template: input.template, parameters: input.parameters },
  })
  await poller.submitted()
  return done(null)
})

export interface DeploymentView {
  readonly state: string
  readonly failure?: string
  /** ARM id of the container group that came out of it. */
  readonly groupId?: string
}

export const readDeployment = activity<
  { subscriptionId: string; resourceGroup: string; deploymentName: string },
  DeploymentView
>('readDeployment', async ({ subscriptionId, resourceGroup, deploymentName }) => {
  const { properties } = await clients.deployments(subscriptionId).deployments.get(resourceGroup, deploymentName)
  const groupId = properties?.outputResources?.find(({ id }) =>
    /\/Microsoft\.ContainerInstance\/containerGroups\//i.test(id ?? ''),
  )?.id
  const failure = properties?.error ? deepestMessage(properties.error) : undefined
  return done({
    state: properties?.provisioningState ?? 'Unknown',
    ...(failure && { failure }),
    ...(groupId && { groupId }),
  })
})

export interface GroupView {
  readonly provisioningState: string
  readonly state: string
  /** Containers that ended or never started, in words. */
  readonly trouble: readonly string[]
}

export const readGroup = activity<{ groupId: string }, GroupView | null>('readGroup', async ({ groupId }) => {
  const id = parseGroupId(groupId)
  if (!id) return refused('ERR_GROUP_ID', `not the id of a container group: ${groupId}`)
  const group = await found(() => clients.groups(id.subscriptionId).containerGroups.get(id.resourceGroup, id.name))
  if (!group) return done(null)
  const trouble = group.containers.flatMap(({ name, instanceView }) => {
    const { currentState } = instanceView ?? {}
    if (currentState?.state !== 'Terminated' && currentState?.state !== 'Waiting') return []
    return [`${name}: ${currentState.state} ${currentState.detailStatus ?? ''} ${currentState.exitCode ?? ''}`.trim()]
  })
  return done({
    provisioningState: group.provisioningState ?? 'Unknown',
    state: group.instanceView?.state ?? 'Unknown',
    trouble,
  })
})

/** Asks for the group's removal; one that is gone already counts as removed. */
export const deleteGroup = activity<{ groupId: string }, null>('deleteGroup', async ({ groupId }) => {
  const id = parseGroupId(groupId)
  if (!id) return refused('ERR_GROUP_ID', `not the id of a container group: ${groupId}`)
  const { containerGroups } = clients.groups(id.subscriptionId)
  if (await found(() => containerGroups.get(id.resourceGroup, id.name)))
    await containerGroups.beginDelete(id.resourceGroup, id.name)
  return done(null)
})

export function isTerminal(provisioningState: string | undefined): boolean {
  return /^(succeeded|failed|canceled)$/i.test(provisioningState ?? '')
}

export function parseGroupId(id: string): { subscriptionId: string; resourceGroup: string; name: string } | undefined {
  const match =
    /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/Microsoft\.ContainerInstance\/containerGroups\/([^/]+)$/i.exec(
      id,
    )
  return match ? { subscriptionId: match[1]!, resourceGroup: match[2]!, name: match[3]! } : undefined
}

interface NestedError {
  readonly code?: string
  readonly message?: string
  readonly details?: readonly NestedError[]
}

/** ARM nests the cause, sometimes as a JSON document in a message: the innermost one is what a person wants. */
export function deepestMessage(error: NestedError): string {
  const inner = error.details?.[0]
  if (inner) return deepestMessage(inner)
  const message = error.message ?? ''
  if (message.trimStart().startsWith('{')) {
    try {
      const parsed = JSON.parse(message) as { error?: NestedError }
      if (parsed.error) return deepestMessage(parsed.error)
    } catch {
      // Not JSON after all: the text itself is the message.
    }
  }
  return [error.code, message].filter(Boolean).join(': ')
}
