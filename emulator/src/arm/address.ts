/** Where in Azure a request points. Names keep the case of the request; everything is compared without case. */
export interface ArmAddress {
  /** The path without doubled or trailing slashes, decoded. */
  readonly path: string
  readonly subscriptionId?: string
  readonly resourceGroup?: string
  /** Of the last `providers` segment: `Microsoft.KeyVault`. */
  readonly namespace?: string
  /** `vaults`, `keys`: one more than names when the request asks for a list. */
  readonly types: readonly string[]
  readonly names: readonly string[]
  /** What stands before the last `providers` segment: the scope of an extension resource. */
  readonly scope: string
}

export function parseAddress(pathname: string): ArmAddress {
  const segments = pathname
    .split('/')
    .filter((segment) => segment !== '')
    .map(decode)
  const valueAfter = (name: string, at: number) => (segments[at]?.toLowerCase() === name ? segments[at + 1] : undefined)
  const subscriptionId = valueAfter('subscriptions', 0)
  const resourceGroup = subscriptionId === undefined ? undefined : valueAfter('resourcegroups', 2)
  const providers = segments.findLastIndex((segment) => segment.toLowerCase() === 'providers')
  const tail = providers < 0 ? [] : segments.slice(providers + 2)
  const namespace = providers < 0 ? undefined : segments[providers + 1]
  return {
    path: `/${segments.join('/')}`,
    ...(subscriptionId !== undefined && { subscriptionId }),
    ...(resourceGroup !== undefined && { resourceGroup }),
    ...(namespace !== undefined && { namespace }),
    types: tail.filter((_, at) => at % 2 === 0),
    names: tail.filter((_, at) => at % 2 === 1),
    scope: `/${segments.slice(0, providers < 0 ? segments.length : providers).join('/')}`,
  }
}

function decode(segment: string): string {
  try {
    const name = decodeURIComponent(segment)
    // A slash would make one name look like the path of another resource, to whoever compares scopes.
    return name.includes('/') ? segment : name
  } catch {
    return segment
  }
}

export function groupId(subscriptionId: string, resourceGroup: string): string {
  return `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}`
}

/** The parts of an ARM id of a top-level resource in a group; undefined when it is not one. */
export function splitResourceId(
  id: string,
): { group: string; resourceGroup: string; type: string; name: string } | undefined {
  const address = parseAddress(id)
  const { subscriptionId, resourceGroup, namespace, types, names } = address
  if (subscriptionId === undefined || resourceGroup === undefined || namespace === undefined) return undefined
  if (types.length === 0 || types.length !== names.length) return undefined
  return {
    group: groupId(subscriptionId, resourceGroup),
    resourceGroup,
    type: `${namespace}/${types.join('/')}`,
    name: names.join('/'),
  }
}
