import { aciErrors } from './errors.ts'
import type { ImageCatalogue } from './images.ts'
import type { ContainerGroupSpec, ContainerSpec } from './types.ts'

/**
 * What an update may change: image, command, environment, policy, tags and identities. The rest needs a new group.
 * @throws ContainerGroupError 400 InvalidContainerGroupUpdate
 */
export function refuseImmutableChanges(group: string, before: ContainerGroupSpec, after: ContainerGroupSpec): void {
  if (JSON.stringify(fixedPart(before)) !== JSON.stringify(fixedPart(after))) throw aciErrors.invalidUpdate(group)
}

function fixedPart(spec: ContainerGroupSpec): unknown {
  const size = ({ name, resources, ports }: ContainerSpec) => ({ name, resources, ports })
  return {
    location: spec.location,
    osType: spec.osType,
    sku: spec.sku,
    restartPolicy: spec.restartPolicy,
    ipAddress: spec.ipAddress,
    subnetIds: spec.echoed.subnetIds,
    containers: spec.containers.map(size),
  }
}

/** Whether the containers have to be made anew, and with them the guest. */
export function needsNewGuest(before: ContainerGroupSpec, after: ContainerGroupSpec): boolean {
  const part = (spec: ContainerGroupSpec) =>
    JSON.stringify({
      containers: spec.containers,
      initContainers: spec.initContainers,
      ccePolicy: spec.ccePolicy,
      volumes: spec.echoed.volumes,
    })
  return part(before) !== part(after)
}

/**
 * What this machine can run: confidential Linux groups whose images the catalogue knows.
 * @throws ContainerGroupError 400 InaccessibleImage, 501 SkerryNotCovered
 */
export function refuseWhatCannotRun(group: string, spec: ContainerGroupSpec, images: ImageCatalogue): void {
  for (const { image, command } of [...spec.containers, ...spec.initContainers]) {
    if (images(image, command) === undefined) throw aciErrors.inaccessibleImage(image, group)
  }
  if (spec.osType !== 'Linux') throw aciErrors.notCovered('Windows containers', group)
  if (spec.sku !== 'Confidential') throw aciErrors.notCovered(`groups of the ${spec.sku} sku`, group)
}

/** An address of TEST-NET-3 (RFC 5737), the same for the same group: an output may name it, and it leads nowhere. */
export function addressOf(id: string): string {
  let sum = 0
  for (const character of id.toLowerCase()) sum = (sum * 31 + character.charCodeAt(0)) % 253
  return `203.0.113.${sum + 1}`
}
