import { clients } from '../azure/clients.ts'
import { findGroupId } from '../azure/group-id.ts'
import { deepestMessage, errorIn, type NestedError } from '../azure/nested-error.ts'
import { OPERATION_TAG } from '../azure/operation-id.ts'
import { done, found, refused, statusOf } from '../azure/outcome.ts'
import { activity } from './activity.ts'

interface DeploymentName {
  readonly subscriptionId: string
  readonly resourceGroup: string
  readonly deploymentName: string
}

interface TemplateInput extends DeploymentName {
  readonly template: Record<string, unknown>
  readonly parameters: Record<string, { readonly value: unknown }>
}

/** Lets ARM check the template without deploying it, and say which container group it would make. */
export const validateTemplate = activity<TemplateInput, { readonly groupId?: string }>(
  'validateTemplate',
  async ({ subscriptionId, resourceGroup, deploymentName, template, parameters }) => {
    // The client counts 400 among the answers, and then its poller reports only that something failed.
    let refusal: NestedError | undefined
    try {
      const { error, properties } = await clients.deployments(subscriptionId).deployments.validate(
        resourceGroup,
        deploymentName,
        { properties: { mode: 'Incremental', template, parameters } },
        {
          onResponse: ({ status, bodyAsText }) => {
            if (status === 400) refusal = errorIn(bodyAsText)
          },
        },
      )
      if (error) return refused(error.code ?? 'InvalidTemplate', deepestMessage(error))
      const groupId = findGroupId(properties?.validatedResources)
      return done({ ...(groupId && { groupId }) })
    } catch (error) {
      if (!refusal) throw error
      return refused(refusal.code ?? 'InvalidTemplate', deepestMessage(refusal))
    }
  },
)

interface StartInput extends TemplateInput {
  /** Names this run: the deployment carries it as a tag, and a repetition that finds it there starts no second one. */
  readonly operation: string
}

/** Hands the template to ARM and returns when ARM has taken it. */
export const startDeployment = activity<StartInput, null>('startDeployment', async (input) => {
  const { resourceGroup, deploymentName, operation, template, parameters } = input
  const { deployments } = clients.deployments(input.subscriptionId)
  const current = await found(() => deployments.get(resourceGroup, deploymentName))
  if (current?.tags?.[OPERATION_TAG] === operation) return done(null)
  const poller = deployments.createOrUpdate(resourceGroup, deploymentName, {
    tags: { [OPERATION_TAG]: operation },
    properties: { mode: 'Incremental', template, parameters },
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

export const readDeployment = activity<DeploymentName, DeploymentView>(
  'readDeployment',
  async ({ subscriptionId, resourceGroup, deploymentName }) => {
    const { properties } = await clients.deployments(subscriptionId).deployments.get(resourceGroup, deploymentName)
    const groupId = findGroupId(properties?.outputResources)
    const failure = properties?.error ? deepestMessage(properties.error) : undefined
    return done({
      state: properties?.provisioningState ?? 'Unknown',
      ...(failure && { failure }),
      ...(groupId && { groupId }),
    })
  },
)

/** Keeps ARM from going on with a deployment that is given up; one that has ended is left as it is. */
export const cancelDeployment = activity<DeploymentName, null>(
  'cancelDeployment',
  async ({ subscriptionId, resourceGroup, deploymentName }) => {
    try {
      await clients.deployments(subscriptionId).deployments.cancel(resourceGroup, deploymentName)
    } catch (error) {
      if (statusOf(error) !== 409 && statusOf(error) !== 404) throw error
    }
    return done(null)
  },
)

export function isTerminal(provisioningState: string | undefined): boolean {
  return /^(succeeded|failed|canceled)$/i.test(provisioningState ?? '')
}
