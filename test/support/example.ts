import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './skerry.ts'

/** A body of `POST /api/deployments`; tests reach in and break it. */
export interface DeploymentBody {
  [member: string]: unknown
  name: string
  resourceGroup: string
  location: string
  template: ExampleTemplate
  importKeyConfig: ExampleConfig
}

export interface ExampleTemplate {
  [member: string]: unknown
  resources: ExampleGroup[]
}

interface ExampleGroup {
  [member: string]: unknown
  identity: { userAssignedIdentities: Record<string, unknown> }
  properties: {
    [member: string]: unknown
    confidentialComputeProperties: { ccePolicy: string }
    containers: { name: string; properties: ExampleContainer }[]
  }
}

interface ExampleContainer {
  [member: string]: unknown
  image: string
  environmentVariables: { name: string; value?: string; secureValue?: string }[]
}

export interface ExampleConfig {
  [member: string]: unknown
  key: {
    [member: string]: unknown
    kid: string
    kty: string
    authority: { endpoint: string }
    akv: { endpoint: string; bearer_token?: string }
  }
  claims: { claim: string; equals: unknown }[][]
}

export interface Names {
  readonly name: string
  readonly resourceGroup?: string
  /** Default: that of the example. */
  readonly vaultHost?: string
  readonly authority?: string
  readonly kid?: string
  readonly kty?: string
}

const example = (file: string): unknown => JSON.parse(readFileSync(join(ROOT, 'examples/skr-aci', file), 'utf8'))

/** The repository's own example under other names: group, identity and key are called after the deployment. */
export function exampleBody({ name, resourceGroup = 'rg', ...names }: Names): DeploymentBody {
  const template = example('template.json') as ExampleTemplate
  const importKeyConfig = example('importkeyconfig.json') as ExampleConfig
  const { key } = importKeyConfig
  key.kid = names.kid ?? name
  key.kty = names.kty ?? key.kty
  key.akv.endpoint = names.vaultHost ?? key.akv.endpoint
  key.authority.endpoint = names.authority ?? key.authority.endpoint
  const group = groupOf(template)
  group.name = name
  delete template.outputs
  const identity = `[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', '${name}')]`
  group.identity.userAssignedIdentities = { [identity]: {} }
  for (const { properties } of group.properties.containers) {
    for (const variable of properties.environmentVariables) {
      if (variable.name === 'SkrClientKID') variable.value = key.kid
      if (variable.name === 'SkrClientAKVEndpoint') variable.value = key.akv.endpoint
      if (variable.name.endsWith('MAAEndpoint')) variable.value = key.authority.endpoint
    }
    // The clients try again soon, so that a wait is over as soon as it can be.
    properties.environmentVariables.push({ name: 'SkrClientInterval', value: '0.5' })
  }
  return { name, resourceGroup, location: 'westeurope', template, importKeyConfig }
}

export function groupOf(template: ExampleTemplate): ExampleGroup {
  return template.resources[0]!
}

/** The same template under another CCE policy. */
export function withPolicy(template: ExampleTemplate, text: string): ExampleTemplate {
  const copy = structuredClone(template)
  groupOf(copy).properties.confidentialComputeProperties.ccePolicy = Buffer.from(text).toString('base64')
  return copy
}
