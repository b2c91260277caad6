import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createRunner } from '../../emulator/src/run/index.ts'
import { type Command, ROOT, skerry, temporaryFolder } from '../support/skerry.ts'

/*
 * The sidecar's command as its image starts it, and the calls of the example's client containers as their scripts make
 * them, in one container group below `skerry run --isolate`: no proxy, no variable of ours, Azure's own names and ports.
 */

const MAA = 'sharedweu.weu.attest.azure.net'
const VAULT = 'group.vault.azure.net'
const HSM = 'group.managedhsm.azure.net'
const SIDECAR = `${process.execPath} ${join(ROOT, 'guest/bin/skerry-guest.mjs')} sidecar`
const ISSUER = 'https://oidc.example/cluster/'
const SUBJECT = 'system:serviceaccount:default:skr'
const [APP, OTHER] = ['7f0f0b5e-4a3a-4c0f-9d62-0d1a2b3c4d5e', '1c9e2f7a-6b5d-4e3c-8a2b-9f8e7d6c5b4a']
const TENANT = '3d1f6a58-9f2b-4a7e-8c4d-5e6f7a8b9c0d'

const workload = generateKeyPairSync('rsa', { modulusLength: 2048 })
const releasePolicy = {
  version: '1.0.0',
  anyOf: [{ authority: `https://${MAA}`, allOf: [{ claim: 'x-ms-sevsnpvm-is-debuggable', equals: 'false' }] }],
}
const inGroup = { resourceGroup: 'group' }
const seed = {
  tenantId: TENANT,
  federationIssuers: [
    { issuer: ISSUER, jwks: { keys: [{ ...workload.publicKey.export({ format: 'jwk' }), kid: 'k', use: 'sig' }] } },
  ],
  managedIdentities: [
    { name: 'other', clientId: OTHER, ...inGroup },
    {
      name: 'app',
      clientId: APP,
      ...inGroup,
      federatedCredentials: [{ name: 'skr', issuer: ISSUER, subject: SUBJECT }],
    },
  ],
  vaults: [{ name: 'group', ...inGroup }],
  managedHsms: [{ name: 'group', ...inGroup }],
  roleAssignments: [{ principal: 'app', role: 'Key Vault Crypto Service Release User', scope: 'vaults/group' }],
  localRoleAssignments: [
    { managedHsm: 'group', principal: 'app', role: 'Managed HSM Crypto Service Release User', scope: '/keys' },
  ],
  keys: [
    { vault: 'group', name: 'app-key', kty: 'EC-HSM', curve: 'P-384', exportable: true, releasePolicy },
    { managedHsm: 'group', name: 'app-key', kty: 'oct-HSM', keySize: 256, exportable: true, releasePolicy },
  ],
}

let folder: ReturnType<typeof temporaryFolder>
let env: NodeJS.ProcessEnv
let up: Command
beforeAll(async () => {
  folder = temporaryFolder()
  env = { ...process.env, XDG_RUNTIME_DIR: join(folder.path, 'runtime') }
  for (const name of Object.keys(env)) if (/_proxy$/i.test(name)) delete env[name]
  const file = join(folder.path, 'seed.json')
  writeFileSync(file, JSON.stringify(seed))
  up = skerry(['up', '--json', '--seed', file], env)
  await up.line(/^\{/)
  const assertion = await new SignJWT({})
    .setProtectedHeader({ alg: 'RS256', kid: 'k' })
    .setIssuer(ISSUER)
    .setSubject(SUBJECT)
    .setAudience('api://AzureADTokenExchange')
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(workload.privateKey)
  writeFileSync(join(folder.path, 'federated-token'), assertion)
})
afterAll(async () => {
  up?.child.kill('SIGTERM')
  await up?.ended
  folder?.[Symbol.dispose]()
})
beforeEach(async (ctx) => {
  const { device, networkNamespace, notices } = await createRunner().capabilities()
  if (device === 'none' || !networkNamespace) ctx.skip(notices.join(' '))
  if (spawnSync('curl', ['--version']).status !== 0) ctx.skip('no curl on this machine')
})

const azureInformation = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64')

interface Started {
  readonly port?: number
  readonly env?: Readonly<Record<string, string>>
  readonly flags?: string
}

/** Sidecars as their image's script starts them, then what a client container does, each line of it one call. */
async function group(sidecars: readonly Started[], calls: readonly string[]) {
  const starts = sidecars.map(({ port = 8080, env = {}, flags = '' }, at) => {
    const variables = Object.entries({ ...env, ...(port !== 8080 && { Port: String(port) }) })
    const words = variables.map(([name, value]) => `${name}=${value}`).join(' ')
    return `${words} ${SIDECAR} ${flags} > sidecar-${at}.out 2>&1 & pids="$pids $!"`
  })
  const waits = sidecars.map(
    ({ port = 8080 }) => `until curl --fail --silent -o /dev/null http://localhost:${port}/status; do sleep 0.1; done`,
  )
  const script = [
    `cd ${folder.path}`,
    ...starts,
    ...waits,
    ...calls.map((call) => `${call}; echo`),
    'kill -TERM $pids; for pid in $pids; do wait $pid; echo $?; done',
  ].join('\n')
  const { stdout, stderr, code } = await skerry(['run', '--isolate', '--', 'sh', '-c', script], env).ended
  expect([code, stderr]).toEqual([0, ''])
  const lines = stdout.trimEnd().split('\n')
  return {
    answers: lines.slice(0, calls.length).map((line) => JSON.parse(line) as Record<string, string>),
    exitCodes: lines.slice(calls.length),
    said: sidecars.map((_, at) => readFileSync(join(folder.path, `sidecar-${at}.out`), 'utf8')),
  }
}

/** As the scripts write it. */
const post = (path: string, body: object, port = 8080) =>
  `curl -s -X POST -H 'Content-Type: application/json' -d '${JSON.stringify(body)}' http://localhost:${port}${path}`
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
const runtimeData = Buffer.from('{"keys":[]}').toString('base64')
const release = { maa_endpoint: MAA, akv_endpoint: VAULT, kid: 'app-key' }
const asApp = { SkrSideCarArgs: azureInformation({ identity: { client_id: APP } }) }

describe('a container group with the sidecar', () => {
  it("answers the example's three clients, and leaves in its log what its users look for", async () => {
    const { answers, said, exitCodes } = await group(
      [{ env: { ...asApp, LogLevel: 'debug', LogFile: 'log.txt' } }],
      [
        post('/attest/raw', { runtime_data: runtimeData }),
        post('/attest/combined', { runtime_data: runtimeData }),
        post('/attest/maa', { maa_endpoint: MAA, runtime_data: runtimeData }),
        post('/key/release', release),
      ],
    )
    const [raw, combined, maa, released] = answers
    expect(raw!.report).toHaveLength(2 * 1184)
    expect(Object.keys(combined!)).toEqual(['endorsed_tcb', 'endorsements', 'evidence', 'uvm_endorsements'])
    expect(claimsOf(maa!.token!)).toMatchObject({
      'x-ms-attestation-type': 'sevsnpvm',
      'x-ms-compliance-status': 'azure-compliant-uvm',
    })
    expect(JSON.parse(released!.key!)).toMatchObject({ kty: 'EC', crv: 'P-384', d: expect.any(String) })
    expect(said).toEqual(['Listening and serving HTTP on localhost:8080\n'])
    expect(exitCodes).toEqual(['0'])
    const log = readFileSync(join(folder.path, 'log.txt'), 'utf8')
    expect(log).toContain('level=debug msg=Releasing key blob: {app-key}')
    for (const hidden of [JSON.parse(released!.key!).d, maa!.token!]) expect(log).not.toContain(hidden)
  })

  it('is each identity that it can be: by client id, by a federated token, by a token in the request', async () => {
    const federated = {
      AZURE_CLIENT_ID: APP,
      AZURE_TENANT_ID: TENANT,
      AZURE_FEDERATED_TOKEN_FILE: join(folder.path, 'federated-token'),
    }
    const metadata = 'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01'
    const tokenOf = (resource: string) =>
      `curl -s -H Metadata:true "${metadata}&client_id=${APP}&resource=${resource}" | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/'`
    const withToken = post('/key/release', { ...release, access_token: 'TOKEN' }).replace(
      'TOKEN',
      `'"$(${tokenOf('https://vault.azure.net')})"'`,
    )
    const inHsm = { ...release, akv_endpoint: HSM }
    const { answers } = await group(
      [{}, { port: 8081, env: asApp }, { port: 8082, env: federated }],
      [
        post('/key/release', release),
        withToken,
        post('/key/release', release, 8081),
        post('/key/release', inHsm, 8081),
        post('/key/release', release, 8082),
        post('/key/release', inHsm, 8082),
      ],
    )
    const [refused, ...released] = answers
    // The group's first identity, which may release nothing.
    expect(refused!.error).toMatch(/^secure key release failed: vault group\.vault\.azure\.net: 403 Forbidden/)
    expect(released.map(({ key, error }) => error ?? JSON.parse(key!).kty)).toEqual(['EC', 'EC', 'oct', 'EC', 'oct'])
  })

  it('gets certificates for a firmware that its own are not for from each cache that its settings can name', async () => {
    const caches = [
      { endpoint_type: 'AMD', endpoint: 'kdsintf.amd.com', tee_type: 'vcek/v1/Milan' },
      { endpoint_type: 'AMD', endpoint: 'kdsintf.amd.com/vcek/v1', tee_type: 'Milan' },
      {
        endpoint_type: 'AzCache',
        endpoint: 'global.acccache.azure.net',
        tee_type: 'SevSnpVM',
        api_version: 'api-version=2020-10-15-preview',
        client_id: 'clientId=ConfidentialACI',
      },
      { endpoint_type: 'LocalTHIM', endpoint: '169.254.169.254/metadata/THIM/amd/certification' },
      { endpoint_type: 'AzCache', endpoint: 'global.acccache.azure.net', tee_type: 'SomethingElse' },
    ]
    const certcaches = caches.map((certcache, at) => ({
      port: 8080 + at,
      env: { SkrSideCarArgs: azureInformation({ certcache, maaconfig: { user_agent: 'test' } }) },
    }))
    const maa = { maa_endpoint: MAA, runtime_data: runtimeData }
    const { answers, said } = await group(
      certcaches.map(({ port, env }) => ({
        port,
        env: { ...env, LogLevel: 'debug' },
        flags: '-allowTestingMismatchedTCB=true',
      })),
      certcaches.map(({ port }) => post('/attest/maa', maa, port)),
    )
    const other = answers.pop()
    expect(answers.map(({ token, error }) => error ?? claimsOf(token!).iss)).toEqual(Array(4).fill(`https://${MAA}`))
    // Where the cache has none, nobody else is asked.
    expect(other!.error).toMatch(/^attestation failed: .*certificate cache global\.acccache\.azure\.net: 404/)
    for (const lines of said.slice(0, 4)) expect(lines).toContain('asking for certificates again')
  })
})
