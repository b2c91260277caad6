import type { Fault } from '../problem.ts'
import { resolveText, type TemplateScope } from './expression.ts'
import { isObject } from './secrets.ts'

/** The variable that names the key in the key-release container of the open-source SKR sidecar's example. */
export const KID_VARIABLE = 'SkrClientKID'
const VAULT_VARIABLE = 'SkrClientAKVEndpoint'
const MAA_VARIABLE = 'SkrClientMAAEndpoint'
/** The variable in which that container finds a ciphertext to open with the released key, as a proof that it has it. */
export const PROOF_VARIABLE = 'SkrClientProof'

const GROUP_TYPE = 'microsoft.containerinstance/containergroups'

/** What a template says about the things that must fit together for a release. */
export interface TemplateReading {
  /** Pointer to the container group resource, below `/template`. */
  readonly groupPointer: string
  /** Standard base64 of the CCE policy. */
  readonly ccePolicy: string
  /** ARM id of the user-assigned identity that the group runs as. */
  readonly identityId: string
  /** The container that asks for the key. */
  readonly keyReleaseContainer: string
  readonly kid: string
  readonly vaultHost: string
  readonly maaHost: string
}

/** Reads a template; every fault that is found is told, not the first one. */
export function readTemplate(scope: TemplateScope): { reading?: TemplateReading; faults: Fault[] } {
  const faults: Fault[] = []
  const fault = (code: string, pointer: string, detail: string) => faults.push({ code, pointer, detail })

  const groups = resourcesOf(scope.template).filter(
    ({ resource }) => String(resource.type).toLowerCase() === GROUP_TYPE,
  )
  if (groups.length !== 1) {
    fault('ERR_TEMPLATE_GROUP', '/template/resources', `must hold one container group, holds ${groups.length}`)
    return { faults }
  }
  const { resource, pointer } = groups[0]!
  const properties = isObject(resource.properties) ? resource.properties : {}

  const sku = properties.sku ?? resource.sku
  if (String(sku).toLowerCase() !== 'confidential') {
    fault('ERR_TEMPLATE_SKU', `${pointer}/properties/sku`, 'must be Confidential: no other group can attest')
  }
  const ccePolicy = readPolicy(properties, pointer, scope, fault)
  const identityId = readIdentity(resource, pointer, scope, fault)
  const client = readClient(properties, pointer, scope, fault)

  if (faults.length > 0 || ccePolicy === undefined || identityId === undefined || client === undefined)
    return { faults }
  return { faults, reading: { groupPointer: pointer, ccePolicy, identityId, ...client } }
}

/** A copy of the template whose key-release container holds `proof` as its proof variable. */
export function withProof(
  template: Record<string, unknown>,
  reading: TemplateReading,
  proof: string,
): Record<string, unknown> {
  const copy = structuredClone(template)
  for (const { resource } of resourcesOf(copy)) {
    if (String(resource.type).toLowerCase() !== GROUP_TYPE || !isObject(resource.properties)) continue
    for (const container of asArray(resource.properties.containers)) {
      if (!isObject(container) || container.name !== reading.keyReleaseContainer || !isObject(container.properties))
        continue
      const variables = asArray(container.properties.environmentVariables).filter(
        (variable) => !(isObject(variable) && variable.name === PROOF_VARIABLE),
      )
      container.properties.environmentVariables = [...variables, { name: PROOF_VARIABLE, value: proof }]
    }
  }
  return copy
}

type Report = (code: string, pointer: string, detail: string) => void

function readPolicy(
  properties: Record<string, unknown>,
  pointer: string,
  scope: TemplateScope,
  fault: Report,
): string | undefined {
  const at = `${pointer}/properties/confidentialComputeProperties/ccePolicy`
  const holder = properties.confidentialComputeProperties
  const text = isObject(holder) ? holder.ccePolicy : undefined
  if (typeof text !== 'string' || text === '') {
    fault('ERR_TEMPLATE_POLICY', at, 'is missing: without a CCE policy there is no host data to release a key to')
    return undefined
  }
  const policy = resolveText(text, scope)
  if (policy === undefined) {
    fault('ERR_TEMPLATE_EXPRESSION', at, 'must be the policy itself or a parameter that holds it')
    return undefined
  }
  // Strict: a policy that this app reads more leniently than the platform would give another host data.
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(policy)) {
    fault('ERR_TEMPLATE_POLICY', at, 'is not standard base64 (A-Z a-z 0-9 + / with padding, no line breaks)')
    return undefined
  }
  return policy
}

function readIdentity(
  resource: Record<string, unknown>,
  pointer: string,
  scope: TemplateScope,
  fault: Report,
): string | undefined {
  const at = `${pointer}/identity/userAssignedIdentities`
  const identity = isObject(resource.identity) ? resource.identity : {}
  const assigned = isObject(identity.userAssignedIdentities) ? Object.keys(identity.userAssignedIdentities) : []
  if (assigned.length !== 1) {
    fault('ERR_TEMPLATE_IDENTITY', at, `must name one user-assigned identity, names ${assigned.length}`)
    return undefined
  }
  const id = resolveText(assigned[0]!, scope)
  if (id === undefined || !parseIdentityId(id)) {
    fault('ERR_TEMPLATE_IDENTITY', at, 'must be the full resource id of an identity, or resourceId(type, name)')
    return undefined
  }
  if (parseIdentityId(id)!.subscriptionId.toLowerCase() !== scope.subscriptionId.toLowerCase()) {
    fault('ERR_TEMPLATE_IDENTITY', at, `must lie in the subscription of this app, ${scope.subscriptionId}`)
    return undefined
  }
  return id
}

/** The parts of a user-assigned identity's ARM id. */
export function parseIdentityId(
  id: string,
): { subscriptionId: string; resourceGroup: string; name: string } | undefined {
  const match =
    /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/Microsoft\.ManagedIdentity\/userAssignedIdentities\/([^/]+)$/i.exec(
      id,
    )
  return match ? { subscriptionId: match[1]!, resourceGroup: match[2]!, name: match[3]! } : undefined
}

function readClient(properties: Record<string, unknown>, pointer: string, scope: TemplateScope, fault: Report) {
  const at = `${pointer}/properties/containers`
  const clients = asArray(properties.containers).flatMap((container, index) => {
    const variables =
      isObject(container) && isObject(container.properties) ? asArray(container.properties.environmentVariables) : []
    return variables.some((variable) => isObject(variable) && variable.name === KID_VARIABLE)
      ? [
          {
            name: String((container as Record<string, unknown>).name),
            variables,
            pointer: `${at}/${index}/properties/environmentVariables`,
          },
        ]
      : []
  })
  if (clients.length !== 1) {
    fault(
      'ERR_TEMPLATE_CLIENT',
      at,
      `one container must ask for the key (variable ${KID_VARIABLE}), found ${clients.length}`,
    )
    return undefined
  }
  const client = clients[0]!
  const read = (name: string): string | undefined => {
    const variable = client.variables.find((item) => isObject(item) && item.name === name)
    const value =
      isObject(variable) && typeof variable.value === 'string' ? resolveText(variable.value, scope) : undefined
    if (!value)
      fault('ERR_TEMPLATE_CLIENT', client.pointer, `the variable ${name} must have a value that this app can read`)
    return value
  }
  const kid = read(KID_VARIABLE)
  const vaultHost = read(VAULT_VARIABLE)
  const maaHost = read(MAA_VARIABLE)
  if (kid === undefined || vaultHost === undefined || maaHost === undefined) return undefined
  return { keyReleaseContainer: client.name, kid, vaultHost, maaHost }
}

/** Resources in either form of the template language: an array, or (languageVersion 2.0) a map. */
function resourcesOf(template: Record<string, unknown>): { resource: Record<string, unknown>; pointer: string }[] {
  const { resources } = template
  const entries: [string, unknown][] = Array.isArray(resources)
    ? resources.map((resource, index) => [String(index), resource])
    : isObject(resources)
      ? Object.entries(resources)
      : []
  return entries.flatMap(([key, resource]) =>
    isObject(resource) ? [{ resource, pointer: `/template/resources/${key}` }] : [],
  )
}

function asArray(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
