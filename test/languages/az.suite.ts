import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { pythonEnvironment } from './python-environment.ts'
import { type Finished, run } from './toolchain.ts'
import { type LanguageWorld, startWorld } from './world.ts'

// An unmodified `az`, told of nothing but the proxy and the certificate authority. Each test goes on where the one before
// it ended, as a person at a shell would.

let world: LanguageWorld | undefined
let unavailable: string | undefined
let program = ''
let environment: NodeJS.ProcessEnv = {}

beforeAll(async () => {
  const prepared = await pythonEnvironment('az', join(import.meta.dirname, 'az', 'requirements.txt'))
  if ('unavailable' in prepared) {
    unavailable = prepared.unavailable
    process.stdout.write(`az: skipped. ${unavailable}\n`)
    return
  }
  world = await startWorld()
  program = join(prepared.ready, 'az')
  environment = {
    ...world.environment,
    AZURE_CONFIG_DIR: join(world.folder, 'az'),
    AZURE_CORE_COLLECT_TELEMETRY: 'no',
    AZURE_CORE_ONLY_SHOW_ERRORS: 'yes',
  }
}, 900_000)

afterAll(async () => await world?.[Symbol.asyncDispose]())

beforeEach((ctx) => {
  if (unavailable !== undefined) ctx.skip(unavailable)
})

const command = async (...args: readonly string[]): Promise<Finished> =>
  await run(program, [...args, '--output', 'json'], { env: environment, timeoutMs: 60_000 })

/** What the command prints, which is JSON or nothing. */
async function az(...args: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await command(...args)
  expect(code, `az ${args.join(' ')}: ${stderr}`).toBe(0)
  return stdout.trim() === '' ? undefined : JSON.parse(stdout)
}

const POLL = { timeout: 30_000, interval: 500 } as const

const named = (list: unknown) => (list as { kid: string }[]).map(({ kid }) => kid.split('/').slice(3, 5).join('/'))

describe('az', () => {
  it('logs in with the seeded principal', async () => {
    const { AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_TENANT_ID, AZURE_SUBSCRIPTION_ID } = environment
    const accounts = await az(
      'login',
      '--service-principal',
      '--username',
      `${AZURE_CLIENT_ID}`,
      // One word, since a secret may begin with a dash.
      `--password=${AZURE_CLIENT_SECRET}`,
      '--tenant',
      `${AZURE_TENANT_ID}`,
    )
    expect(accounts).toMatchObject([{ id: AZURE_SUBSCRIPTION_ID, tenantId: AZURE_TENANT_ID, isDefault: true }])
  })

  it('logs in with a certificate, and with a federated token', async () => {
    const { AZURE_TENANT_ID } = environment
    const { application, folder } = world!
    const login = ['login', '--service-principal', '--tenant', `${AZURE_TENANT_ID}`, '--username', application.clientId]
    for (const proof of [
      ['--certificate', application.certificateFile],
      ['--federated-token', readFileSync(application.tokenFile, 'utf8')],
    ]) {
      // The seeded principal stays logged in.
      const env = { ...environment, AZURE_CONFIG_DIR: join(folder, 'az-of-another') }
      const args = [...login, ...proof, '--allow-no-subscriptions', '--output', 'json']
      const { code, stdout, stderr } = await run(program, args, { env, timeoutMs: 60_000 })
      expect(code, stderr).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject([{ user: { name: application.clientId } }])
      const key = ['keyvault', 'key', 'list', '--vault-name', 'skerry']
      expect((await run(program, key, { env, timeoutMs: 60_000 })).code).toBe(0)
    }
  })

  describe.each([
    ['--vault-name', 'https://skerry.vault.azure.net'],
    ['--hsm-name', 'https://skerry.managedhsm.azure.net'],
  ])('keyvault key %s', (option, url) => {
    const key = async (verb: string, name: string, ...args: readonly string[]) =>
      await az('keyvault', 'key', verb, option, 'skerry', '--name', name, ...args)
    const list = async (verb: string, ...args: readonly string[]) =>
      named(await az('keyvault', 'key', verb, option, 'skerry', ...args))

    it('create, show', async () => {
      const made = await key('create', 'k', '--kty', 'RSA', '--size', '2048', '--tags', 'a=b')
      expect(made).toMatchObject({ key: { kid: expect.stringMatching(`^${url}/keys/k/[0-9a-f]{32}$`) } })
      expect(await key('show', 'k')).toEqual(made)
    })

    it('list, list-versions', async () => {
      await key('create', 'k', '--kty', 'RSA', '--size', '2048')
      expect(await list('list')).toEqual(['keys/k'])
      expect(await list('list-versions', '--name', 'k')).toEqual(['keys/k', 'keys/k'])
    })

    it('rotation-policy update, rotate', async () => {
      const policy = {
        lifetimeActions: [{ trigger: { timeAfterCreate: 'P60D', timeBeforeExpiry: null }, action: { type: 'Rotate' } }],
        attributes: { expiryTime: 'P120D' },
      }
      const written = await az(
        ...['keyvault', 'key', 'rotation-policy', 'update', option, 'skerry', '--name', 'k'],
        ...['--value', JSON.stringify(policy)],
      )
      expect(written).toMatchObject({ expiresIn: 'P120D' })
      expect(await key('rotate', 'k')).toMatchObject({ attributes: { expires: expect.any(String) } })
      expect(await list('list-versions', '--name', 'k')).toHaveLength(3)
    })

    it('encrypt, decrypt', async () => {
      const algorithm = ['--algorithm', 'RSA-OAEP-256'] as const
      const value = Buffer.from('plaintext').toString('base64')
      const sent = (await key('encrypt', 'k', ...algorithm, '--value', value)) as { result: string }
      expect(sent.result).not.toBe(value)
      const back = await key('decrypt', 'k', ...algorithm, '--value', sent.result)
      expect(back).toMatchObject({ result: value })
    })

    it('create --exportable true --policy FILE', async () => {
      const file = join(world?.folder ?? '', 'policy.json')
      const authority = world?.endpoints.maa
      const rule = { authority, allOf: [{ claim: 'x-ms-attestation-type', equals: 'sevsnpvm' }] }
      writeFileSync(file, JSON.stringify({ version: '1.0.0', anyOf: [rule] }))
      const exportable = ['--kty', 'RSA-HSM', '--size', '2048', '--exportable', 'true', '--policy', file]
      expect(await key('create', 'released', ...exportable)).toMatchObject({
        attributes: { exportable: true },
        releasePolicy: { encodedPolicy: expect.any(String), immutable: false },
      })
    })

    it('create --default-cvm-policy', async () => {
      const exportable = ['--kty', 'EC-HSM', '--curve', 'P-256', '--exportable', 'true', '--default-cvm-policy']
      const { releasePolicy } = (await key('create', 'released', ...exportable)) as {
        releasePolicy: { encodedPolicy: string }
      }
      expect(releasePolicy.encodedPolicy).toContain(`${world?.endpoints.maa}`)
    })

    it('delete, list-deleted, purge', async () => {
      await key('delete', 'k')
      expect(await list('list-deleted')).toEqual(['keys/k'])
      expect(await list('list')).toEqual(['keys/released'])
      await key('purge', 'k')
      expect(await list('list-deleted')).toEqual([])
    })

    it('show of what is not there says so and fails', async () => {
      const { code, stderr } = await command('keyvault', 'key', 'show', option, 'skerry', '--name', 'nobody')
      expect(code).not.toBe(0)
      expect(stderr).toContain('KeyNotFound')
    })
  })

  it('keyvault create, show, delete, purge', async () => {
    await az('group', 'create', '--name', 'rg', '--location', 'westeurope')
    const vault = ['--name', 'contoso-by-az'] as const
    await az('keyvault', 'create', ...vault, '--resource-group', 'rg', '--location', 'westeurope', '--sku', 'premium')
    expect(await az('keyvault', 'show', ...vault)).toMatchObject({
      properties: { vaultUri: 'https://contoso-by-az.vault.azure.net/', sku: { name: 'premium' } },
    })
    await az('keyvault', 'delete', ...vault)
    expect(await az('keyvault', 'list-deleted', '--resource-type', 'vault')).toMatchObject([{ name: 'contoso-by-az' }])
    await az('keyvault', 'purge', ...vault, '--no-wait')
    await expect.poll(async () => await az('keyvault', 'list-deleted', '--resource-type', 'vault'), POLL).toEqual([])
  })

  it('keyvault create --hsm-name, show, delete, purge', async () => {
    const hsm = ['--hsm-name', 'contosohsm'] as const
    const where = ['--resource-group', 'rg', '--location', 'westeurope'] as const
    const administrators = ['--administrators', '11111111-2222-3333-4444-555555555555', '--retention-days', '7']
    const purgeable = ['--enable-purge-protection', 'false']
    // az looks every 30 seconds whether an operation that takes long has ended, unless it is told to wait otherwise.
    await az('keyvault', 'create', ...hsm, ...where, ...administrators, ...purgeable, '--no-wait')
    await az('keyvault', 'wait-hsm', ...hsm, '--created', '--interval', '1')
    expect(await az('keyvault', 'show', ...hsm)).toMatchObject({
      properties: { hsmUri: 'https://contosohsm.managedhsm.azure.net/', softDeleteRetentionInDays: 7 },
    })
    await az('keyvault', 'delete', ...hsm, '--no-wait')
    expect(await az('keyvault', 'list-deleted', '--resource-type', 'hsm')).toMatchObject([{ name: 'contosohsm' }])
    await az('keyvault', 'purge', ...hsm, '--no-wait')
    await expect.poll(async () => await az('keyvault', 'list-deleted', '--resource-type', 'hsm'), POLL).toEqual([])
  })

  it('keyvault role assignment create, list, delete', async () => {
    const hsm = ['--hsm-name', 'skerry'] as const
    const role = ['--role', 'Managed HSM Crypto Auditor', '--scope', '/keys'] as const
    const identity = await az('identity', 'create', '--name', 'auditor', '--resource-group', 'rg')
    const { principalId } = identity as { principalId: string }
    const assignee = ['--assignee-object-id', principalId] as const
    const whom = [...assignee, '--assignee-principal-type', 'ServicePrincipal']
    await az('keyvault', 'role', 'assignment', 'create', ...hsm, ...role, ...whom)
    const list = ['keyvault', 'role', 'assignment', 'list', ...hsm, '--scope', '/keys', ...assignee] as const
    expect(await az(...list)).toMatchObject([{ principalId, roleName: 'Managed HSM Crypto Auditor' }])
    await az('keyvault', 'role', 'assignment', 'delete', ...hsm, ...role, ...assignee)
    expect(await az(...list)).toEqual([])
  })

  it('keyvault role definition list, create, delete', async () => {
    const hsm = ['--hsm-name', 'skerry'] as const
    const dataActions = ['Microsoft.KeyVault/managedHsm/keys/read/action']
    const definition = JSON.stringify({ roleName: 'Reader of keys', description: '', dataActions })
    const made = (await az('keyvault', 'role', 'definition', 'create', ...hsm, '--role-definition', definition)) as {
      name: string
    }
    const listed = (await az('keyvault', 'role', 'definition', 'list', ...hsm)) as { roleName: string }[]
    expect(listed.map(({ roleName }) => roleName)).toEqual(
      expect.arrayContaining(['Managed HSM Crypto User', 'Reader of keys']),
    )
    await az('keyvault', 'role', 'definition', 'delete', ...hsm, '--name', made.name)
  })
})
