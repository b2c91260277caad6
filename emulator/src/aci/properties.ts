import { aciErrors, ContainerGroupError } from './errors.ts'
import { allowAllPolicy, decodeCcePolicy } from './policy.ts'
import type {
  ContainerGroupSpec,
  ContainerPort,
  ContainerResources,
  ContainerSpec,
  EnvironmentVariable,
  GroupIdentity,
  IpAddressSpec,
} from './types.ts'

type Json = Readonly<Record<string, unknown>>

export interface ParsedGroup {
  readonly spec: ContainerGroupSpec
  /** Values of secure variables by `container/NAME`: for memory only. */
  readonly secureValues: ReadonlyMap<string, string>
}

/** The naming rules say lower case; Microsoft's own example of the SKR sidecar deploys a group named `aciSKRSidecarTest`. */
const GROUP_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/

/**
 * Reads the body of a PUT (Microsoft.ContainerInstance/containerGroups, 2021-10-01 and later) into one spelling.
 * Numbers may be strings and `memoryInGb` may stand for `memoryInGB`, as templates have them.
 * @throws ContainerGroupError 400 naming the property
 */
export function parseContainerGroup(group: string, body: unknown): ParsedGroup {
  const owner = `container group '${group}'`
  if (!GROUP_NAME.test(group)) {
    throw aciErrors.invalid('name', owner, 'it must have 1 to 63 letters, digits or hyphens')
  }
  const envelope = objectOf(body, 'the request body', owner)
  const properties = objectOf(envelope.properties ?? missing('properties', owner), 'properties', owner)
  const secureValues = new Map<string, string>()
  const sku = oneOf(properties.sku ?? 'Standard', ['Standard', 'Dedicated', 'Confidential'], 'sku', owner)
  const confidential = objectOf(properties.confidentialComputeProperties ?? {}, 'confidentialComputeProperties', owner)
  const containers = listOf(properties.containers ?? missing('containers', owner), 'containers', owner)
  if (containers.length === 0) throw aciErrors.missing('containers', owner)
  const initContainers = listOf(properties.initContainers ?? [], 'initContainers', owner)
  const specs = containers.map((item) => parseContainer(item, owner, secureValues, true))
  const initSpecs = initContainers.map((item) => parseContainer(item, owner, secureValues, false))
  refuseDuplicates([...specs, ...initSpecs], group)
  const { identity, ipAddress, ccePolicy } = {
    identity: parseIdentity(envelope.identity, owner),
    ipAddress: parseIpAddress(properties.ipAddress, owner),
    ccePolicy: sku === 'Confidential' ? policyOf(confidential, group) : undefined,
  }
  const zones = envelope.zones === undefined ? undefined : listOf(envelope.zones, 'zones', owner).map(String)
  return {
    secureValues,
    spec: {
      location: normalLocation(stringOf(envelope.location ?? missing('location', owner), 'location', owner)),
      ...(envelope.tags != null && { tags: tagsOf(envelope.tags, owner) }),
      ...(zones !== undefined && { zones }),
      ...(identity !== undefined && { identity }),
      sku,
      osType: oneOf(properties.osType ?? missing('osType', owner), ['Linux', 'Windows'], 'osType', owner),
      restartPolicy: oneOf(
        properties.restartPolicy ?? 'Always',
        ['Always', 'OnFailure', 'Never'],
        'restartPolicy',
        owner,
      ),
      containers: specs,
      initContainers: initSpecs,
      ...(ipAddress !== undefined && { ipAddress }),
      ...(ccePolicy !== undefined && { ccePolicy }),
      echoed: echoedGroup(properties),
    },
  }
}

function policyOf(confidential: Json, group: string): string {
  const { ccePolicy } = confidential
  if (ccePolicy === undefined || ccePolicy === null || ccePolicy === '') {
    return Buffer.from(allowAllPolicy()).toString('base64')
  }
  const text = stringOf(ccePolicy, 'confidentialComputeProperties.ccePolicy', `container group '${group}'`)
  decodeCcePolicy(text, group)
  return text
}

function parseContainer(item: unknown, owner: string, secure: Map<string, string>, main: boolean): ContainerSpec {
  const container = objectOf(item, 'containers[]', owner)
  const name = stringOf(container.name ?? missing('name', `a container of ${owner}`), 'name', `a container of ${owner}`)
  const self = `container '${name}'`
  if (!NAME.test(name)) {
    throw aciErrors.invalid('name', self, 'it must have 1 to 63 lower-case letters, digits or hyphens')
  }
  const properties = objectOf(container.properties ?? missing('properties', self), 'properties', self)
  const image = stringOf(properties.image ?? missing('image', self), 'image', self)
  const command =
    properties.command == null
      ? undefined
      : listOf(properties.command, 'command', self).map((word) => stringOf(word, 'command', self))
  const resources = parseResources(properties.resources, self, main)
  const echoed: Record<string, unknown> = {}
  for (const key of ['volumeMounts', 'livenessProbe', 'readinessProbe', 'securityContext'] as const) {
    if (properties[key] !== undefined) echoed[key] = properties[key]
  }
  return {
    name,
    image,
    ...(command !== undefined && command.length > 0 && { command }),
    environmentVariables: listOf(properties.environmentVariables ?? [], 'environmentVariables', self).map((variable) =>
      parseVariable(variable, name, secure),
    ),
    ports: parsePorts(properties.ports ?? [], self),
    ...(resources !== undefined && { resources }),
    echoed,
  }
}

function parseVariable(item: unknown, container: string, secure: Map<string, string>): EnvironmentVariable {
  const self = `container '${container}'`
  const variable = objectOf(item, 'environmentVariables[]', self)
  const name = stringOf(
    variable.name ?? missing('environmentVariables[].name', self),
    'environmentVariables[].name',
    self,
  )
  if (!VARIABLE_NAME.test(name)) {
    throw aciErrors.invalid(`environmentVariables[${name}]`, self, 'a name has 1 to 63 letters, digits or underscores')
  }
  if (variable.secureValue != null) {
    secure.set(
      `${container}/${name}`,
      stringOf(variable.secureValue, `environmentVariables[${name}].secureValue`, self),
    )
    return { name, secure: true }
  }
  const { value = '' } = variable
  return { name, value: value === null ? '' : stringOf(value, `environmentVariables[${name}].value`, self) }
}

function parseResources(value: unknown, self: string, main: boolean): ContainerResources | undefined {
  if (value == null) {
    if (main) throw aciErrors.missing('resources.requests', self)
    return undefined
  }
  const resources = objectOf(value, 'resources', self)
  const requests = objectOf(resources.requests ?? missing('resources.requests', self), 'resources.requests', self)
  const limits = resources.limits == null ? undefined : objectOf(resources.limits, 'resources.limits', self)
  const cpu = numberOf(requests.cpu ?? missing('resources.requests.cpu', self), 'resources.requests.cpu', self)
  const memory = requests.memoryInGB ?? requests.memoryInGb ?? missing('resources.requests.memoryInGB', self)
  const limitCpu = limits?.cpu
  const limitMemory = limits?.memoryInGB ?? limits?.memoryInGb
  return {
    requests: { cpu, memoryInGB: numberOf(memory, 'resources.requests.memoryInGB', self) },
    ...(limits !== undefined && {
      limits: {
        ...(limitCpu != null && { cpu: numberOf(limitCpu, 'resources.limits.cpu', self) }),
        ...(limitMemory != null && { memoryInGB: numberOf(limitMemory, 'resources.limits.memoryInGB', self) }),
      },
    }),
  }
}

function parsePorts(value: unknown, self: string): ContainerPort[] {
  return listOf(value, 'ports', self).map((item) => {
    const entry = objectOf(item, 'ports[]', self)
    const port = numberOf(entry.port ?? missing('ports[].port', self), 'ports[].port', self)
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw aciErrors.invalid('ports[].port', self, `${port}`)
    const protocol =
      entry.protocol == null ? undefined : oneOf(entry.protocol, ['TCP', 'UDP'], 'ports[].protocol', self)
    return { port, ...(protocol !== undefined && { protocol }) }
  })
}

function parseIpAddress(value: unknown, owner: string): IpAddressSpec | undefined {
  if (value == null) return undefined
  const address = objectOf(value, 'ipAddress', owner)
  const label = address.dnsNameLabel
  return {
    type: oneOf(address.type ?? missing('ipAddress.type', owner), ['Public', 'Private'], 'ipAddress.type', owner),
    ports: parsePorts(address.ports ?? missing('ipAddress.ports', owner), owner),
    ...(label != null && { dnsNameLabel: stringOf(label, 'ipAddress.dnsNameLabel', owner) }),
  }
}

function parseIdentity(value: unknown, owner: string): GroupIdentity | undefined {
  if (value == null) return undefined
  const identity = objectOf(value, 'identity', owner)
  const types = ['SystemAssigned', 'UserAssigned', 'SystemAssigned, UserAssigned', 'None'] as const
  const assigned = objectOf(identity.userAssignedIdentities ?? {}, 'identity.userAssignedIdentities', owner)
  return {
    type: oneOf(identity.type ?? missing('identity.type', owner), types, 'identity.type', owner),
    userAssigned: Object.keys(assigned),
  }
}

/** What is echoed without effect; secrets in it are left out at once, as the service never gives them back. */
function echoedGroup(properties: Json): Json {
  const kept: Record<string, unknown> = {}
  for (const key of ['dnsConfig', 'subnetIds', 'priority'] as const) {
    if (properties[key] !== undefined) kept[key] = properties[key]
  }
  if (Array.isArray(properties.volumes)) kept.volumes = properties.volumes.map(withoutVolumeSecrets)
  if (Array.isArray(properties.imageRegistryCredentials)) {
    kept.imageRegistryCredentials = properties.imageRegistryCredentials.map((item: Json) =>
      omit(item, ['password', 'passwordReference']),
    )
  }
  return kept
}

function withoutVolumeSecrets(volume: Json): Json {
  const { azureFile, secret, ...rest } = volume
  return {
    ...rest,
    ...(azureFile != null && { azureFile: omit(azureFile as Json, ['storageAccountKey']) }),
    ...(secret != null && { secret: {} }),
  }
}

function omit(value: Json, keys: readonly string[]): Json {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)))
}

function refuseDuplicates(containers: readonly ContainerSpec[], group: string): void {
  const seen = new Set<string>()
  for (const { name } of containers) {
    if (seen.has(name)) {
      throw new ContainerGroupError(
        400,
        'DuplicateContainerName',
        `The container name '${name}' is used more than once in container group '${group}'.`,
      )
    }
    seen.add(name)
  }
}

function missing(property: string, owner: string): never {
  throw aciErrors.missing(property, owner)
}

function objectOf(value: unknown, property: string, owner: string): Json {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw aciErrors.invalid(property, owner, 'an object is expected')
  }
  return value as Json
}

function listOf(value: unknown, property: string, owner: string): readonly unknown[] {
  if (!Array.isArray(value)) throw aciErrors.invalid(property, owner, 'an array is expected')
  return value
}

function stringOf(value: unknown, property: string, owner: string): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'string') throw aciErrors.invalid(property, owner, 'a string is expected')
  return value
}

function numberOf(value: unknown, property: string, owner: string): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number) || number <= 0) {
    throw aciErrors.invalid(property, owner, 'a positive number is expected')
  }
  return number
}

function tagsOf(value: unknown, owner: string): Record<string, string> {
  const tags = objectOf(value, 'tags', owner)
  return Object.fromEntries(Object.entries(tags).map(([key, tag]) => [key, stringOf(tag, `tags.${key}`, owner)]))
}

/** `sku: "confidential"` is as good as `Confidential`; the answer has the documented spelling. */
function oneOf<const T extends string>(value: unknown, allowed: readonly T[], property: string, owner: string): T {
  const text = typeof value === 'string' ? value.toLowerCase().replaceAll(/,\s*/g, ', ') : undefined
  const found = allowed.find((candidate) => candidate.toLowerCase() === text)
  if (found === undefined) throw aciErrors.invalid(property, owner, `one of ${allowed.join(', ')} is expected`)
  return found
}

/** `West Europe` is `westeurope`. */
function normalLocation(location: string): string {
  return location.replaceAll(' ', '').toLowerCase()
}
