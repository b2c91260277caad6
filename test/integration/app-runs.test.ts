import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JournalRecord } from '../../emulator/src/core/index.ts'
import { type AppWorld, startAppWorld, type View } from '../support/app-world.ts'
import { type ExampleTemplate, exampleBody, groupOf, withPolicy } from '../support/example.ts'
import { until } from '../support/until.ts'

// The life of a deployment, told by the app's own HTTP API and checked in the emulated Azure: with the guest's real
// sidecar and clients in the containers.

const VAULT = 'app-runs.vault.azure.net'
const HSM = 'app-runs.managedhsm.azure.net'

let world: AppWorld
beforeAll(async () => {
  world = await startAppWorld({
    vaults: [{ name: 'app-runs', resourceGroup: 'rg' }],
    managedHsms: [{ name: 'app-runs', resourceGroup: 'rg' }],
  })
})
afterAll(() => world[Symbol.asyncDispose]())

const hostDataOf = (text: string) => createHash('sha256').update(text).digest('hex')
const NEXT_POLICY = 'package policy\n\napi_version := "0.11.0"\n'

async function act(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<View> {
  const answer = await world.call(method, path, body)
  expect(answer.text).not.toContain('errors')
  expect(answer.status).toBe(202)
  const location = answer.headers.get('location')!
  expect(location).toMatch(/^\/api\/deployments\/[a-z-]+$/)
  return await world.ended(location.slice('/api/deployments/'.length))
}

/** Host data values that the key's release policy accepts, read through the official client. */
async function acceptedHostData(vaultHost: string, key: string): Promise<string[]> {
  const { properties } = await world.keys(vaultHost).getKey(key)
  const policy = JSON.parse(Buffer.from(properties.releasePolicy!.encodedPolicy!).toString()) as {
    anyOf: { allOf: { claim: string; equals: string }[] }[]
  }
  return policy.anyOf.flatMap(({ allOf }) =>
    allOf.filter(({ claim }) => claim === 'x-ms-sevsnpvm-hostdata').map(({ equals }) => equals),
  )
}

const decisions = (wanted: Partial<JournalRecord>) =>
  world.emulator.context.journal
    .records()
    .filter((record) => Object.entries(wanted).every(([name, value]) => record[name as keyof JournalRecord] === value))

const stepsOf = (view: View) => view.steps.map(({ name, outcome }) => `${name}: ${outcome}`)

describe('a deployment', () => {
  const body = exampleBody({ name: 'life', vaultHost: VAULT })
  const path = '/api/deployments/life'
  const next = withPolicy(body.template, NEXT_POLICY)
  let running: View

  it('is accepted with its own address, and refused a second time while it is under way and after', async () => {
    const first = await world.call('POST', '/api/deployments', body)
    expect(first.status).toBe(202)
    expect(first.headers.get('location')).toBe(path)
    const second = await world.call('POST', '/api/deployments', body)
    expect([second.status, second.body.code]).toEqual([409, 'ERR_BUSY'])
    running = await world.ended('life')
    expect(running.failure).toBeUndefined()
    expect(running.phase).toBe('Running')
    const third = await world.call('POST', '/api/deployments', body)
    expect([third.status, third.body.code]).toEqual([409, 'ERR_EXISTS'])
  })

  it('has shown that its container holds the key, under a policy for its host data alone', async () => {
    expect(running.proof).toMatchObject({ keyVersion: running.key!.version })
    expect(await acceptedHostData(VAULT, 'life')).toEqual([running.hostData])
    const { content } = (await world.arm(`${running.group!.id}/containers/key-release/logs`))!
    expect(content).toContain(`sha256=${running.proof!.plaintextSha256}`)
  })

  it('is in the list', async () => {
    const { body: list } = await world.call('GET', '/api/deployments')
    expect(list.deployments).toContainEqual(expect.objectContaining({ name: 'life', phase: 'Running' }))
  })

  it('upgraded to another policy is replaced and proven, and the old host data loses the key', async () => {
    const before = decisions({ operation: 'startContainerGroup' }).length
    const upgraded = await act('POST', `${path}/upgrade`, { template: next })
    expect(upgraded.failure).toBeUndefined()
    expect(upgraded.phase).toBe('Running')
    expect(upgraded.hostData).toBe(hostDataOf(NEXT_POLICY))
    expect(upgraded.key).toEqual(running.key)
    expect(upgraded.proof!.plaintextSha256).not.toBe(running.proof!.plaintextSha256)
    expect(decisions({ operation: 'startContainerGroup' })).toHaveLength(before + 1)
    expect(await acceptedHostData(VAULT, 'life')).toEqual([hostDataOf(NEXT_POLICY)])
    expect(upgraded.steps.map(({ name }) => name)).toEqual([
      'digest CCE policy',
      'check template',
      'accept old and new',
      'challenge',
      'deploy',
      'run',
      'prove release',
      'accept the new only',
    ])
  })

  it('comes back to its template and policy when the next one cannot run', async () => {
    const broken = withPolicy(body.template, 'package policy\n\nbroken := true\n')
    groupOf(broken).properties.containers[3]!.properties.image = 'mcr.microsoft.com/aci/none:1'
    const kept = await act('POST', `${path}/upgrade`, { template: broken })
    expect(kept.phase).toBe('Running')
    expect(kept.failure).toMatchObject({ step: 'deploy', reason: expect.stringContaining('InaccessibleImage') })
    expect(kept.hostData).toBe(hostDataOf(NEXT_POLICY))
    expect(await acceptedHostData(VAULT, 'life')).toEqual([hostDataOf(NEXT_POLICY)])
    const { content } = (await world.arm(`${kept.group!.id}/containers/key-release/logs`))!
    expect(content).toContain(`sha256=${kept.proof!.plaintextSha256}`)
  })

  it('is not touched by a template that would make another group, or another identity', async () => {
    const others: [string, (template: ExampleTemplate) => void][] = [
      ['ERR_GROUP_CHANGED', (template) => Object.assign(groupOf(template), { name: 'another' })],
      ['InvalidTemplate', (template) => Object.assign(groupOf(template), { name: "[parameters('absent')]" })],
    ]
    const started = decisions({ operation: 'startContainerGroup' }).length
    for (const [code, change] of others) {
      const template = structuredClone(next)
      change(template)
      const kept = await act('POST', `${path}/upgrade`, { template })
      expect([kept.phase, kept.failure]).toEqual(['Running', expect.objectContaining({ step: 'check template', code })])
    }
    const template = structuredClone(next)
    groupOf(template).identity.userAssignedIdentities = {
      "[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'another')]": {},
    }
    const refusal = await world.call('POST', `${path}/upgrade`, { template })
    expect([refusal.status, refusal.body.code]).toEqual([400, 'ERR_IDENTITY_CHANGED'])
    expect(decisions({ operation: 'startContainerGroup' })).toHaveLength(started)
    expect(await acceptedHostData(VAULT, 'life')).toEqual([hostDataOf(NEXT_POLICY)])
  })

  it('gets a new key version under the same policy when told to rotate', async () => {
    const rotated = await act('POST', `${path}/rotate`)
    expect(rotated.failure).toBeUndefined()
    expect(rotated.key!.version).not.toBe(running.key!.version)
    expect(rotated.proof!.keyVersion).toBe(rotated.key!.version)
    expect(rotated.rotations).toHaveLength(1)
    expect(await acceptedHostData(VAULT, 'life')).toEqual([hostDataOf(NEXT_POLICY)])
  })

  it('goes with group, key, role and identity; what is left is said, and purged when asked', async () => {
    const deleted = await act('DELETE', path)
    expect(deleted.phase).toBe('Deleted')
    expect(stepsOf(deleted)).toEqual([
      'remove group: done',
      'remove key: done',
      'remove role: done',
      'remove identity: done',
    ])
    expect(deleted.remains).toEqual([expect.stringMatching(/key life is soft-deleted/)])
    expect(await world.arm(running.group!.id)).toBeUndefined()
    const client = world.keys(VAULT)
    expect((await client.getDeletedKey('life')).name).toBe('life')

    expect((await world.call('DELETE', `${path}?purge=perhaps`)).status).toBe(400)
    const purged = await act('DELETE', `${path}?purge=true`)
    expect(stepsOf(purged)).toEqual(['remove key: done'])
    expect(purged.remains).toEqual([])
    await expect(client.getDeletedKey('life')).rejects.toMatchObject({ statusCode: 404 })
  })

  it('leaves its name free', async () => {
    expect((await world.call('POST', `${path}/rotate`)).status).toBe(409)
    const again = await world.deploy(body)
    expect([again.phase, again.failure]).toEqual(['Running', undefined])
    expect((await act('DELETE', `${path}?purge=true`)).remains).toEqual([])
  })
})

describe('a deployment with a key of a managed HSM', () => {
  it('has an oct key released and proven, under a role on that one key, and goes again', async () => {
    const body = exampleBody({ name: 'hsm', vaultHost: HSM, kty: 'oct-HSM' })
    const running = await world.deploy(body)
    expect(running.failure).toBeUndefined()
    expect(running.role).toEqual({ name: 'Managed HSM Crypto Service Release User', scope: '/keys/hsm' })
    const key = await world.keys(HSM).getKey('hsm')
    expect([key.keyType, key.properties.exportable]).toEqual(['oct-HSM', true])
    const rotated = await act('POST', '/api/deployments/hsm/rotate')
    expect([rotated.failure, rotated.proof?.keyVersion]).toEqual([undefined, rotated.key?.version])
    const deleted = await act('DELETE', '/api/deployments/hsm?purge=true')
    expect([deleted.phase, deleted.remains]).toEqual(['Deleted', []])
  })
})

describe('a key alone', () => {
  const { importKeyConfig, template } = exampleBody({ name: 'alone', vaultHost: VAULT })
  const ccePolicy = groupOf(template).properties.confidentialComputeProperties.ccePolicy
  const location = `/api/keys/${VAULT}/alone`
  const ended = () =>
    until(async () => {
      const { body } = await world.call('GET', location)
      return body.phase === 'Importing' ? undefined : body
    })

  it('is made exportable under its release policy, and told by its own address', async () => {
    const answer = await world.call('POST', '/api/keys', { importKeyConfig, ccePolicy })
    expect([answer.status, answer.headers.get('location')]).toEqual([202, location])
    const made = await ended()
    const key = await world.keys(VAULT).getKey('alone')
    expect(made).toEqual({ name: 'alone', phase: 'Imported', id: key.id, version: key.properties.version })
    expect(await acceptedHostData(VAULT, 'alone')).toEqual([
      createHash('sha256').update(Buffer.from(ccePolicy, 'base64')).digest('hex'),
    ])
  })

  it('that exists is refused, and stays as it is', async () => {
    const before = await world.keys(VAULT).getKey('alone')
    await world.call('POST', '/api/keys', { importKeyConfig, ccePolicy })
    expect(await ended()).toMatchObject({ phase: 'Failed', failure: { code: 'ERR_KEY_EXISTS' } })
    expect(await world.keys(VAULT).getKey('alone')).toEqual(before)
  })
})

it('no answer of the app leads to Durable’s management API', () => {
  expect(world.said.length).toBeGreaterThan(50)
  for (const text of world.said) expect(text).not.toMatch(/durabletask|webhooks|instances\/|code=|Uri"/i)
})
