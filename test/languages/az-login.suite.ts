import { type ChildProcess, spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { COLLECTIONS, type RoleAssignmentRecord } from '../../emulator/src/core/index.ts'
import { TEST_CACHE_DIRECTORY } from '../../emulator/src/core/test-context.ts'
import { createEmulator, type Emulator, type WireEndpoint } from '../../emulator/src/emulator.ts'
import { createManagedIdentity, ensureApplication, ensureIssuer, ensureUser } from '../../emulator/src/entra/index.ts'
import { testCertificate } from '../../emulator/src/entra/test-clients.ts'
import { findRoleByRoleName } from '../../emulator/src/rbac/index.ts'
import { temporaryFolder } from '../support/skerry.ts'
import { pythonEnvironment } from './python-environment.ts'
import { run } from './toolchain.ts'

// An unmodified `az` logs in in every way that it has, and gets a token for the vault afterwards.

const ISSUER = 'https://cluster.example'
const VAULT = 'https://vault.azure.net'

let unavailable: string | undefined
let program = ''
let emulator: Emulator
let wire: WireEndpoint
let logins = 0
const folder = temporaryFolder()

beforeAll(async () => {
  const prepared = await pythonEnvironment('az', join(import.meta.dirname, 'az', 'requirements.txt'))
  if ('unavailable' in prepared) {
    unavailable = prepared.unavailable
    process.stdout.write(`az login: skipped. ${unavailable}\n`)
    return
  }
  program = join(prepared.ready, 'az')
  emulator = await createEmulator({ cacheDir: TEST_CACHE_DIRECTORY })
  wire = await emulator.listen()
}, 900_000)
afterAll(async () => {
  await emulator?.close()
  folder[Symbol.dispose]()
})
beforeEach((ctx) => {
  if (unavailable !== undefined) ctx.skip(unavailable)
})

/** Each login begins with no account that az would remember. */
function freshShell(): NodeJS.ProcessEnv {
  logins += 1
  return {
    PATH: process.env.PATH,
    HOME: folder.path,
    AZURE_CONFIG_DIR: join(folder.path, `az-${logins}`),
    AZURE_CORE_COLLECT_TELEMETRY: 'no',
    AZURE_CORE_ONLY_SHOW_ERRORS: 'yes',
    ...wire.environment,
  }
}

/** Lets a principal see the subscription. */
function reader<T extends { readonly objectId: string }>(principal: T): T {
  const { store, seed, random } = emulator.context
  const scope = `/subscriptions/${seed.subscriptionId}`
  const name = random.uuid()
  const record: RoleAssignmentRecord = {
    id: `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`,
    name,
    scope,
    roleDefinitionId: `${scope}/providers/Microsoft.Authorization/roleDefinitions/${findRoleByRoleName('Reader')?.name}`,
    principalId: principal.objectId,
    createdOn: '2026-01-01T00:00:00Z',
    createdBy: seed.admin.objectId,
  }
  store.collection<RoleAssignmentRecord>(COLLECTIONS.roleAssignments).put(record.id.toLowerCase(), record)
  return principal
}

const json = (text: string) => JSON.parse(text) as Record<string, unknown>

/** The object id in the token for the vault that az gets once logged in; it must see the one subscription. */
async function login(shell: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await run(program, ['login', ...args, '--output', 'json'], {
    env: shell,
    timeoutMs: 60_000,
  })
  expect(code, stderr).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject([{ id: emulator.context.seed.subscriptionId, state: 'Enabled' }])
  return await whoAmI(shell)
}

async function whoAmI(shell: NodeJS.ProcessEnv): Promise<unknown> {
  const ask = ['account', 'get-access-token', '--resource', VAULT, '--output', 'json']
  const { code, stdout, stderr } = await run(program, ask, { env: shell, timeoutMs: 60_000 })
  expect(code, stderr).toBe(0)
  const claims = String(json(stdout).accessToken).split('.')[1]!
  return json(Buffer.from(claims, 'base64url').toString()).oid
}

const asServicePrincipal = (clientId: string) => [
  ...['--service-principal', '--username', clientId, '--tenant', emulator.context.seed.tenantId],
]

describe('az login', () => {
  it('--service-principal --password', async () => {
    const { admin } = emulator.context.seed
    expect(await login(freshShell(), ...asServicePrincipal(admin.clientId), `--password=${admin.clientSecret}`)).toBe(
      admin.objectId,
    )
  })

  it.each([[[]], [['--use-cert-sn-issuer']]])('--service-principal --certificate %s', async (more) => {
    const certificate = await testCertificate(emulator.context, 'az')
    const app = reader(ensureApplication(emulator.context, { displayName: 'az', certificates: [certificate.pem] }))
    const file = join(folder.path, 'certificate.pem')
    writeFileSync(file, `${certificate.privatePem}${certificate.pem}`, { mode: 0o600 })
    const args = [...asServicePrincipal(app.clientId), '--certificate', file, ...more]
    expect(await login(freshShell(), ...args)).toBe(app.objectId)
  })

  it('--service-principal --federated-token', async () => {
    const issuer = await testCertificate(emulator.context, 'cluster')
    const key = new X509Certificate(issuer.der).publicKey.export({ format: 'jwk' })
    ensureIssuer(emulator.context, { issuer: ISSUER, keys: [{ ...key, kid: 'k' }] })
    const audiences = ['api://AzureADTokenExchange']
    const credential = { name: 'cluster', issuer: ISSUER, subject: 'pipeline', audiences }
    const app = reader(ensureApplication(emulator.context, { displayName: 'ci', federatedCredentials: [credential] }))
    const token = await new SignJWT({ iss: ISSUER, sub: 'pipeline', aud: audiences })
      .setProtectedHeader({ alg: 'RS256', kid: 'k' })
      .setIssuedAt()
      .setExpirationTime('10m')
      .sign(issuer.privateKey)
    expect(await login(freshShell(), ...asServicePrincipal(app.clientId), '--federated-token', token)).toBe(
      app.objectId,
    )
  })

  it('--username --password, as a user', async () => {
    const user = reader(ensureUser(emulator.context, { userPrincipalName: 'ada', password: 'correct horse' }))
    expect(await login(freshShell(), '--username', user.userPrincipalName, '--password', 'correct horse')).toBe(
      user.objectId,
    )
  })

  it('--use-device-code, while a person uses the page that it names', async () => {
    const user = reader(ensureUser(emulator.context, { userPrincipalName: 'grace' }))
    const shell = freshShell()
    const child = spawn(program, ['login', '--use-device-code', '--output', 'json'], {
      env: { ...shell, AZURE_CORE_ONLY_SHOW_ERRORS: 'no' },
    })
    const [page, code] = await toldToOpen(child)
    expect(page).toBe(`${wire.url}/.skerry/device`)
    const body = new URLSearchParams({ code, action: 'approve', user: user.userPrincipalName })
    const answer = await fetch(page, { method: 'POST', body, headers: { origin: wire.url } })
    expect(await answer.text()).toContain('Signed in')
    expect(await new Promise((done) => child.on('close', done))).toBe(0)
    expect(await whoAmI(shell)).toBe(user.objectId)
  })

  it.each(['instance metadata', 'App Service'])('--identity, by %s', async (place) => {
    const { seed } = emulator.context
    const id = `/subscriptions/${seed.subscriptionId}/resourceGroups/r/providers/Microsoft.ManagedIdentity/userAssignedIdentities/az`
    const identity = createManagedIdentity(emulator.context, { id, name: 'az', location: 'westeurope' })
    reader({ objectId: identity.principalId })
    const shell = { ...freshShell(), ...(place === 'App Service' && wire.appServiceEnvironment()) }
    expect(await login(shell, '--identity', '--client-id', identity.clientId)).toBe(identity.principalId)
  })

  it('and names users and applications by what Microsoft Graph tells of them', async () => {
    const { admin, subscriptionId } = emulator.context.seed
    const shell = freshShell()
    await login(shell, ...asServicePrincipal(admin.clientId), `--password=${admin.clientSecret}`)
    const user = ensureUser(emulator.context, { userPrincipalName: 'alan' })
    const app = ensureApplication(emulator.context, { displayName: 'assigned' })
    const scope = ['--scope', `/subscriptions/${subscriptionId}`]
    for (const [assignee, principalId] of [
      [user.userPrincipalName, user.objectId],
      [app.clientId, app.objectId],
    ] as const) {
      const args = ['role', 'assignment', 'create', '--role', 'Key Vault Reader', '--assignee', assignee, ...scope]
      const { code, stdout, stderr } = await run(program, [...args, '--output', 'json'], {
        env: shell,
        timeoutMs: 60_000,
      })
      expect(code, stderr).toBe(0)
      expect(json(stdout)).toMatchObject({ principalId })
    }
    const shown = await run(program, ['ad', 'user', 'show', '--id', user.userPrincipalName], {
      env: shell,
      timeoutMs: 60_000,
    })
    expect(json(shown.stdout)).toMatchObject({ id: user.objectId })
  })

  it('says with Entra’s number why it could not', async () => {
    const { admin } = emulator.context.seed
    const args = ['login', ...asServicePrincipal(admin.clientId), '--password=guess']
    const { code, stderr } = await run(program, args, { env: freshShell(), timeoutMs: 60_000 })
    expect(code).toBe(1)
    expect(stderr).toContain('AADSTS7000215')
  })
})

/** The address and the code of "To sign in, use a web browser to open the page … and enter the code …". */
async function toldToOpen(child: ChildProcess): Promise<[page: string, code: string]> {
  let text = ''
  // What it says afterwards is read too: a closed pipe would end it.
  for await (const part of child.stderr!.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    text += part.toString()
    const found = /open the page (\S+) and enter the code (\S+) to/.exec(text)
    if (found === null) continue
    child.stderr!.resume()
    return [found[1]!, found[2]!]
  }
  throw new Error(`az asked nobody to sign in: ${text}`)
}
