import { catalogueOf, seedResources } from '@skerry/emulator'
import { skerryHandlers } from '@skerry/emulator/msw'
import { setupServer } from 'msw/node'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createTestRunner } from '../../../emulator/src/aci/test-runner.ts'
import { COLLECTIONS } from '../../../emulator/src/core/index.ts'
import { TEST_CACHE_DIRECTORY } from '../../../emulator/src/core/test-context.ts'
import { until } from '../../../test/support/until.ts'
import { clients } from '../azure/clients.ts'
import type { Outcome } from '../azure/outcome.ts'
import type { IdentityReference, KeySpec, VaultReference } from '../deployment/record.ts'
import { releasePolicyOf } from '../deployment/release-policy.ts'
import type { Activity } from './activity.ts'
import { isTerminal, readDeployment, startDeployment, validateTemplate } from './deployment.ts'
import { deleteGroup, readGroup } from './group.ts'
import { ensureIdentity, removeIdentity } from './identity.ts'
import { ensureKey, removeKey, rotateKey, updateReleasePolicy } from './key.ts'
import { assignReleaseRole, removeRole } from './role.ts'
import { findVault } from './vault.ts'

// Durable delivers an activity at least once: whatever it did before it was cut off, it is called again with the same
// input. The activities of this app through the real clients, against the emulator in this process.

const program = [process.execPath, '--eval', 'setInterval(() => {}, 60_000)'] as const
const skerry = skerryHandlers({
  cacheDir: TEST_CACHE_DIRECTORY,
  runner: createTestRunner({ networkNamespace: true }),
  images: catalogueOf([{ repository: 'test.azurecr.io/idle', programs: { run: { command: program } } }]),
})
const server = setupServer(...skerry.handlers)
const { subscriptionId } = skerry.seed
const rg = `/subscriptions/${subscriptionId}/resourceGroups/rg`

beforeAll(async () => {
  for (const [name, value] of Object.entries(skerry.environment)) vi.stubEnv(name, value)
  const { context } = await skerry.emulator()
  seedResources(context, {
    vaults: [{ name: 'repeat', resourceGroup: 'rg' }],
    managedHsms: [{ name: 'repeat', resourceGroup: 'rg' }],
  })
  server.listen({ onUnhandledFrame: 'error' })
})
afterAll(async () => {
  server.close()
  await skerry.close()
  vi.unstubAllEnvs()
})

/** Runs an activity twice with the same input and gives both values: a cut between effect and answer. */
async function twice<I, O>(activity: Activity<I, O>, input: I): Promise<[O, O]> {
  return [done(await activity.run(input)), done(await activity.run(input))]
}

function done<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(`${outcome.code}: ${outcome.reason}`)
  return outcome.value
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

async function decisions(operation: string): Promise<number> {
  const { context } = await skerry.emulator()
  return context.journal.records().filter((record) => record.operation === operation).length
}

const findRepeatVault = async (kind: 'vault' | 'managedhsm'): Promise<VaultReference> =>
  done(await findVault.run({ subscriptionId, vaultHost: `repeat.${kind}.azure.net` }))

async function newIdentity(name: string): Promise<IdentityReference> {
  const identityId = `${rg}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`
  return done(await ensureIdentity.run({ identityId, location: 'westeurope', deployment: 'd' }))
}

function keyInput(vault: VaultReference, name: string, operation = 'run-1') {
  const key: KeySpec = {
    name,
    kty: vault.kind === 'vault' ? 'RSA-HSM' : 'oct-HSM',
    vaultHost: new URL(vault.url).host,
    authority: 'sharedweu.weu.attest.azure.net',
    claims: [[]],
  }
  return { vault, key, releasePolicy: releasePolicyOf(key, ['ab'.repeat(32)]), deployment: 'd', operation }
}

const versionsOf = (vault: VaultReference, name: string) =>
  all(clients.keys(vault.url).listPropertiesOfKeyVersions(name))

describe('an identity', () => {
  const identityId = `${rg}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one`
  const input = { identityId, location: 'westeurope', deployment: 'd' }
  const identities = () => all(clients.identities(subscriptionId).userAssignedIdentities.listByResourceGroup('rg'))

  it('that is asked for twice is made once, and known as the deployment’s own both times', async () => {
    const [first, second] = await twice(ensureIdentity, input)
    expect(second).toEqual(first)
    expect(first.created).toBe(true)
    expect((await identities()).filter(({ name }) => name === 'one')).toHaveLength(1)
  })

  it('of another deployment is found and not taken for its own', async () => {
    const found = done(await ensureIdentity.run({ ...input, deployment: 'other' }))
    expect(found.created).toBe(false)
    done(await removeIdentity.run({ identity: found }))
    expect((await identities()).map(({ name }) => name)).toContain('one')
  })

  it('is removed once, and being gone is no error', async () => {
    const identity = done(await ensureIdentity.run(input))
    await twice(removeIdentity, { identity })
    expect((await identities()).map(({ name }) => name)).not.toContain('one')
  })
})

describe.each(['vault', 'managedhsm'] as const)('the release role on a %s', (kind) => {
  const assignments = async () => {
    const { context } = await skerry.emulator()
    const { principalId } = await newIdentity(`role-${kind}`)
    const collections = { vault: COLLECTIONS.roleAssignments, managedhsm: 'managedhsm.roleAssignments' } as const
    return context.store
      .collection<{ principalId: string }>(collections[kind])
      .values()
      .filter((assignment) => assignment.principalId === principalId)
  }
  const input = async (deployment: string) => {
    const vault = await findRepeatVault(kind)
    const { principalId } = await newIdentity(`role-${kind}`)
    return { subscriptionId, vault, keyName: 'k', principalId, deployment }
  }

  it('that is assigned twice is assigned once', async () => {
    const [first, second] = await twice(assignReleaseRole, await input('d'))
    expect(second).toEqual(first)
    expect(first.created).toBe(true)
    expect(await assignments()).toHaveLength(1)
  })

  it('of another deployment stands when this one’s is removed, once or twice', async () => {
    const role = done(await assignReleaseRole.run(await input('d')))
    const others = done(await assignReleaseRole.run(await input('other')))
    expect(others.id).not.toBe(role.id)
    // There is one assignment of a role to a principal at a scope, and it is the first one's.
    expect(others.created).toBe(false)
    await twice(removeRole, { subscriptionId, role: others })
    expect(await assignments()).toHaveLength(1)
    await twice(removeRole, { subscriptionId, role })
    expect(await assignments()).toHaveLength(0)
  })
})

describe.each(['vault', 'managedhsm'] as const)('a key of a %s', (kind) => {
  it('that is made twice has one version', async () => {
    const vault = await findRepeatVault(kind)
    const [first, second] = await twice(ensureKey, keyInput(vault, 'made'))
    expect(second).toEqual(first)
    expect(await versionsOf(vault, 'made')).toHaveLength(1)
  })

  it('that another run made is refused and not touched', async () => {
    const vault = await findRepeatVault(kind)
    const before = await clients.keys(vault.url).getKey('made')
    const refusal = await ensureKey.run(keyInput(vault, 'made', 'run-2'))
    expect(refusal).toMatchObject({ ok: false, code: 'ERR_KEY_EXISTS' })
    expect(await clients.keys(vault.url).getKey('made')).toEqual(before)
  })

  it('that is rotated twice from the same version has one new version', async () => {
    const vault = await findRepeatVault(kind)
    const made = done(await ensureKey.run(keyInput(vault, 'rotated')))
    const [first, second] = await twice(rotateKey, { vault, keyName: 'rotated', fromVersion: made.version })
    expect(second).toEqual(first)
    expect(first.version).not.toBe(made.version)
    expect(await versionsOf(vault, 'rotated')).toHaveLength(2)
  })

  it('has the type, the tags, the exportability and the policy of the version before when it is rotated', async () => {
    const vault = await findRepeatVault(kind)
    const client = clients.keys(vault.url)
    const before = await client.getKey('rotated')
    done(await rotateKey.run({ vault, keyName: 'rotated', fromVersion: before.properties.version ?? '' }))
    const after = await client.getKey('rotated')
    expect(after.properties.version).not.toBe(before.properties.version)
    expect(after.keyType).toBe(before.keyType)
    expect(after.key?.n?.length).toBe(before.key?.n?.length)
    const { tags, exportable, releasePolicy } = before.properties
    expect(after.properties).toMatchObject({ tags, exportable, releasePolicy })
  })

  it('has the release policy that was set twice', async () => {
    const vault = await findRepeatVault(kind)
    const { key } = keyInput(vault, 'made')
    const releasePolicy = releasePolicyOf(key, ['ab'.repeat(32), 'cd'.repeat(32)])
    await twice(updateReleasePolicy, { vault, keyName: 'made', releasePolicy })
    const { properties } = await clients.keys(vault.url).getKey('made')
    const kept = Buffer.from(properties.releasePolicy!.encodedPolicy!).toString()
    // A managed HSM writes the authority with a slash at its end.
    expect(JSON.parse(kept.replaceAll('.net/"', '.net"'))).toEqual(releasePolicy)
    expect(await versionsOf(vault, 'made')).toHaveLength(1)
  })

  it('is deleted once, purged only when asked, and a later key of its name is left alone', async () => {
    const vault = await findRepeatVault(kind)
    const key = done(await ensureKey.run(keyInput(vault, 'removed')))
    const removal = { vault, key, purge: false, deletedBefore: false }
    const [first, second] = await twice(removeKey, removal)
    expect([first.state, second.state]).toEqual(['deleting', 'deleted'])
    expect(second.scheduledPurgeDate).toBeDefined()
    expect(await twice(removeKey, { ...removal, purge: true, deletedBefore: true })).toEqual([
      { state: 'purged' },
      { state: 'purged' },
    ])
    done(await ensureKey.run(keyInput(vault, 'removed', 'run-3')))
    await twice(removeKey, { ...removal, purge: true, deletedBefore: true })
    expect(await versionsOf(vault, 'removed')).toHaveLength(1)
  })
})

describe('a deployment', () => {
  const template = {
    $schema: 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#',
    contentVersion: '1.0.0.0',
    resources: [
      {
        type: 'Microsoft.ContainerInstance/containerGroups',
        apiVersion: '2023-05-01',
        name: 'idle',
        location: 'westeurope',
        properties: {
          sku: 'Confidential',
          osType: 'Linux',
          confidentialComputeProperties: { ccePolicy: Buffer.from('package policy\n').toString('base64') },
          containers: [
            {
              name: 'idle',
              properties: {
                image: 'test.azurecr.io/idle:1',
                command: ['run'],
                resources: { requests: { cpu: 1, memoryInGB: 1 } },
              },
            },
          ],
        },
      },
    ],
  }
  const name = { subscriptionId, resourceGroup: 'rg', deploymentName: 'd' }
  const input = { ...name, template, parameters: {}, operation: 'run-1' }
  const groupId = `${rg}/providers/Microsoft.ContainerInstance/containerGroups/idle`
  const ended = () =>
    until(async () => {
      const view = done(await readDeployment.run(name))
      return isTerminal(view.state) ? view : undefined
    })

  it('that is checked only makes nothing, and names the group that it would make', async () => {
    expect(await twice(validateTemplate, input)).toEqual([{ groupId }, { groupId }])
    expect(done(await readGroup.run({ groupId }))).toBeNull()
  })

  it('that ARM cannot evaluate is refused with ARM’s own words', async () => {
    const broken = structuredClone(template)
    broken.resources[0]!.name = "[parameters('absent')]"
    const refusal = await validateTemplate.run({ ...input, template: broken })
    expect(refusal).toMatchObject({ ok: false, code: 'InvalidTemplate', reason: expect.stringContaining('absent') })
  })

  it('that is started twice runs once, whether the first is under way or over', async () => {
    await twice(startDeployment, input)
    expect(await ended()).toEqual({ state: 'Succeeded', groupId })
    await twice(startDeployment, input)
    expect(await ended()).toMatchObject({ state: 'Succeeded' })
    expect(await decisions('deploy')).toBe(1)
    expect(await decisions('startContainerGroup')).toBe(1)
  })

  it('of another run under the same name is one more', async () => {
    await twice(startDeployment, { ...input, operation: 'run-2' })
    await until(async () => (await decisions('deploy')) === 2 || undefined)
  })

  it('leaves a group that is deleted once, and being gone is no error', async () => {
    await twice(deleteGroup, { groupId })
    await until(async () => done(await readGroup.run({ groupId })) === null || undefined)
    await twice(deleteGroup, { groupId })
    expect(await decisions('deleteContainerGroup')).toBe(1)
  })
})
