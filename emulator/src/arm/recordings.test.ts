import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { manualClock } from '../core/index.ts'
import { ensureServicePrincipal } from '../entra/index.ts'
import { findRoleByRoleName } from '../rbac/index.ts'
import { seedResources } from './seed.ts'
import { type Answer, differences, type Exchange, readRecording, recordingsPresent } from './test-recordings.ts'
import { type ArmWorld, createArmWorld } from './test-world.ts'

if (!recordingsPresent) console.info('skipped: no recordings of Resource Manager beside this repository')

/** The recorders' stand-ins. */
const SUBSCRIPTION = '00000000-0000-0000-0000-000000000000'
const TENANT = '72f988bf-86f1-41af-91ab-2d7cd011db47'

let arm: ArmWorld
/** Recorded text of an operation's address or id, and what this emulator answered in its place. */
let answered: Map<string, string>

beforeEach(() => {
  const clock = manualClock('2021-11-11T03:23:50Z')
  arm = createArmWorld(clock)
  answered = new Map()
})
afterEach(async () => {
  await arm[Symbol.asyncDispose]()
})

const toOurs = (text: string) => text.replaceAll(SUBSCRIPTION, arm.subscription).replaceAll(TENANT, tenant())
const toTheirs = (text: string) => text.replaceAll(arm.subscription, SUBSCRIPTION).replaceAll(tenant(), TENANT)
const tenant = () => arm.world.ctx.seed.tenantId

async function send({ method, url, requestBody }: Exchange, authorization?: string): Promise<Answer> {
  let own = answered.get(url) ?? toOurs(url)
  for (const [theirs, ours] of answered) own = own.replace(theirs, ours)
  const { pathname, search } = new URL(own)
  const body = requestBody === null ? undefined : toOurs(JSON.stringify(requestBody))
  const answer = await arm.send(method, pathname + search, body, authorization === undefined ? {} : { authorization })
  const text = toTheirs(await answer.text())
  return { status: answer.status, headers: answer.headers, body: text === '' ? null : (JSON.parse(text) as unknown) }
}

/** Where the client of the recording went on, this one goes on at our own address. */
function remember({ responseHeaders, responseBody }: Exchange, { headers, body }: Answer): void {
  for (const name of ['location', 'azure-asyncoperation']) {
    const [theirs, ours] = [responseHeaders[name], headers.get(name)]
    if (theirs !== undefined && ours !== null) answered.set(theirs, ours)
  }
  const idsOf = (value: unknown) =>
    ((value as { value?: { operationId?: string }[] } | null)?.value ?? []).map(({ operationId }) => operationId)
  idsOf(responseBody).forEach((id, at) => {
    const own = idsOf(body)[at]
    if (id !== undefined && own !== undefined) answered.set(id, own)
  })
}

interface Story {
  /** Patterns of differences (`METHOD path-tail where: what`), each with its reason. */
  readonly listed?: readonly (readonly [difference: RegExp, reason: string])[]
  /** Puts one thing in place of another, in what is sent and in what is expected. */
  readonly change?: (text: string) => string
  /** Who sends it; else the administrator. */
  readonly authorization?: string
}

/** Sends every exchange in its order. What differs and is not listed fails, and so does what is listed and no more differs. */
async function replay(name: string, { listed = [], change = (text) => text, authorization }: Story = {}) {
  const unseen = new Set(listed)
  const unexpected: string[] = []
  const { exchanges } = JSON.parse(change(JSON.stringify(readRecording(name)))) as { exchanges: Exchange[] }
  for (const exchange of exchanges) {
    const answer = await untilDone(exchange, () => send(exchange, authorization))
    remember(exchange, answer)
    for (const difference of differences(exchange, answer)) {
      const line = `${exchange.method} ${new URL(exchange.url).pathname.split('/').slice(-2).join('/')} ${difference}`
      const known = listed.find(([pattern]) => pattern.test(line))
      if (known === undefined) unexpected.push(line)
      else unseen.delete(known)
    }
    if (exchange.status === 202 && exchange.method === 'GET') await arm.world.clock.advance(15_000)
  }
  expect(unexpected).toEqual([])
  expect([...unseen].map(([pattern]) => String(pattern))).toEqual([])
}

/** The recorder waited until an operation, or a container, was over; what it then saw is what is compared. */
async function untilDone({ responseBody }: Exchange, ask: () => Promise<Answer>): Promise<Answer> {
  const answer = await ask()
  if (stateOf(responseBody) !== 'Succeeded') return answer
  return await vi.waitUntil(
    async () => {
      const now = await ask()
      return ['Accepted', 'Pending', 'Running'].includes(stateOf(now.body) ?? '') ? undefined : now
    },
    { timeout: 10_000, interval: 10 },
  )
}

function stateOf(body: unknown): string | undefined {
  const { status, properties } = (body ?? {}) as {
    readonly status?: string
    readonly properties?: { readonly instanceView?: { readonly state?: string } }
  }
  return status ?? properties?.instanceView?.state
}

const NO_EXPORT = 'templates are not kept, and none is made of what is there: SkerryNotCovered'

describe.skipIf(!recordingsPresent)('the recorded traffic of Resource Manager is answered the same', () => {
  it('life of a vault: made, read, listed, given policies, patched, deleted, purged', async () => {
    seedResources(arm.world.ctx, {
      resourceGroups: [{ name: 'rgname' }],
      vaults: [{ name: 'sample-vault', resourceGroup: 'other' }],
    })
    await replay('arm-vault-lists', {
      listed: [
        [
          /^GET Microsoft\.KeyVault\/vaults body\.value: 1 items for 0/,
          'the service may give short pages, even empty ones',
        ],
      ],
    })
  })
  it('a resource group', async () => {
    await replay('arm-resource-group', {
      listed: [
        [/^POST \w+\/exportTemplate (status: 501|body\.)/, NO_EXPORT],
        [
          /^GET operationresults\/\S+ (status: 200 for 202|header location)/,
          'an empty group is gone by the first poll',
        ],
      ],
    })
  })
  it('a role assignment', async () => {
    seedResources(arm.world.ctx, {
      resourceGroups: [{ name: 'test_mgmt_authorization_test_role_assignment9e52125c' }],
    })
    ensureServicePrincipal(arm.world.ctx, {
      objectId: '6d33bfc8-e476-11e8-915d-f2801f1b9fd1',
      displayName: 'recorded',
      kind: 'application',
    })
    await replay('arm-role-assignment')
  })
  it('a role definition asked by name', async () => {
    seedResources(arm.world.ctx, {
      resourceGroups: [{ name: 'test_mgmt_authorization_test_role_definitionsb07e12bf' }],
    })
    await replay('arm-role-definition-by-name', {
      listed: [[/notActions: 11 items for 5/, 'the role was given six more since 2018']],
    })
  })
  it('a role definition that is not there', async () => {
    await replay('arm-role-definition-missing')
  })
  it('the permissions of the caller, who is an owner', async () => {
    const name = 'test_mgmt_authorization_test_authorization7af511a3'
    seedResources(arm.world.ctx, { resourceGroups: [{ name }] })
    const owner = arm.principal('owner')
    const group = `/subscriptions/${arm.subscription}/resourceGroups/${name}`
    await arm.send(
      'PUT',
      `${group}/providers/Microsoft.Authorization/roleAssignments/11111111-2222-4333-8444-555555555555?api-version=2022-04-01`,
      { properties: { roleDefinitionId: findRoleByRoleName('Owner')?.name, principalId: owner.objectId } },
    )
    await replay('arm-permissions', { authorization: `Bearer ${await arm.token(owner)}` })
  })
  it('subscriptions and locations', async () => {
    await replay('arm-subscriptions-2019-11-01', {
      listed: [[/managedByTenants: 0 items for 1/, 'no other tenant manages the emulated subscription']],
    })
  })
  it('tenants', async () => {
    await replay('arm-tenants', {
      listed: [[/^GET \/tenants body\.value\[\]\.id: /, 'the recorder wrote zeros for the tenant']],
    })
  })
  it('a user-assigned identity', async () => {
    seedResources(arm.world.ctx, { resourceGroups: [{ name: 'rgname' }] })
    await replay('arm-user-assigned-identity')
  })
  it('an attestation provider', async () => {
    seedResources(arm.world.ctx, {
      resourceGroups: [{ name: 'test_cli_mgmt_attestation_test_attestation76ba1178' }],
    })
    await replay('arm-attestation-provider', {
      listed: [
        [/header www-authenticate: missing/, 'a preview of 2020 showed the challenge of the service behind it'],
        [/body\.id: \/subscriptions\/.* for subscriptions\//, 'the same preview left out the first slash of ids'],
        [/attestUri: \S+\.eus\.\S+ for \S+\.us\./, 'the short name of the region East US is another one since'],
      ],
    })
  })
  it('a deployment, of an identity in place of an availability set', async () => {
    seedResources(arm.world.ctx, { resourceGroups: [{ name: 'rgname', location: 'westus' }] })
    await replay('arm-deployment-group', {
      change: (text) =>
        text
          .replaceAll('Microsoft.Compute/availabilitySets', 'Microsoft.ManagedIdentity/userAssignedIdentities')
          .replaceAll('"Microsoft.Compute"', '"Microsoft.ManagedIdentity"')
          .replaceAll('"availabilitySets"', '"userAssignedIdentities"'),
      listed: [
        [/outputs\.myparameter\.value\.\w+: (missing|added)/, 'the output is the identity, not the availability set'],
        [/statusCode: Created for OK/, 'a new identity is answered with 201, a new availability set with 200'],
        [/operations(\/\w+)? body(\.value\[\])?\.id: /, 'ends in the id of the operation, which is made up'],
        [/\/whatIf (status: 501|header location|body)/, 'what-if is not covered: SkerryNotCovered'],
        [/^GET operationresults\/\S+ (status: 404 for 200|body\.)/, 'the result of that what-if'],
        [/\/cancel body\.error\.message: /, 'names the time at which the deployment expires'],
        [/\/exportTemplate (status: 501|body\.)/, NO_EXPORT],
      ],
    })
  })
  it('a container group, of a confidential image in place of alpine', async () => {
    seedResources(arm.world.ctx, {
      resourceGroups: [{ name: 'test_mgmt_containerinstance_test_container_instance26441510', location: 'westus' }],
    })
    const confidential = {
      sku: 'Confidential',
      confidentialComputeProperties: { ccePolicy: Buffer.from('package policy\n').toString('base64') },
    }
    const properties = JSON.stringify(confidential).slice(1, -1)
    await replay('arm-container-group', {
      change: (text) =>
        text
          .replaceAll('"image":"alpine:latest"', '"image":"test.azurecr.io/app:1","command":["/end"]')
          .replaceAll('alpine:latest', 'test.azurecr.io/app:1')
          .replaceAll('"osType":"Linux"', `"osType":"Linux",${properties}`),
      listed: [
        [/\.(provisioningTimeoutInSeconds|isCustomProvisioningTimeout|initContainers): added/, 'since 2018'],
        [/^PUT \S+ body\.properties\.instanceView\.events: added/, 'since 2018, on the first answer, too'],
        [/properties\.diagnostics: missing/, 'there is no log analytics that could be told'],
        [/instanceView\.previousState: added/, 'that the container ran before it ended is told, too'],
        [/message: (Created|Started) container for/, 'without the id of the container, which is made up'],
        [/\/exec (status: 501|body)/, 'exec is not covered: SkerryNotCovered'],
        [/^GET operations\/5dd8\S+ body\.properties\.events\[\]\.count: 2 for 1/, 'the restart is counted at once'],
      ],
    })
  })
})
