import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { COLLECTIONS, type ContainerGroupIdentityRecord, type Faults, systemClock } from '../core/index.ts'
import { createTestContext, type TestWorld } from '../core/test-context.ts'
import { createProcessor } from '../psp/index.ts'
import {
  allowAllPolicy,
  type ContainerGroupRecord,
  type ContainerGroups,
  catalogueOf,
  createContainerGroups,
  type GroupOperation,
} from './index.ts'
import { createTestRunner, type TestRunner } from './test-runner.ts'

const POLICY = Buffer.from('package policy\n\n# made by a test\napi_version := "0.10.0"\n').toString('base64')
const ID =
  '/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/rg/providers/Microsoft.ContainerInstance/containerGroups/demo'

/** Programs of the test image, by the path that a container's command names. */
const node = (script: string) => ({ command: [process.execPath, '-e', script] as const })
const images = catalogueOf([
  {
    repository: 'test.azurecr.io/app',
    programs: {
      '/sleep': node('console.log("up"); setInterval(() => {}, 1000)'),
      '/echo': node('console.log(process.argv.slice(1).join(" "))'),
      '/fail': node('console.error("broken"); process.exit(3)'),
      '/env': node('console.log(JSON.stringify(process.env))'),
    },
  },
])

interface Bench {
  readonly world: TestWorld
  readonly runner: TestRunner
  readonly groups: ContainerGroups
}

const benches: Bench[] = []
afterEach(async () => {
  for (const { groups, runner } of benches.splice(0)) {
    await groups.close()
    expect(runner.alive.size).toBe(0)
  }
})

function bench(options: { faults?: Faults; networkNamespace?: boolean } = {}): Bench {
  const world = createTestContext({ clock: systemClock(), ...(options.faults && { faults: options.faults }) })
  const vaults = () => world.ctx.store.collection(COLLECTIONS.vaults)
  const runner = createTestRunner({ networkNamespace: options.networkNamespace ?? true })
  const groups = createContainerGroups(world.ctx, {
    psp: createProcessor(world.ctx),
    runner,
    images,
    clientEnvironment: {
      caFile: '/ca.pem',
      proxyUrl: (id) => `http://proxy/${id.length}`,
      hostNames: () => [
        'management.azure.com',
        ...vaults()
          .entries()
          .map(([host]) => host),
      ],
      watchHostNames: (changed) => world.ctx.store.watch([COLLECTIONS.vaults], changed),
      accept: () => undefined,
    },
  })
  const made = { world, runner, groups }
  benches.push(made)
  return made
}

function container(name: string, command: string[], more: object = {}) {
  const resources = { requests: { cpu: 1, memoryInGb: '1.5' } }
  return { name, properties: { image: 'test.azurecr.io/app:1', command, resources, ...more } }
}

function body(containers: object[], more: object = {}, envelope: object = {}) {
  const properties = {
    sku: 'confidential',
    osType: 'Linux',
    restartPolicy: 'Never',
    confidentialComputeProperties: { ccePolicy: POLICY },
    containers,
    ...more,
  }
  return { location: 'West Europe', properties, ...envelope }
}

async function settled(groups: ContainerGroups, operation: Promise<GroupOperation>): Promise<ContainerGroupRecord> {
  await (await operation).done
  return groups.get(ID)!
}

/** Asks again and again for a state that other processes bring about. */
async function until(
  groups: ContainerGroups,
  holds: (record: ContainerGroupRecord) => boolean,
): Promise<ContainerGroupRecord> {
  return await vi.waitFor(
    () => {
      const record = groups.get(ID)
      if (record === undefined || !holds(record)) throw new Error(`not reached: ${JSON.stringify(record)}`)
      return record
    },
    { timeout: 10_000, interval: 1 },
  )
}

describe('a confidential container group', () => {
  it('is Pending at first and Running when its programs have started', async () => {
    const { groups } = bench()
    const { group, created, done } = await groups.put(ID, body([container('a', ['/sleep'])]))
    expect([group.provisioningState, group.state, created]).toEqual(['Pending', 'Pending', true])
    expect(await done).toEqual({ status: 'Succeeded' })
    const record = groups.get(ID.toUpperCase())
    expect([record?.provisioningState, record?.state]).toEqual(['Succeeded', 'Running'])
    expect(record?.views.a?.currentState).toMatchObject({ state: 'Running', detailStatus: '' })
    expect(record?.views.a?.events.map(({ name }) => name)).toEqual(['Pulling', 'Pulled', 'Created', 'Started'])
  })

  it('may have capitals in its name, as the example of the SKR sidecar has', async () => {
    const { groups } = bench()
    const id = ID.replace('/demo', '/aciSKRSidecarTest')
    await (await groups.put(id, body([container('a', ['/sleep'])]))).done
    expect(groups.get(id)).toMatchObject({ name: 'aciSKRSidecarTest', state: 'Running' })
  })

  it('launches its guest with the SHA-256 of the decoded policy as host data', async () => {
    const { groups, world } = bench()
    const record = await settled(groups, groups.put(ID, body([container('a', ['/sleep'])])))
    const digest = createHash('sha256').update(Buffer.from(POLICY, 'base64')).digest('hex')
    expect(record.hostData).toBe(digest)
    expect(world.ctx.journal.records().at(-1)).toMatchObject({
      service: 'aci',
      operation: 'startContainerGroup',
      details: { hostData: digest },
    })
  })

  it('gets the policy that Azure fills in when it brings none', async () => {
    const { groups } = bench()
    const request = body([container('a', ['/sleep'])], { confidentialComputeProperties: {} })
    const record = await settled(groups, groups.put(ID, request))
    expect(record.hostData).toBe('73973b78d70cc68353426de188db5dfc57e5b766e399935fb73a61127ea26d20')
    expect(record.spec.ccePolicy).toBe(Buffer.from(allowAllPolicy()).toString('base64'))
  })

  it('finds its security context, the CA and its own variables, and nothing of the emulator', async () => {
    const { groups } = bench()
    const variables = [
      { name: 'Plain', value: 'one' },
      { name: 'Secret', secureValue: 'two' },
    ]
    await settled(
      groups,
      groups.put(ID, body([container('a', ['/env'], { environmentVariables: variables }), container('b', ['/sleep'])])),
    )
    await until(groups, ({ views }) => views.a?.currentState?.state === 'Terminated')
    const seen = JSON.parse(groups.logs(ID, 'a')) as Record<string, string>
    expect(seen).toMatchObject({
      Plain: 'one',
      Secret: 'two',
      NODE_EXTRA_CA_CERTS: '/ca.pem',
      SSL_CERT_FILE: '/ca.pem',
    })
    expect(seen.HTTPS_PROXY).toBeUndefined()
    expect(Object.keys(seen)).not.toContain('USER')
    const directory = seen.UVM_SECURITY_CONTEXT_DIR ?? ''
    expect(directory).toMatch(/\/security-context-\d+$/)
    expect(readdirSync(directory).toSorted()).toEqual([
      'host-amd-cert-base64',
      'reference-info-base64',
      'security-policy-base64',
      'transparent-reference-info-base64',
    ])
    expect(readFileSync(`${directory}/security-policy-base64`, 'utf8')).toBe(POLICY)
    const certificates = JSON.parse(
      Buffer.from(readFileSync(`${directory}/host-amd-cert-base64`, 'utf8'), 'base64').toString(),
    )
    expect(Object.keys(certificates)).toEqual(expect.arrayContaining(['vcekCert', 'tcbm', 'certificateChain']))
  })

  it('reaches vaults that are made while it runs, until it is deleted', async () => {
    const { groups, world, runner } = bench()
    await settled(groups, groups.put(ID, body([container('a', ['/sleep'])])))
    expect(runner.hostNames).toEqual(['management.azure.com'])
    world.ctx.store.collection(COLLECTIONS.vaults).put('later.vault.azure.net', {})
    expect(runner.hostNames).toEqual(['management.azure.com', 'later.vault.azure.net'])
    await groups.delete(ID)
    world.ctx.store.collection(COLLECTIONS.vaults).put('too-late.vault.azure.net', {})
    expect(runner.hostNames).not.toContain('too-late.vault.azure.net')
  })

  it('keeps secure values out of the store', async () => {
    const { groups, world } = bench()
    const variables = [{ name: 'Secret', secureValue: 'canary-5f1e' }]
    await settled(groups, groups.put(ID, body([container('a', ['/sleep'], { environmentVariables: variables })])))
    expect(JSON.stringify(world.ctx.store.collection('containerGroups').entries())).not.toContain('canary-5f1e')
  })

  it('tells IMDS which identities it has', async () => {
    const { groups, world } = bench()
    const identity = { type: 'UserAssigned', userAssignedIdentities: { '/subscriptions/S/identity': {} } }
    await settled(groups, groups.put(ID, body([container('a', ['/sleep'])], {}, { identity })))
    const records = world.ctx.store.collection<ContainerGroupIdentityRecord>(COLLECTIONS.containerGroupIdentities)
    expect(records.get(ID.toLowerCase())?.userAssigned).toEqual(['/subscriptions/s/identity'])
  })

  it('takes its processes, its security context and its identities along when deleted', async () => {
    const { groups, runner, world } = bench()
    await settled(groups, groups.put(ID, body([container('a', ['/sleep'])])))
    const directory = runner.started[0]?.env.UVM_SECURITY_CONTEXT_DIR ?? ''
    expect(existsSync(directory)).toBe(true)
    const last = await groups.delete(ID)
    expect(last?.provisioningState).toBe('Succeeded')
    expect([groups.get(ID), runner.alive.size, existsSync(directory)]).toEqual([undefined, 0, false])
    expect(world.ctx.store.collection(COLLECTIONS.containerGroupIdentities).entries()).toEqual([])
    expect(await groups.delete(ID)).toBeUndefined()
  })
})

describe('a host that tampers', () => {
  it('with the policy changes one byte of it, in host data and security context alike', async () => {
    const { groups, runner, world } = bench({ faults: { tamper: 'policy' } })
    const record = await settled(groups, groups.put(ID, body([container('a', ['/sleep'])])))
    const directory = runner.started[0]?.env.UVM_SECURITY_CONTEXT_DIR ?? ''
    const shown = Buffer.from(readFileSync(`${directory}/security-policy-base64`, 'utf8'), 'base64')
    const given = Buffer.from(POLICY, 'base64')
    expect(shown.length).toBe(given.length)
    expect(shown.filter((byte, at) => byte !== given[at]).length).toBe(1)
    expect(record.hostData).toBe(createHash('sha256').update(shown).digest('hex'))
    expect(record.spec.ccePolicy).toBe(POLICY)
    expect(world.ctx.journal.records().at(-1)?.details).toMatchObject({ tampered: true })
  })
})

describe('a restart policy', () => {
  it('Never leaves a group Succeeded when all programs end well', async () => {
    const { groups } = bench()
    await settled(groups, groups.put(ID, body([container('a', ['/echo', 'hello'])])))
    const record = await until(groups, ({ state }) => state === 'Succeeded')
    expect(record.views.a?.currentState).toMatchObject({ state: 'Terminated', exitCode: 0, detailStatus: 'Completed' })
    expect(groups.logs(ID, 'a')).toBe('hello\n')
  })
  it('Never leaves a group Failed when one does not', async () => {
    const { groups } = bench()
    await settled(groups, groups.put(ID, body([container('a', ['/fail']), container('b', ['/echo', 'x'])])))
    const record = await until(groups, ({ state }) => state === 'Failed')
    expect(record.views.a?.currentState).toMatchObject({ exitCode: 3, detailStatus: 'Error' })
  })
  it('OnFailure starts a program that failed again, with growing waits', async () => {
    const { groups, world } = bench()
    await settled(groups, groups.put(ID, body([container('a', ['/fail'])], { restartPolicy: 'OnFailure' })))
    const waiting = await until(groups, ({ views }) => views.a?.currentState?.state === 'Waiting')
    expect(waiting.views.a).toMatchObject({ restartCount: 1, currentState: { detailStatus: 'CrashLoopBackOff' } })
    expect(waiting.views.a?.previousState).toMatchObject({ state: 'Terminated', exitCode: 3 })
    await world.clock.advance(10_000)
    const again = await until(groups, ({ views }) => (views.a?.restartCount ?? 0) >= 2)
    expect(again.state).toBe('Running')
  })
  it('Always starts a program again that ended well', async () => {
    const { groups } = bench()
    await settled(groups, groups.put(ID, body([container('a', ['/echo', 'x'])], { restartPolicy: 'Always' })))
    await until(groups, ({ views }) => views.a?.restartCount === 1)
  })
})

describe('init containers', () => {
  it('end before the containers start', async () => {
    const { groups, runner } = bench()
    const request = body([container('a', ['/sleep'])], { initContainers: [container('i', ['/echo', 'first'])] })
    await settled(groups, groups.put(ID, request))
    expect(runner.started.map(({ command }) => command.at(-1))).toEqual(['first', expect.stringContaining('up')])
  })
  it('that fail, fail the group', async () => {
    const { groups } = bench()
    const request = body([container('a', ['/sleep'])], { initContainers: [container('i', ['/fail'])] })
    const { done } = await groups.put(ID, request)
    expect(await done).toMatchObject({ status: 'Failed', error: { message: expect.stringContaining('exit code 3') } })
    expect(groups.get(ID)?.provisioningState).toBe('Failed')
  })
})

describe('a running group', () => {
  it('restarts in place: same host data, programs anew', async () => {
    const { groups, runner } = bench()
    const before = await settled(groups, groups.put(ID, body([container('a', ['/sleep'])])))
    const after = await settled(groups, groups.restart(ID))
    expect(after.hostData).toBe(before.hostData)
    expect(after.state).toBe('Running')
    expect(after.views.a?.restartCount).toBe(1)
    expect([runner.started.length, runner.alive.size]).toEqual([2, 1])
    expect(runner.started[1]?.env.UVM_SECURITY_CONTEXT_DIR).toBe(runner.started[0]?.env.UVM_SECURITY_CONTEXT_DIR)
  })
  it('stops and starts in a new guest', async () => {
    const { groups, runner } = bench()
    await settled(groups, groups.put(ID, body([container('a', ['/sleep'])])))
    await groups.stop(ID)
    expect([groups.get(ID)?.state, runner.alive.size]).toEqual(['Stopped', 0])
    const record = await settled(groups, groups.start(ID))
    expect(record.state).toBe('Running')
    expect(runner.started[1]?.env.UVM_SECURITY_CONTEXT_DIR).not.toBe(runner.started[0]?.env.UVM_SECURITY_CONTEXT_DIR)
  })
  it('is made anew by a changed environment, and only then', async () => {
    const { groups, runner } = bench()
    const withValue = (value: string) =>
      body([container('a', ['/sleep'], { environmentVariables: [{ name: 'V', value }] })])
    await settled(groups, groups.put(ID, withValue('1')))
    await settled(groups, groups.put(ID, withValue('1')))
    expect(runner.started.length).toBe(1)
    const record = await settled(groups, groups.put(ID, withValue('2')))
    expect([record.state, runner.started.length, runner.alive.size]).toEqual(['Running', 2, 1])
  })
  it('refuses a change of what cannot change', async () => {
    const { groups } = bench()
    await settled(groups, groups.put(ID, body([container('a', ['/sleep'])])))
    await expect(groups.put(ID, body([container('a', ['/sleep'])], { restartPolicy: 'Always' }))).rejects.toMatchObject(
      {
        status: 400,
        code: 'InvalidContainerGroupUpdate',
      },
    )
  })
  it('refuses an update while it is still changing', async () => {
    const { groups } = bench()
    const { done } = await groups.put(ID, body([container('a', ['/sleep'])]))
    await expect(groups.put(ID, body([container('a', ['/sleep'])]))).rejects.toMatchObject({
      status: 409,
      code: 'ContainerGroupTransitioning',
    })
    await done
  })
  it('comes back after the emulator ended, in a new guest', async () => {
    const { groups, world } = bench()
    await settled(groups, groups.put(ID, body([container('a', ['/sleep'])])))
    await groups.close()
    const second = createContainerGroups(world.ctx, {
      psp: createProcessor(world.ctx),
      runner: createTestRunner({ networkNamespace: true }),
      images,
      clientEnvironment: { caFile: '/ca.pem', proxyUrl: () => '', hostNames: () => [] },
    })
    await second.resume()
    await until(second, ({ provisioningState }) => provisioningState === 'Succeeded')
    expect(second.get(ID)?.state).toBe('Running')
    await second.close()
  })
})

describe('where groups have no network of their own', () => {
  it('a group reaches the emulator by proxy and says who could reach it', async () => {
    const { groups, runner } = bench({ networkNamespace: false })
    const record = await settled(groups, groups.put(ID, body([container('a', ['/sleep'])])))
    expect(runner.started[0]?.env).toMatchObject({ HTTPS_PROXY: `http://proxy/${ID.length}`, NODE_USE_ENV_PROXY: '1' })
    expect(record.events).toMatchObject([
      { name: 'SharedNetwork', message: expect.stringContaining('other local users can reach') },
    ])
  })
  it('one group runs at a time', async () => {
    const { groups } = bench({ networkNamespace: false })
    await settled(groups, groups.put(ID, body([container('a', ['/sleep'])])))
    const other = ID.replace(/demo$/, 'other')
    await expect(groups.put(other, body([container('a', ['/sleep'])]))).rejects.toMatchObject({
      status: 409,
      code: 'ServiceUnavailable',
    })
    expect(groups.get(other)).toBeUndefined()
  })
})

describe('a request that cannot be met', () => {
  it.each<[string, object, string, string]>([
    [
      'names an unknown image',
      body([
        { name: 'a', properties: { image: 'nowhere.io/x:1', resources: { requests: { cpu: 1, memoryInGB: 1 } } } },
      ]),
      'InaccessibleImage',
      'nowhere.io/x:1',
    ],
    ['names an unknown program of a known image', body([container('a', ['/nothing'])]), 'InaccessibleImage', 'demo'],
    [
      'has a policy that is not base64',
      body([container('a', ['/sleep'])], { confidentialComputeProperties: { ccePolicy: 'not base64!' } }),
      'InvalidCcePolicy',
      'demo',
    ],
    ['has no containers', body([]), 'MissingRequiredProperty', 'containers'],
    [
      'has no location',
      { ...body([container('a', ['/sleep'])]), location: undefined },
      'MissingRequiredProperty',
      'location',
    ],
    [
      'has no resources',
      body([{ name: 'a', properties: { image: 'test.azurecr.io/app' } }]),
      'MissingRequiredProperty',
      'resources.requests',
    ],
    [
      'uses a name twice',
      body([container('a', ['/sleep']), container('a', ['/sleep'])]),
      'DuplicateContainerName',
      "'a'",
    ],
    ['names a container in capitals', body([container('A', ['/sleep'])]), 'InvalidProperty', 'lower-case'],
    [
      'has a port out of range',
      body([container('a', ['/sleep'], { ports: [{ port: 70_000 }] })]),
      'InvalidProperty',
      '70000',
    ],
    ['is of another sku', body([container('a', ['/sleep'])], { sku: 'Standard' }), 'SkerryNotCovered', 'Standard'],
  ])('%s', async (_, request, code, part) => {
    const { groups } = bench()
    await expect(groups.put(ID, request)).rejects.toMatchObject({ code, message: expect.stringContaining(part) })
    expect(groups.get(ID)).toBeUndefined()
  })
  it('asks for the log of a container that is not there', async () => {
    const { groups } = bench()
    await settled(groups, groups.put(ID, body([container('a', ['/sleep'])])))
    expect(() => groups.logs(ID, 'b')).toThrow("The container 'b' was not found")
  })
})
