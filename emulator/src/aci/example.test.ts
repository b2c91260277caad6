import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseImportKeyConfig } from '@skerry/guest/wire'
import { expect, it } from 'vitest'
import { readTemplate, type Value } from '../arm/template/index.ts'
import { parseContainerGroup } from './properties.ts'

const file = (name: string) => readFileSync(new URL(`../../../examples/skr-aci/${name}`, import.meta.url), 'utf8')
const group = '/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/skerry-demo'

function exampleGroup() {
  const template = readTemplate({
    template: JSON.parse(file('template.json')) as Value,
    parameters: {},
    surroundings: {
      subscription: { id: '', subscriptionId: '0b1f6471-1bf0-4dda-aec3-111122223333', tenantId: 't', displayName: 'd' },
      resourceGroup: { id: group, name: 'skerry-demo', type: 'g', location: 'westeurope', tags: {} },
      deployment: { name: 'd', properties: {} },
    },
    now: () => new Date(0),
    newGuid: () => '',
  })
  const [resource] = template.resources
  const { spec } = parseContainerGroup(
    'skr-demo',
    template.body(resource!, () => null),
  )
  return { spec, outputs: template.outputs(() => null) }
}

const valueOfVariable = (name: string): string | undefined =>
  exampleGroup()
    .spec.containers.flatMap(({ environmentVariables }) => environmentVariables)
    .find((variable) => variable.name === name)?.value

it('The example template carries policy.rego, byte for byte', () => {
  expect(Buffer.from(exampleGroup().spec.ccePolicy ?? '', 'base64').toString('utf8')).toBe(file('policy.rego'))
})

it('The example configuration asks for the digest of policy.rego as host data', () => {
  const { claims } = parseImportKeyConfig(JSON.parse(file('importkeyconfig.json')))
  const hostData = createHash('sha256').update(file('policy.rego')).digest('hex')
  expect(claims[0]).toContainEqual({ claim: 'x-ms-sevsnpvm-hostdata', equals: hostData })
})

it('The example template and configuration name the same key, vault and attestation provider', () => {
  const { key } = parseImportKeyConfig(JSON.parse(file('importkeyconfig.json')))
  expect(valueOfVariable('SkrClientKID')).toBe(key.kid)
  expect(valueOfVariable('SkrClientAKVEndpoint')).toBe(key.akv.endpoint)
  expect(valueOfVariable('SkrClientMAAEndpoint')).toBe(key.authority.endpoint)
})

it('The example policy has an entry for each container of the template, with its command', () => {
  const line = file('policy.rego')
    .split('\n')
    .find((text) => text.startsWith('containers := '))
  const entries = JSON.parse((line ?? '').slice('containers := '.length)) as { name: string; command: string[] }[]
  const commands = new Map(entries.map(({ name, command }) => [name, command]))
  for (const { name, command } of exampleGroup().spec.containers) expect(commands.get(name)).toEqual(command)
})

it('The example group runs as skr-identity of its own resource group', () => {
  const { spec, outputs } = exampleGroup()
  expect(spec.identity?.userAssigned).toEqual([
    `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/skr-identity`,
  ])
  expect(outputs.containerGroupId?.value).toBe(
    `${group}/providers/Microsoft.ContainerInstance/containerGroups/skr-demo`,
  )
})
