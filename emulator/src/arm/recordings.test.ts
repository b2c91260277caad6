import { existsSync, readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seedResources } from './seed.ts'
import { type ArmWorld, createArmWorld } from './test-world.ts'

/** Recorded traffic of the live service (its README says from where); it lies beside the repository and not in it. */
const recordings = new URL('../../../../shared/vectors/recordings/', import.meta.url)
const present = existsSync(recordings)
if (!present) console.info('skipped: no recordings of Resource Manager beside this repository')

interface Exchange {
  readonly method: string
  readonly url: string
  readonly requestBody: unknown
  readonly status: number
  readonly responseBody: unknown
}

const RECORDED_SUBSCRIPTION = '00000000-0000-0000-0000-000000000000'
let arm: ArmWorld
beforeEach(() => {
  arm = createArmWorld()
})
afterEach(async () => {
  await arm[Symbol.asyncDispose]()
})

function read(name: string): Exchange[] {
  return (JSON.parse(readFileSync(new URL(name, recordings), 'utf8')) as { exchanges: Exchange[] }).exchanges
}

async function replay({ method, url, requestBody }: Exchange) {
  const { pathname, search } = new URL(url.replaceAll(RECORDED_SUBSCRIPTION, arm.subscription))
  const answer = await arm.send(method, pathname + search, requestBody ?? undefined)
  const text = (await answer.text()).replaceAll(arm.subscription, RECORDED_SUBSCRIPTION)
  return { status: answer.status, body: text === '' ? null : (JSON.parse(text) as unknown) }
}

/** Paths of all members, without the positions in arrays. */
function shape(value: unknown, path = ''): string[] {
  if (value === null || typeof value !== 'object') return [path]
  const entries = Object.entries(value).map(([key, item]) => [Array.isArray(value) ? '*' : key, item] as const)
  return [...new Set([path, ...entries.flatMap(([key, item]) => shape(item, `${path}/${key}`))])].toSorted()
}

describe.skipIf(!present)('the recorded traffic of Resource Manager', () => {
  it('of a resource group is answered the same, member for member', async () => {
    const story = read('arm-resource-group.json').filter(
      ({ url }) => !/operationresults|exportTemplate|resourcegroups\?/.test(url),
    )
    for (const exchange of story) {
      expect(await replay(exchange)).toEqual({ status: exchange.status, body: exchange.responseBody })
    }
  })
  it('of a role definition asked by name has the same members', async () => {
    seedResources(arm.world.ctx, {
      resourceGroups: [{ name: 'test_mgmt_authorization_test_role_definitionsb07e12bf' }],
    })
    const [exchange] = read('arm-role-definition-by-name.json')
    const { status, body } = await replay(exchange!)
    expect([status, shape(body)]).toEqual([exchange?.status, shape(exchange?.responseBody)])
  })
  it('of a role definition that is not there is answered the same', async () => {
    const [exchange] = read('arm-role-definition-missing.json')
    expect(await replay(exchange!)).toEqual({ status: exchange?.status, body: exchange?.responseBody })
  })
  it('of a user-assigned identity has the same members and the same id', async () => {
    seedResources(arm.world.ctx, { resourceGroups: [{ name: 'rgname' }] })
    const [exchange] = read('arm-user-assigned-identity.json')
    const { status, body } = await replay(exchange!)
    expect([status, shape(body)]).toEqual([exchange?.status, shape(exchange?.responseBody)])
    expect(body).toMatchObject({ id: (exchange!.responseBody as { id: string }).id })
  })
})
