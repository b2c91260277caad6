import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AppWorld, startAppWorld, type View } from '../support/app-world.ts'
import { exampleBody, groupOf } from '../support/example.ts'
import { until } from '../support/until.ts'

// What goes wrong after a request was accepted: it is told with its step and reason, and nothing half made is left.

const VAULT = 'app-failures.vault.azure.net'

let world: AppWorld
beforeAll(async () => {
  world = await startAppWorld({
    resourceGroups: [{ name: 'rg' }],
    vaults: [{ name: 'app-failures', resourceGroup: 'elsewhere' }],
  })
})
afterAll(() => world[Symbol.asyncDispose]())

/** Everything that a deployment could have left behind. */
async function leftovers() {
  const { context } = world.emulator
  const { value: resources } = (await world.arm(
    `/subscriptions/${context.seed.subscriptionId}/resourceGroups/rg/resources`,
  ))!
  const keys = []
  for await (const { name } of world.keys(VAULT).listPropertiesOfKeys()) keys.push(name)
  const { value: roles } = (await world.arm(
    `/subscriptions/${context.seed.subscriptionId}/resourceGroups/elsewhere/providers/Microsoft.KeyVault/vaults/app-failures/providers/Microsoft.Authorization/roleAssignments`,
  )) as { value: { properties: { principalId: string } }[] }
  const admin = context.seed.admin.objectId
  return { resources, keys, roles: roles.filter(({ properties }) => properties.principalId !== admin) }
}
const NOTHING = { resources: [], keys: [], roles: [] }

const stepsOf = ({ steps }: View) => steps.map(({ name, outcome }) => `${name}: ${outcome}`)

describe('a deployment fails with a reason, and leaves nothing', () => {
  it('when the resource group does not exist', async () => {
    const view = await world.deploy(exampleBody({ name: 'nowhere', vaultHost: VAULT, resourceGroup: 'none' }))
    expect(view.phase).toBe('Failed')
    expect(view.failure).toEqual({
      step: 'check resource group',
      code: 'ResourceGroupNotFound',
      reason: 'resource group none does not exist',
    })
    expect(await leftovers()).toEqual(NOTHING)
  })

  it('when no vault answers at the host that it names', async () => {
    const view = await world.deploy(exampleBody({ name: 'no-vault', vaultHost: 'absent.vault.azure.net' }))
    expect(view.failure).toMatchObject({
      step: 'find vault',
      code: 'ERR_VAULT_NOT_FOUND',
      reason: expect.stringMatching(/^no vault or managed HSM answers at absent\.vault\.azure\.net in subscription/),
    })
    expect(stepsOf(view)).toEqual(['check resource group: done', 'find vault: failed'])
    expect(await leftovers()).toEqual(NOTHING)
  })

  it('when there is no such attestation provider', async () => {
    const authority = 'absent.weu.attest.azure.net'
    const view = await world.deploy(exampleBody({ name: 'no-maa', vaultHost: VAULT, authority }))
    expect(view.phase).toBe('Failed')
    expect(view.failure).toMatchObject({ step: 'prove release', code: 'ERR_RELEASE_REFUSED' })
    expect(view.failure!.reason).toContain(authority)
    expect(stepsOf(view).slice(-5)).toEqual([
      'prove release: failed',
      'remove group: done',
      'remove key: done',
      'remove role: done',
      'remove identity: done',
    ])
    expect(view.remains).toEqual([expect.stringMatching(/^key no-maa is soft-deleted/)])
    expect(await leftovers()).toEqual(NOTHING)
  })

  it('when an image is not known, as ACI fails', async () => {
    const body = exampleBody({ name: 'no-image', vaultHost: VAULT })
    groupOf(body.template).properties.containers[1]!.properties.image = 'mcr.microsoft.com/aci/none:1'
    const view = await world.deploy(body)
    expect(view.phase).toBe('Failed')
    expect(view.failure).toEqual({
      step: 'deploy',
      code: 'ERR_DEPLOYMENT',
      reason:
        "InaccessibleImage: The image 'mcr.microsoft.com/aci/none:1' in container group 'no-image' is not accessible. Please check the image and registry credential.",
    })
    expect(await leftovers()).toEqual(NOTHING)
  })

  it('when a container ends before it is up, with the group that ARM has already made', async () => {
    const body = exampleBody({ name: 'no-start', vaultHost: VAULT })
    Object.assign(groupOf(body.template).properties, {
      initContainers: [
        {
          name: 'first',
          properties: { image: 'mcr.microsoft.com/aci/skr:2.12', command: ['/skr.sh', '--no-such-flag'] },
        },
      ],
    })
    const view = await world.deploy(body)
    expect(view.phase).toBe('Failed')
    expect(view.failure).toMatchObject({ step: 'deploy', reason: expect.stringContaining("init container 'first'") })
    expect(await leftovers()).toEqual(NOTHING)
  })
})

describe('an operation that is ended by hand, in the middle', () => {
  it('leaves word of what it made, so that a DELETE takes it all away', async () => {
    const authority = 'absent.weu.attest.azure.net'
    const body = exampleBody({ name: 'ended', vaultHost: VAULT, authority })
    expect((await world.call('POST', '/api/deployments', body)).status).toBe(202)
    await until(async () => {
      const { body: view } = await world.call('GET', '/api/deployments/ended')
      return (view as unknown as View).steps.some(({ name }) => name === 'prove release')
    })
    world.host.durable.terminate('deployment-ended', 'by hand')
    const view = await world.ended('ended')
    expect([view.phase, view.failure?.code]).toEqual(['Failed', 'ERR_ORCHESTRATION'])
    expect((await world.call('POST', '/api/deployments', body)).body.code).toBe('ERR_EXISTS')
    expect(await leftovers()).toMatchObject({ keys: ['ended'] })

    expect((await world.call('DELETE', '/api/deployments/ended?purge=true')).status).toBe(202)
    expect(await world.ended('ended')).toMatchObject({ phase: 'Deleted', remains: [] })
    expect(await leftovers()).toEqual(NOTHING)
  })
})

describe('what another hand made is left as it is', () => {
  it('a key of the same name', async () => {
    const before = await world.keys(VAULT).createRsaKey('theirs', { tags: { owner: 'someone' } })
    const view = await world.deploy(exampleBody({ name: 'theirs', vaultHost: VAULT }))
    expect(view.failure).toEqual({
      step: 'key',
      code: 'ERR_KEY_EXISTS',
      reason: `key theirs exists in ${VAULT} and was not made by this deployment`,
    })
    expect(await world.keys(VAULT).getKey('theirs')).toEqual(before)
    expect(await leftovers()).toEqual({ ...NOTHING, keys: ['theirs'] })
  })

  it('a key of the same name that is soft-deleted', async () => {
    const client = world.keys(VAULT)
    await client.beginDeleteKey('theirs')
    const view = await world.deploy(exampleBody({ name: 'theirs', vaultHost: VAULT }))
    expect(view.failure).toMatchObject({ step: 'key', reason: expect.stringMatching(/deleted/) })
    expect((await client.getDeletedKey('theirs')).properties.tags).toEqual({ owner: 'someone' })
    expect(await leftovers()).toEqual(NOTHING)
  })

  it('a group of the same name; the name is free once that is gone', async () => {
    const theirs = exampleBody({ name: 'shared', vaultHost: VAULT })
    expect((await world.deploy(theirs)).phase).toBe('Running')
    const body = exampleBody({ name: 'late', vaultHost: VAULT })
    groupOf(body.template).name = 'shared'
    const view = await world.deploy(body)
    expect(view.failure).toMatchObject({ step: 'check template', code: 'ERR_GROUP_EXISTS' })
    expect(await world.ended('shared')).toMatchObject({ phase: 'Running', group: { state: 'Running' } })
    const group = await world.arm((await world.ended('shared')).group!.id)
    expect(group).toMatchObject({ properties: { instanceView: { state: 'Running' } } })

    expect((await world.call('DELETE', '/api/deployments/shared?purge=true')).status).toBe(202)
    expect((await world.ended('shared')).phase).toBe('Deleted')
    expect(await leftovers()).toEqual(NOTHING)
    expect((await world.deploy(body)).phase).toBe('Running')
    expect((await world.call('DELETE', '/api/deployments/late?purge=true')).status).toBe(202)
    expect((await world.ended('late')).remains).toEqual([])
    expect(await leftovers()).toEqual(NOTHING)
  })
})
