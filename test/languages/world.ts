import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRunner } from '../../emulator/src/run/index.ts'
import { DEFAULT_SEED } from '../../emulator/src/seed/default-document.ts'
import { homeIn, ROOT, skerry, temporaryFolder } from '../support/skerry.ts'
import { type Application, makeApplication } from './credentials.ts'

/** One `skerry up`, as a person would run it, and what its clients are told. */
export interface LanguageWorld extends AsyncDisposable {
  /** What the clients' processes run with: proxy, certificate authority, credentials, and a home of their own. */
  readonly environment: NodeJS.ProcessEnv
  readonly endpoints: { readonly vault: string; readonly mhsm: string; readonly maa: string; readonly arm: string }
  readonly folder: string
  /** One that may use keys, and that has no secret. */
  readonly application: Application
  /** A token of an attested guest with its wrapping key; or why this machine can have none. */
  fixture(): Promise<ReleaseFixture | { readonly unavailable: string }>
}

/** What the client programs release with. */
export interface ReleaseFixture {
  readonly token: string
  /** PKCS #8 PEM of the RSA key that the token vouches for. */
  readonly wrappingKey: string
  readonly policy: object
  /** One that the token does not meet. */
  readonly refusingPolicy: object
}

export async function startWorld(): Promise<LanguageWorld> {
  const folder = temporaryFolder()
  const home = homeIn(folder.path)
  const application = await makeApplication(folder.path)
  const seedFile = join(folder.path, 'seed.json')
  writeFileSync(seedFile, JSON.stringify({ ...DEFAULT_SEED, ...rolesOf(application) }), { mode: 0o600 })
  const up = skerry(['up', '--json', '--seed', seedFile, '--authority', application.issuer], home)
  const end = async () => {
    up.child.kill('SIGTERM')
    await up.ended
    await application[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  }
  try {
    const { endpoints } = JSON.parse(await up.line(/^\{/)) as Pick<LanguageWorld, 'endpoints'>
    const variables = await skerry(['env', '--json'], home).ended
    const environment = { ...home, ...(JSON.parse(variables.stdout) as NodeJS.ProcessEnv) }
    return {
      environment,
      endpoints,
      folder: folder.path,
      application,
      fixture: () => releaseFixture(folder.path, environment, endpoints.maa),
      [Symbol.asyncDispose]: end,
    }
  } catch (error) {
    await end()
    throw error
  }
}

/** The default seed's, and those of the application. */
const rolesOf = ({ seed }: Application) => ({
  applications: [seed],
  roleAssignments: [
    ...(DEFAULT_SEED.roleAssignments ?? []),
    { principal: 'languages', role: 'Key Vault Crypto Officer', scope: 'vaults/skerry' },
  ],
  localRoleAssignments: [
    ...(DEFAULT_SEED.localRoleAssignments ?? []),
    { managedHsm: 'skerry', principal: 'languages', role: 'Managed HSM Crypto User' },
  ],
})

async function releaseFixture(folder: string, environment: NodeJS.ProcessEnv, maa: string) {
  const { device, notices } = await createRunner().capabilities()
  if (device === 'none') return { unavailable: notices.join(' ') }
  const wrapping = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { n, e } = wrapping.publicKey.export({ format: 'jwk' })
  mkdirSync(join(folder, 'guest'), { recursive: true })
  const runtimeData = join(folder, 'guest', 'runtime-data.json')
  const tokenFile = join(folder, 'guest', 'token')
  writeFileSync(runtimeData, JSON.stringify({ keys: [{ kty: 'RSA', kid: 'w', key_ops: ['encrypt'], n, e }] }))
  const attest = [process.execPath, join(ROOT, 'guest/bin/skerry-guest.mjs'), 'attest', '--maa', new URL(maa).host]
  const { code, stderr } = await skerry(
    ['run', '--', ...attest, '--runtime-data', runtimeData, '--to-file', tokenFile],
    environment,
  ).ended
  if (code !== 0) throw new Error(`the guest was not attested: ${stderr}`)
  return {
    token: readFileSync(tokenFile, 'utf8').trim(),
    wrappingKey: wrapping.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    policy: policyOf(maa, 'false'),
    refusingPolicy: policyOf(maa, 'true'),
  }
}

const policyOf = (authority: string, debuggable: string) => ({
  version: '1.0.0',
  anyOf: [
    {
      authority,
      allOf: [
        { claim: 'x-ms-attestation-type', equals: 'sevsnpvm' },
        { claim: 'x-ms-compliance-status', equals: 'azure-compliant-uvm' },
        { claim: 'x-ms-sevsnpvm-is-debuggable', equals: debuggable },
      ],
    },
  ],
})
