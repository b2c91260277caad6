import { execFileSync } from 'node:child_process'
import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createRunner } from '../../emulator/src/run/index.ts'
import { type Command, skerry, temporaryFolder } from '../support/skerry.ts'
import { need } from './run/harness.ts'
import { buildPrograms, type Programs } from './run/programs.ts'

/*
 * `skerry run --isolate`, as a person types it: no proxy variable is set, and curl is whatever the machine has.
 */

const RELEASE = fileURLToPath(new URL('run/release-by-curl.mjs', import.meta.url))

let programs: Programs
let folder: ReturnType<typeof temporaryFolder>
let env: NodeJS.ProcessEnv
let up: Command
let instance: { readonly ca: string; readonly proxy: string; readonly credentials: Record<string, string> }
beforeAll(async () => {
  programs = await buildPrograms('dynamic', 'static')
  folder = temporaryFolder()
  chmodSync(folder.path, 0o755)
  const proxies = Object.keys(process.env).filter((name) => /_proxy$/i.test(name))
  env = { ...process.env, XDG_RUNTIME_DIR: join(folder.path, 'runtime') }
  for (const name of proxies) delete env[name]
  up = skerry(['up', '--json'], env)
  instance = JSON.parse(await up.line(/^\{/))
})
afterAll(async () => {
  up?.child.kill('SIGTERM')
  await up?.ended
  folder?.[Symbol.dispose]()
  programs?.[Symbol.dispose]()
})
beforeEach(async (ctx) => {
  const { device, networkNamespace, notices } = await createRunner().capabilities()
  if (device === 'none' || !networkNamespace) ctx.skip(notices.join(' '))
})

const isolate = (...command: string[]) => skerry(['run', '--isolate', '--', ...command], env).ended
/** What the C program prints, which is one word for each of its tries. */
const tries = async (...words: string[]) => (await isolate(programs.dynamic as string, ...words)).stdout.trim()

describe('skerry run --isolate', () => {
  it.for([
    ['dynamic', 'sev-guest'],
    ['dynamic', 'sev'],
    ['static', 'sev-guest'],
    ['static', 'sev'],
  ] as const)(
    'has a key released by plain curl calls, on the report that a %s C program got of /dev/%s',
    async ([kind, device], ctx) => {
      if (!onPath('curl')) ctx.skip('no curl on this machine')
      const client = need(ctx, programs[kind])
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const command = [process.execPath, RELEASE, client, `/dev/${device}`]
      const kid = importKey(privateKey.export({ format: 'jwk' }))
      const below = (...flags: string[]) =>
        skerry(['run', '--isolate', '--device', device, ...flags, '--', ...command, kid], env).ended
      const released = await below()
      expect(released.stderr).toBe('')
      const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' })
      expect(released.stdout.trim()).toBe(createHash('sha256').update(pkcs8).digest('hex'))
      const debuggable = await below('--debug')
      expect(debuggable.code).toBe(1)
      expect(debuggable.stderr).toMatch(/403/)
    },
  )

  it('sets no proxy, and says where the certificate authority is', async () => {
    const { stdout } = await isolate('/usr/bin/env')
    expect(stdout).not.toMatch(/_proxy=/i)
    expect(stdout).toContain(`CURL_CA_BUNDLE=${instance.ca}\n`)
    expect(stdout).toContain(`SSL_CERT_FILE=${instance.ca}\n`)
    expect(stdout).not.toMatch(/AZURE_CLIENT_SECRET|SSH_AUTH_SOCK|DBUS_SESSION/)
  })

  it('lets nothing out: no address, no name, no datagram, of neither protocol', async (ctx) => {
    need(ctx, programs.dynamic)
    const server = createServer((socket) => socket.end('this machine')).listen(0, '0.0.0.0')
    await once(server, 'listening')
    const port = String((server.address() as { port: number }).port)
    expect(await tries('connect', '127.0.0.1', port)).toBe('ECONNREFUSED')
    server.close()
    expect(await tries('connect', '1.1.1.1', '443')).toBe('ENETUNREACH')
    expect(await tries('connect', 'example.com', '443')).toBe('no such name')
    expect(await tries('udp', '1.1.1.1', '53')).toBe('ENETUNREACH')
    expect(await tries('udp', '2606:4700:4700::1111', '53')).toBe('ENETUNREACH')
  })

  it('reaches no service of the machine by a socket in /run or by an abstract one', async (ctx) => {
    const client = need(ctx, programs.dynamic)
    if (process.getuid?.() !== 0) ctx.skip('an ordinary user cannot make a socket in /run to look for')
    if (existsSync('/run/current-system')) ctx.skip('this system keeps its programs in /run')
    const path = `/run/skerry-test-${process.pid}.sock`
    const server = createServer().listen(path)
    const abstract = createServer().listen(`\0skerry-test-${process.pid}`)
    await Promise.all([once(server, 'listening'), once(abstract, 'listening')])
    try {
      expect(execFileSync(client, ['unix', path]).toString()).toBe('0\n')
      expect(await tries('unix', path)).toBe('ENOENT')
      expect(await tries('unix', `@skerry-test-${process.pid}`)).toBe('ECONNREFUSED')
    } finally {
      server.close()
      abstract.close()
      rmSync(path, { force: true })
    }
  })

  it('reaches no socket elsewhere at which somebody listened before it', async (ctx) => {
    const client = need(ctx, programs.dynamic)
    const path = join(folder.path, 'agent.sock')
    // As many as a desktop has.
    const paths = [path, ...Array.from({ length: 99 }, (_, at) => join(folder.path, `agent-${at}.sock`))]
    const servers = paths.map((one) => createServer((socket) => socket.end()).listen(one))
    await Promise.all(servers.map((server) => once(server, 'listening')))
    try {
      expect(execFileSync(client, ['unix', path]).toString()).toBe('0\n')
      expect(await tries('unix', path)).toBe('ECONNREFUSED')
      expect(await tries('unix', paths.at(-1)!)).toBe('ECONNREFUSED')
      expect(execFileSync(client, ['unix', path]).toString()).toBe('0\n')
    } finally {
      for (const server of servers) server.close()
    }
  })

  it('starts, as root, although another user has a socket where only that user comes', async (ctx) => {
    if (process.getuid?.() !== 0) ctx.skip('an ordinary user sees no other user’s sockets')
    const folderOfAnother = join(folder.path, 'another')
    mkdirSync(folderOfAnother)
    const server = createServer().listen(join(folderOfAnother, 'agent.sock'))
    await once(server, 'listening')
    chownSync(folderOfAnother, 65534, 65534)
    chmodSync(folderOfAnother, 0o700)
    try {
      expect(await isolate('ls', folderOfAnother)).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/Permission denied/),
      })
    } finally {
      server.close()
    }
  })

  it('finds a vault that is made while it runs', async (ctx) => {
    if (!onPath('curl')) ctx.skip('no curl on this machine')
    const address = 'https://late-one.vault.azure.net/keys?api-version=7.4'
    const ask = `curl -s -o /dev/null -w '%{http_code}\\n' ${address}`
    const running = skerry(['run', '--isolate', '--', 'sh', '-c', `${ask}; read -r go; ${ask}`], env)
    expect(await running.line(/^\d/)).toBe('000')
    makeVault('late-one')
    running.child.stdin.end('go\n')
    expect((await running.ended).stdout).toBe('000\n401\n')
  })

  it('leaves /run writable, as a container’s is', async () => {
    const { stdout, code } = await isolate('/bin/sh', '-c', 'ls -A /run; echo 1 > /run/pid && cat /run/pid')
    expect({ stdout, code }).toEqual({ stdout: '1\n', code: 0 })
    expect(existsSync('/run/pid')).toBe(false)
  })

  it('fails where namespaces are refused, with the code of what is missing, and starts nothing', async (ctx) => {
    const trace = join(folder.path, 'started')
    const words = [process.execPath, 'emulator/bin/skerry.mjs', 'run', '--isolate', '--', '/usr/bin/touch', trace]
    const refusing = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    const result = runBelow(['unshare', '-Ur', 'sh', '-c', refusing, 'sh', ...words], env)
    if (/unshare:|max_user_namespaces: /.test(result.stderr))
      ctx.skip(`unshare cannot lower the limit: ${result.stderr}`)
    expect(result.stderr).toMatch(
      /^skerry: --isolate: .*CLONE_NEWUSER.*max_user_namespaces is 0.*\[ERR_USER_NAMESPACES_DISABLED\]\n$/,
    )
    expect(result.code).toBe(1)
    expect(existsSync(trace)).toBe(false)
    const degraded = runBelow(
      ['unshare', '-Ur', 'sh', '-c', refusing, 'sh', ...words.filter((word) => word !== '--isolate')],
      env,
    )
    expect(degraded.code).toBe(0)
    expect(existsSync(trace)).toBe(true)
  })
})

describe('skerry run', () => {
  it('gives the program the one managed identity that is named, and no other', async (ctx) => {
    if (!onPath('curl')) ctx.skip('no curl on this machine')
    const token =
      'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net'
    const ask = (...flags: string[]) =>
      skerry(['run', ...flags, '--', 'curl', '-s', '-H', 'Metadata: true', token], env).ended
    const { stdout } = await ask('--identity', 'skerry')
    const claims = JSON.parse(Buffer.from(JSON.parse(stdout).access_token.split('.')[1], 'base64url').toString())
    expect(claims.xms_mirid).toMatch(/userAssignedIdentities\/skerry$/i)
    const unknown = await ask('--identity', 'nobody')
    expect(unknown).toMatchObject({ code: 2, stdout: '' })
    expect(unknown.stderr).toMatch(/^skerry: no managed identity is called nobody: there is .*skerry/)
  })

  it('launches on the product, at the level and on the TCB that are asked for', async (ctx) => {
    if (!onPath('curl')) ctx.skip('no curl on this machine')
    const client = need(ctx, programs.dynamic)
    const reportOf = async (...flags: string[]) => {
      const { stdout } = await skerry(
        ['run', ...flags, '--', client, 'report-on', '/dev/sev-guest', '00'.repeat(64)],
        env,
      ).ended
      return Buffer.from(stdout.trim(), 'hex')
    }
    const milan = await reportOf()
    const turin = await reportOf('--product', 'Turin')
    // CPUID family of a report of version 3 or later (AMD 56860, table 23).
    expect([milan[0x188], turin[0x188]]).toEqual([0x19, 0x1a])
    const moved = await reportOf('--tcb', 'microcode=0xdd,snp=25')
    // REPORTED_TCB of a Milan: SNP at byte 6, microcode at byte 7.
    expect([moved[0x186], moved[0x187]]).toEqual([25, 0xdd])
    const thim = 'http://169.254.169.254/metadata/THIM/amd/certification'
    const chain = await skerry(['run', '--product', 'Turin', '--', 'curl', '-s', '-H', 'Metadata: true', thim], env)
      .ended
    expect(new X509Certificate(JSON.parse(chain.stdout).certificateChain).subject).toMatch(/SEV-Turin/)
    const { stderr, code } = await skerry(['run', '--vmpl', '4', '--', client], env).ended
    expect({ stderr, code }).toMatchObject({ stderr: expect.stringMatching(/VMPL is a number from 0 to 3/), code: 2 })
  })

  it('refuses a setuid program, which would run without what makes it one', async (ctx) => {
    if (process.getuid?.() !== 0) ctx.skip('an ordinary user cannot make one of another user’s')
    const client = need(ctx, programs.dynamic)
    const program = join(folder.path, 'setuid')
    execFileSync('cp', [client, program])
    execFileSync('chown', ['65534:65534', program])
    chmodSync(program, 0o4755)
    const { stderr, code } = await skerry(['run', '--', program], env).ended
    expect(stderr).toMatch(/is a setuid program.*\[ERR_SETUID_PROGRAM\]/)
    expect(code).toBe(1)
  })

  it('below another seccomp listener says that there can be one', async (ctx) => {
    const client = need(ctx, programs.dynamic)
    const words = [
      client,
      'listener',
      process.execPath,
      'emulator/bin/skerry.mjs',
      'run',
      '--isolate',
      '--',
      '/bin/true',
    ]
    const { stderr, code } = runBelow(words, env)
    expect(stderr).toMatch(
      /EBUSY: a process above this one has a seccomp listener already.*\[ERR_SECCOMP_LISTENER_TAKEN\]/,
    )
    expect(code).toBe(1)
  })
})

function onPath(program: string): boolean {
  return (process.env.PATH ?? '').split(':').some((part) => existsSync(join(part, program)))
}

function runBelow(words: string[], environment: NodeJS.ProcessEnv): { readonly code: number; readonly stderr: string } {
  const errors = join(folder.path, 'stderr')
  const script = 'exec "$@" 2> "$ERRORS"'
  try {
    execFileSync('sh', ['-c', script, 'sh', ...words], { env: { ...environment, ERRORS: errors }, timeout: 20_000 })
    return { code: 0, stderr: readFileSync(errors, 'utf8') }
  } catch (error) {
    return { code: (error as { status: number }).status, stderr: readFileSync(errors, 'utf8') }
  }
}

/** What the vault's administrator asks, whose tool is a proxy's client. */
function administer(method: string, url: string, body: object): Record<string, { readonly kid: string }> {
  const { tenantId, clientId, clientSecret } = instance.credentials
  const curl = (...words: string[]) =>
    JSON.parse(
      execFileSync('curl', ['-sS', '--fail-with-body', '-x', instance.proxy, '--cacert', instance.ca, ...words], {
        env,
      }).toString(),
    )
  const form = `grant_type=client_credentials&client_id=${clientId}&client_secret=${encodeURIComponent(clientSecret!)}`
  const audience = new URL(url).host === 'management.azure.com' ? 'management.azure.com' : 'vault.azure.net'
  const scope = `scope=https%3A%2F%2F${audience}%2F.default`
  const { access_token } = curl(
    `https://login.microsoftonline.com/${tenantId}/oauth2/v2.0/token`,
    '-d',
    `${form}&${scope}`,
  )
  const headers = ['-H', `Authorization: Bearer ${access_token}`, '-H', 'Content-Type: application/json']
  return curl('-X', method, url, ...headers, '-d', JSON.stringify(body))
}

function makeVault(name: string): void {
  const { tenantId, subscriptionId } = instance.credentials
  const id = `/subscriptions/${subscriptionId}/resourceGroups/skerry/providers/Microsoft.KeyVault/vaults/${name}`
  const properties = { tenantId, sku: { family: 'A', name: 'premium' }, enableRbacAuthorization: true }
  administer('PUT', `https://management.azure.com${id}?api-version=2023-07-01`, { location: 'westeurope', properties })
}

/** Puts an exportable key into the vault. */
function importKey(jwk: object): string {
  const policy = {
    version: '1.0.0',
    anyOf: [
      {
        authority: 'https://sharedweu.weu.attest.azure.net',
        allOf: [{ claim: 'x-ms-sevsnpvm-is-debuggable', equals: 'false' }],
      },
    ],
  }
  const body = {
    key: { ...jwk, kty: 'RSA-HSM', key_ops: ['encrypt', 'decrypt'] },
    attributes: { exportable: true },
    release_policy: { data: Buffer.from(JSON.stringify(policy)).toString('base64url') },
  }
  return administer('PUT', 'https://skerry.vault.azure.net/keys/by-curl?api-version=7.4', body).key!.kid
}
