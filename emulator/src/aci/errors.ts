/** What Microsoft.ContainerInstance answers when it refuses a request: `{error:{code,message}}` under this status. */
export class ContainerGroupError extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'ContainerGroupError'
    this.status = status
    this.code = code
  }
}

/** Azure's table of container group errors (Container instances REST reference and public reports). */
export const aciErrors = {
  inaccessibleImage: (image: string, group: string) =>
    new ContainerGroupError(
      400,
      'InaccessibleImage',
      `The image '${image}' in container group '${group}' is not accessible. Please check the image and registry credential.`,
    ),
  invalidUpdate: (group: string) =>
    new ContainerGroupError(
      400,
      'InvalidContainerGroupUpdate',
      `The updates on container group '${group}' are invalid. If you are going to update the os type, restart policy, network profile, CPU, memory or GPU resources for a container group, you must delete it first and then create a new one.`,
    ),
  transitioning: (group: string) =>
    new ContainerGroupError(
      409,
      'ContainerGroupTransitioning',
      `The container group '${group}' is still transitioning, please retry later.`,
    ),
  noCapacity: (location: string, occupant: string) =>
    new ContainerGroupError(
      409,
      'ServiceUnavailable',
      `The requested resource is not available in the location '${location}' at this moment. This machine gives container groups no network of their own, so one runs at a time, and '${occupant}' does.`,
    ),
  notCovered: (what: string, group: string) =>
    new ContainerGroupError(501, 'SkerryNotCovered', `Skerry does not run ${what} (container group '${group}').`),
  notFound: (group: string) =>
    new ContainerGroupError(404, 'ResourceNotFound', `The container group '${group}' was not found.`),
  missing: (property: string, owner: string) =>
    new ContainerGroupError(
      400,
      'MissingRequiredProperty',
      `The required property '${property}' of ${owner} is missing.`,
    ),
  invalid: (property: string, owner: string, why: string) =>
    new ContainerGroupError(400, 'InvalidProperty', `The property '${property}' of ${owner} is invalid: ${why}.`),
  containerNotFound: (container: string, group: string) =>
    new ContainerGroupError(
      404,
      'ContainerNotFound',
      `The container '${container}' was not found in container group '${group}'.`,
    ),
}
