export interface GroupName {
  readonly subscriptionId: string
  readonly resourceGroup: string
  readonly name: string
}

/** The parts of a container group's ARM id; undefined for the id of anything else. */
export function parseGroupId(id: string): GroupName | undefined {
  const match =
    /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/Microsoft\.ContainerInstance\/containerGroups\/([^/]+)$/i.exec(
      id,
    )
  return match ? { subscriptionId: match[1]!, resourceGroup: match[2]!, name: match[3]! } : undefined
}

/** The container group among the resources that ARM lists. */
export function findGroupId(resources: readonly { readonly id?: string }[] | undefined): string | undefined {
  return resources?.find(({ id }) => id !== undefined && parseGroupId(id) !== undefined)?.id
}

/** ARM ids compare without case. */
export function sameId(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
