import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AuthorizationManagementClient } from '@azure/arm-authorization'
import { ContainerInstanceManagementClient } from '@azure/arm-containerinstance'
import { KeyVaultManagementClient } from '@azure/arm-keyvault'
import { ManagedServiceIdentityClient } from '@azure/arm-msi'
import { ResourceManagementClient } from '@azure/arm-resources'
import { DeploymentsClient } from '@azure/arm-resourcesdeployments'
import { KeyClient } from '@azure/keyvault-keys'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exampleBody } from '../support/example.ts'
import { ownLoopback, TURN_TIMEOUT_MS } from '../support/own-loopback.ts'
import { type HostProcess, startHost, startUp, type Up } from '../support/processes.ts'
import { type Relay, startRelay } from '../support/relay.ts'
import { temporaryFolder } from '../support/skerry.ts'

// The host is killed with SIGKILL after an activity has made its effect and before the host has heard of it: a relay
// between host and emulator holds the answer back, and the kill falls there every time. Then the host starts again on the
// same store. Emulator, host and test are three processes; what stands in Azure is counted with the official clients.

const folder = temporaryFolder()
const stack = new AsyncDisposableStack()
const GROUP = 'crash'
const VAULT = 'skerry-crash'
const NAME = 'survivor'
const body = exampleBody({ name: NAME, resourceGroup: GROUP, vaultHost: `${VAULT}.vault.azure.net` })

let up: Up
let relay: Relay
let host: HostProcess
let azure: ReturnType<typeof clientsOf>

function clientsOf({ credential, sdkOptions, info }: Up) {
  const { subscriptionId } = info.credentials
  return {
    keys: new KeyClient(`https://${VAULT}.vault.azure.net`, credential, sdkOptions),
    vaults: new KeyVaultManagementClient(credential, subscriptionId, sdkOptions),
    resources: new ResourceManagementClient(credential, subscriptionId, sdkOptions),
    identities: new ManagedServiceIdentityClient(credential, subscriptionId, sdkOptions),
    roles: new AuthorizationManagementClient(credential, subscriptionId, sdkOptions),
    groups: new ContainerInstanceManagementClient(credential, subscriptionId, sdkOptions),
    deployments: new DeploymentsClient(credential, subscriptionId, sdkOptions),
  }
}

const startAgain = async () => {
  host = await startHost(join(folder.path, 'host'), up.environment(relay.url))
}

/** Lets the run go on until `effect` is there, and kills the host before it can know; then starts it again. */
async function killAfter(effect: () => boolean | Promise<boolean>): Promise<void> {
  expect(await effect()).toBe(false)
  await relay.holdWhen(effect)
  await host.kill()
  expect(await effect()).toBe(true)
  relay.letThrough()
  await startAgain()
}

/** `killAfter` for the effects of one operation, in the order in which they come. */
async function survive(effects: readonly (() => boolean | Promise<boolean>)[], start: () => Promise<unknown>) {
  const [first, ...rest] = effects
  const killed = killAfter(first!)
  await start()
  await killed
  for (const effect of rest) await killAfter(effect)
  return await host.ended(NAME)
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

const journaled = (operation: string) => up.journal().filter((record) => record.operation === operation).length
const vaultId = () =>
  `/subscriptions/${up.info.credentials.subscriptionId}/resourceGroups/${GROUP}/providers/Microsoft.KeyVault/vaults/${VAULT}`
const identities = () => all(azure.identities.userAssignedIdentities.listByResourceGroup(GROUP))
const versions = () => all(azure.keys.listPropertiesOfKeyVersions(NAME))
const deployments = () => all(azure.deployments.deployments.listByResourceGroup(GROUP))
const groups = () => all(azure.groups.containerGroups.listByResourceGroup(GROUP))
const roles = async () =>
  (await all(azure.roles.roleAssignments.listForScope(vaultId()))).filter(({ scope }) => scope === vaultId())

beforeAll(async () => {
  stack.use(await ownLoopback())
  const runtime = join(folder.path, 'run')
  mkdirSync(runtime, { mode: 0o700 })
  up = await startUp(join(folder.path, 'azure'), runtime)
  stack.defer(async () => {
    up.command.child.kill('SIGTERM')
    await up.command.ended
  })
  azure = clientsOf(up)
  relay = stack.use(await startRelay(up.info.proxy))
  await azure.resources.resourceGroups.createOrUpdate(GROUP, { location: 'westeurope' })
  await azure.vaults.vaults.createOrUpdate(GROUP, VAULT, {
    location: 'westeurope',
    properties: {
      tenantId: up.info.credentials.tenantId,
      sku: { family: 'A', name: 'premium' },
      enableRbacAuthorization: true,
    },
  })
  await startAgain()
  stack.defer(() => host.kill())
}, TURN_TIMEOUT_MS)
afterAll(async () => {
  await stack.disposeAsync()
  folder[Symbol.dispose]()
})

describe('a host that is killed after the effect of an activity, and started again', () => {
  it('in a provisioning: after the identity, the role, the key and the deployment, and makes each once', async () => {
    const view = await survive(
      [
        async () => (await identities()).length > 0,
        async () => (await roles()).length > 0,
        () => journaled('createKey') > 0,
        async () => (await deployments()).length > 0,
      ],
      () => host.call('POST', '/api/deployments', body),
    )
    expect(view.failure).toBeUndefined()
    expect(view.phase).toBe('Running')
    expect(await identities()).toHaveLength(1)
    expect(await roles()).toHaveLength(1)
    expect(await versions()).toHaveLength(1)
    expect((await versions())[0]!.version).toBe(view.key!.version)
    expect(await deployments()).toHaveLength(1)
    expect(await groups()).toHaveLength(1)
    expect([journaled('createKey'), journaled('deploy'), journaled('startContainerGroup')]).toEqual([1, 1, 1])
  })

  it('in a rotation: after the new version and the new deployment, and makes each once', async () => {
    const view = await survive([() => journaled('rotateKey') > 0, async () => (await deployments()).length > 1], () =>
      host.call('POST', `/api/deployments/${NAME}/rotate`),
    )
    expect(view.failure).toBeUndefined()
    expect(view.phase).toBe('Running')
    expect(await versions()).toHaveLength(2)
    expect(view.proof!.keyVersion).toBe(view.key!.version)
    expect(await deployments()).toHaveLength(2)
    expect([journaled('rotateKey'), journaled('deploy'), journaled('startContainerGroup')]).toEqual([1, 2, 2])
  })

  it('in a teardown: after the group and the key are gone, and takes everything away once', async () => {
    const view = await survive([async () => (await groups()).length === 0, () => journaled('deleteKey') > 0], () =>
      host.call('DELETE', `/api/deployments/${NAME}`),
    )
    expect(view.failure).toBeUndefined()
    expect(view.phase).toBe('Deleted')
    expect(view.remains).toEqual([expect.stringContaining('soft-deleted')])
    expect([journaled('deleteContainerGroup'), journaled('deleteKey')]).toEqual([1, 1])
    expect([await groups(), await roles(), await identities()]).toEqual([[], [], []])
    expect((await azure.keys.getDeletedKey(NAME)).properties.version).toBe(view.key!.version)
  })
})
