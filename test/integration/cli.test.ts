import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TEST_CACHE_HOME } from '../../emulator/src/core/test-context.ts'
import { needDevice } from '../support/need-device.ts'
import { type Command, ROOT, skerry, temporaryFolder } from '../support/skerry.ts'

// The command line as a person meets it: real processes, in a home of their own.

const folder = temporaryFolder()
const runtime = join(folder.path, 'run')
const env = { PATH: process.env.PATH, HOME: folder.path, XDG_RUNTIME_DIR: runtime, XDG_CACHE_HOME: TEST_CACHE_HOME }
const commands: Command[] = []

function run(...args: string[]): Command {
  const command = skerry(args, env, folder.path)
  commands.push(command)
  return command
}

/** An instance that is ready, with the line that it printed. */
async function up(...args: string[]) {
  const command = run('up', '--json', ...args)
  const line = JSON.parse(await command.line(/^\{/)) as {
    proxy: string
    ca: string
    data: string
    endpoints: object
    credentials: object
    managedIdentity: { clientId: string; resourceId: string }
  }
  return { ...line, keys: Object.keys(line), command }
}

async function ended(command: Command, signal: NodeJS.Signals) {
  command.child.kill(signal)
  return await command.ended
}

/** What is left of instances in the user's runtime directory. */
const leftBehind = () => readdirSync(join(runtime, 'skerry'))

beforeAll(() => mkdirSync(runtime, { mode: 0o700 }))
afterAll(() => {
  for (const { child } of commands) child.kill('SIGKILL')
  folder[Symbol.dispose]()
})

describe('skerry up', () => {
  it('keeps its state in memory: files are in a private folder that goes with it', async () => {
    const { command, keys, proxy, data, ca, credentials } = await up()
    expect(keys).toEqual(['proxy', 'ca', 'data', 'endpoints', 'credentials', 'managedIdentity'])
    expect(Object.keys(credentials)).toEqual(['tenantId', 'clientId', 'clientSecret', 'subscriptionId'])
    expect(proxy).toMatch(/^http:\/\/skerry:[\w-]{43}@127\.0\.0\.1:\d+$/)
    expect(data.startsWith(join(runtime, 'skerry'))).toBe(true)
    expect(statSync(data).mode & 0o777).toBe(0o700)
    expect(readdirSync(data).sort()).toEqual(['ca.pem', 'instance.json', 'journal.jsonl'])
    for (const name of readdirSync(data)) expect(statSync(join(data, name)).mode & 0o777).toBe(0o600)
    expect(readFileSync(ca, 'utf8')).toMatch(/^-----BEGIN CERTIFICATE-----/)
    expect(await ended(command, 'SIGTERM')).toMatchObject({ code: 0, stderr: '' })
    expect(leftBehind()).toEqual([])
    expect(readdirSync(folder.path)).not.toContain('.local')
  })

  it('--data goes on where it was after a kill -9, with the same tenant and authority', async () => {
    const data = join(folder.path, 'kept')
    const first = await up('--data', data)
    const authority = readFileSync(first.ca, 'utf8')
    await ended(first.command, 'SIGKILL')
    expect(existsSync(join(data, 'lock'))).toBe(true)
    const second = await up('--data', data)
    expect(second).toMatchObject({ data, ca: first.ca, credentials: first.credentials })
    expect(readFileSync(second.ca, 'utf8')).toBe(authority)
    expect(await ended(second.command, 'SIGINT')).toMatchObject({ code: 0, stderr: '' })
    expect(readdirSync(data)).not.toContain('lock')
    expect(readdirSync(data)).not.toContain('instance.json')
    expect(leftBehind()).toEqual([])
  })

  it('takes away what an instance in memory left when it was killed', async () => {
    const first = await up()
    await ended(first.command, 'SIGKILL')
    expect(leftBehind()).toHaveLength(2)
    const second = await up()
    expect(existsSync(first.data)).toBe(false)
    await ended(second.command, 'SIGTERM')
    expect(leftBehind()).toEqual([])
  })

  it('ends as cleanly when it is told so again and again, or while it starts', async () => {
    const running = await up()
    for (const signal of ['SIGINT', 'SIGINT', 'SIGTERM', 'SIGHUP'] as const) running.command.child.kill(signal)
    expect(await running.command.ended).toMatchObject({ code: 0, signal: null })
    const starting = run('up', '--data', join(folder.path, 'early'))
    starting.child.kill('SIGINT')
    await starting.ended
    expect(existsSync(join(folder.path, 'early', 'lock'))).toBe(false)
    expect(leftBehind()).toEqual([])
  })
})

describe('skerry up, told what to hold', () => {
  /** As an owner of the instance reads it. */
  const listKeys = `
    import { EnvironmentCredential, ManagedIdentityCredential } from '@azure/identity'
    import { KeyClient } from '@azure/keyvault-keys'
    const client = new KeyClient('https://contoso-payments.vault.azure.net', new EnvironmentCredential())
    for await (const { name } of client.listPropertiesOfKeys()) console.log(name)
    const identity = new ManagedIdentityCredential({ clientId: process.argv[1] })
    const { token } = await identity.getToken('https://vault.azure.net')
    console.log(JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).xms_mirid ?? '')`

  it('holds what its seed says, and hands it on as a state; a clock that is moved moves there', async () => {
    const seed = join(ROOT, 'examples/seed.json')
    const one = await up('--seed', seed, '--release-policy', 'operators=equals-only', '--fault', 'delete-delay=5s')
    expect(one.credentials).toMatchObject({ tenantId: '6f8d1a4e-3b52-4c0e-9d1b-7a5e2c90f104' })
    expect(one.endpoints).toMatchObject({
      vault: 'https://contoso-payments.vault.azure.net',
      mhsm: 'https://contoso-hsm.managedhsm.azure.net',
    })
    expect(one.managedIdentity).toMatchObject({
      resourceId: expect.stringMatching(/\/resourceGroups\/payments\/.*\/userAssignedIdentities\/payments$/),
    })
    const variables = JSON.parse((await run('env', '--json').ended).stdout) as NodeJS.ProcessEnv
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', listKeys, one.managedIdentity.clientId],
      { env: { ...env, ...variables }, cwd: ROOT },
    )
    expect(stdout.split('\n')).toEqual(['ledger', 'sealed', one.managedIdentity.resourceId, ''])

    expect(await run('clock').ended).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/Z {2}\(the machine's time\)\n$/),
    })
    const moved = await run('clock', 'advance', '90d', '--json').ended
    const { time, offsetMs } = JSON.parse(moved.stdout) as { time: string; offsetMs: number }
    expect(Math.round(offsetMs / 86_400_000)).toBe(90)
    expect(Math.round((Date.parse(time) - Date.now()) / 86_400_000)).toBe(90)

    const exported = await run('state', 'export', 'fixture.json.gz').ended
    expect(exported).toMatchObject({ code: 0, stdout: '', stderr: expect.stringMatching(/holds private keys/) })
    expect(statSync(join(folder.path, 'fixture.json.gz')).mode & 0o777).toBe(0o600)
    await ended(one.command, 'SIGTERM')

    const two = await up('--state', 'fixture.json.gz')
    expect(two.credentials).toEqual(one.credentials)
    expect(two.managedIdentity).toEqual(one.managedIdentity)
    expect((await run('clock').ended).stdout).toMatch(/\(90 days ahead of the machine's\)\n$/)
    await ended(two.command, 'SIGTERM')
  })

  it('is on the processor that it is told', async () => {
    const one = await up('--processor', 'Turin')
    const word = JSON.parse(readFileSync(join(one.data, 'instance.json'), 'utf8')) as {
      url: string
      controlToken: string
    }
    const headers = { authorization: `Bearer ${word.controlToken}` }
    expect(await (await fetch(`${word.url}/.skerry/psp`, { headers })).json()).toMatchObject({ product: 'Turin' })
    await ended(one.command, 'SIGTERM')
  })

  it('takes another state while it runs, and into a directory while none does', async () => {
    const fixture = join(folder.path, 'fixture.json.gz')
    const one = await up()
    expect(await run('state', 'import', fixture).ended).toMatchObject({ code: 0, stdout: '', stderr: '' })
    const { stdout } = await run('env').ended
    expect(stdout).toContain("AZURE_TENANT_ID='6f8d1a4e-3b52-4c0e-9d1b-7a5e2c90f104'")
    expect(stdout).toContain(one.proxy)
    await ended(one.command, 'SIGTERM')
    expect(leftBehind()).toEqual([])

    expect(await run('state', 'import', fixture, '--data', 'imported').ended).toMatchObject({ code: 0, stderr: '' })
    expect(await run('state', 'export', 'again.json', '--data', 'imported').ended).toMatchObject({ code: 0 })
    const [state, again] = [gunzipSync(readFileSync(fixture)), readFileSync(join(folder.path, 'again.json'))].map(
      (bytes) => JSON.parse(bytes.toString()) as { collections: object; seed: object },
    )
    expect(again).toMatchObject({ collections: state!.collections, seed: state!.seed })
  })

  it('env leads to the token service of App Service, without the administrator', async () => {
    const one = await up()
    const variables = JSON.parse((await run('env', '--app-service', '--json').ended).stdout) as NodeJS.ProcessEnv
    await ended(one.command, 'SIGTERM')
    expect(Object.keys(variables)).toEqual(expect.arrayContaining(['IDENTITY_ENDPOINT', 'IDENTITY_HEADER']))
    expect(Object.keys(variables)).not.toContain('AZURE_CLIENT_SECRET')
  })
})

describe('other commands find a running instance', () => {
  let one: Awaited<ReturnType<typeof up>>
  beforeAll(async () => {
    one = await up()
  })
  afterAll(() => ended(one.command, 'SIGTERM'))

  it('env prints what a shell can read, for each kind of client', async () => {
    const { code, stdout } = await run('env').ended
    expect(code).toBe(0)
    for (const name of [
      'HTTPS_PROXY',
      'NO_PROXY',
      'NODE_USE_ENV_PROXY',
      'NODE_EXTRA_CA_CERTS',
      'SSL_CERT_FILE',
      'REQUESTS_CA_BUNDLE',
      'AZURE_CLIENT_SECRET',
    ]) {
      expect(stdout).toMatch(new RegExp(`^export ${name}='[^']+'$`, 'm'))
    }
    const directory = /UVM_SECURITY_CONTEXT_DIR='(.*)'/.exec(stdout)![1]!
    expect(directory.startsWith(one.data)).toBe(true)
    expect(readdirSync(directory)).toEqual([
      'host-amd-cert-base64',
      'reference-info-base64',
      'security-policy-base64',
      'transparent-reference-info-base64',
    ])
  })

  it('explain says that nothing was refused; a request without a token is no refusal', async () => {
    const variables = JSON.parse((await run('env', '--json').ended).stdout) as NodeJS.ProcessEnv
    const client = `fetch('https://skerry.vault.azure.net/keys?api-version=7.4').then(({ status }) => console.log(status))`
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', client], { env: { ...env, ...variables } })
    expect(stdout).toBe('401\n')
    expect(await run('explain').ended).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Nothing was refused: the journal holds /),
    })
  })

  it('run gives a program its device, and comes back with its exit code', async (ctx) => {
    await needDevice(ctx)
    const program = `
      const { existsSync, readdirSync } = require('node:fs')
      console.log(existsSync('/dev/sev-guest'), readdirSync(process.env.UVM_SECURITY_CONTEXT_DIR).length, 'AZURE_CLIENT_SECRET' in process.env)
      process.exit(7)`
    const { code, stdout, stderr } = await run('run', '--', process.execPath, '-e', program).ended
    expect(stdout, stderr).toBe('true 4 false\n')
    expect(code).toBe(7)
  })

  it.for([
    [127, 'no-such-program', 'command not found'],
    [126, '/etc/passwd', 'cannot be executed'],
  ] as const)('run ends with %i for %s', async ([wanted, program, words], ctx) => {
    await needDevice(ctx)
    const { code, stderr } = await run('run', '--', program).ended
    expect(stderr.trimEnd().split('\n').at(-1)).toContain(`skerry: ${program}: ${words}`)
    expect(code).toBe(wanted)
  })

  it('and ask which one when there are several; --data says', async () => {
    const other = await up()
    const { code, stderr } = await run('env').ended
    expect(code).toBe(1)
    expect(stderr).toMatch(/^skerry: 2 instances are running; say which one with --data \S+ or --data \S+\n$/)
    expect((await run('env', '--data', other.data).ended).stdout).toContain(other.proxy)
    expect((await run('env', '--data', one.data).ended).stdout).toContain(one.proxy)
    await ended(other.command, 'SIGTERM')
  })
})

describe('skerry explain, with no instance running', () => {
  it('says how to start one, or reads the journal of the last demo in this directory', async () => {
    expect(await run('explain').ended).toMatchObject({
      code: 1,
      stderr: 'skerry: no instance is running; start one with: skerry up, or name a journal with --journal\n',
    })
    const denial = {
      seq: 1,
      time: '2026-01-01T00:00:00.000Z',
      service: 'keyvault',
      operation: 'release',
      outcome: 'denied',
      summary: 'The release policy is not met.',
      conditions: [{ name: 'x-ms-sevsnpvm-hostdata', wanted: 'aa', found: 'bb', met: false, hint: 'Compare them.' }],
    }
    mkdirSync(join(folder.path, '.skerry'))
    // A kill cut its last line short.
    writeFileSync(join(folder.path, '.skerry', 'journal.jsonl'), `${JSON.stringify(denial)}\n{"seq":2,"ti`)
    const { code, stdout } = await run('explain').ended
    expect(stdout).toMatch(/this is from \.skerry\/journal\.jsonl\.\n\n.*\n[\s\S]*x-ms-sevsnpvm-hostdata/)
    expect(code).toBe(0)
  })
})

describe('a mistake gets one line that names it', () => {
  const place = (name: string) => join(folder.path, name)
  beforeAll(() => {
    for (const name of ['no-package', 'no-main', 'registers-nothing']) mkdirSync(place(name))
    writeFileSync(join(place('no-main'), 'package.json'), '{}')
    writeFileSync(join(place('registers-nothing'), 'package.json'), '{"main":"app.js"}')
    writeFileSync(join(place('registers-nothing'), 'app.js'), '')
    writeFileSync(place('not-json'), 'hello\nworld\n')
    writeFileSync(place('bad-seed.json'), '{"vaults":[{"name":"contoso","resourceGroup":"r","sku":"gold"}]}')
    writeFileSync(place('bad-key.json'), '{"keys":[{"vault":"nowhere","name":"k","kty":"EC"}]}')
    writeFileSync(place('later.json'), '{"format":"skerry-state","version":99}')
  })

  it.each([
    [2, ['up', '--prot', '1'], /unknown option '--prot' \(Did you mean --port\?\)/],
    [2, ['up', '--port', 'eight'], /--port.*a port is a number/],
    [2, ['up', '--port', '70000'], /--port.*a port is a number/],
    [2, ['up', '--data', 'not-json'], /--data not-json: cannot be used as a directory/],
    [2, ['up', '--seed', 'nowhere'], /--seed nowhere: there is no such file/],
    [2, ['up', '--seed', 'bad-seed.json'], /--seed bad-seed\.json: \/vaults\/0\/sku: wanted standard or premium/],
    [2, ['up', '--seed', 'bad-key.json', '--data', 'fresh'], /--seed bad-key\.json: \/keys\/0: wanted a vault/],
    [
      2,
      ['up', '--state', 'later.json'],
      /--state later\.json: \/version: wanted 1, the version that this Skerry reads/,
    ],
    [2, ['up', '--state', 'later.json', '--seed', 'x'], /'--state <file>' cannot be used with .*'--seed <file>'/],
    [2, ['up', '--authority', 'attest.example'], /--authority.*is not an origin such as/],
    [2, ['up', '--processor', 'Naples'], /--processor.*a processor is Milan or Genoa or/],
    [2, ['up', '--attestation-trust', 'intel'], /--attestation-trust.*the trust is in emulator or amd or both/],
    [2, ['up', '--release-policy', 'operators=some'], /--release-policy.*operators is all or equals-only/],
    [2, ['up', '--fault', 'flood=1'], /--fault.*its faults are delete-delay, recover-delay, purge-delay, throttle/],
    [2, ['clock', 'advance', 'tomorrow'], /'duration'.*a duration such as 90d/],
    [1, ['state', 'export', 'out.json'], /no instance is running; start one with: skerry up/],
    [1, ['state', 'export', 'out.json', '--data', 'nowhere'], /nowhere holds no state/],
    [2, ['state', 'import', 'nowhere', '--data', 'fresh'], /nowhere: there is no such file/],
    [2, ['state', 'import', 'later.json', '--data', 'fresh'], /later\.json: \/version: wanted 1/],
    [2, ['fly'], /unknown command 'fly'/],
    [2, ['run'], /missing required argument 'command'/],
    [2, ['run', '--policy', 'nowhere', '--', 'ls'], /--policy nowhere: there is no such file/],
    [1, ['run', '--', 'ls'], /no instance is running; start one with: skerry up/],
    [1, ['env', '--data', 'nowhere'], /no instance runs on --data .*nowhere; start it with: skerry up --data/],
    [2, ['explain', '--journal', 'nowhere'], /--journal nowhere: there is no such file/],
    [2, ['explain', '--journal', 'not-json'], /--journal not-json: is not a journal/],
    [2, ['host', '--app', 'no-package'], /--app no-package: no package\.json/],
    [2, ['host', '--app', 'no-main'], /--app no-main: .*no "main"/],
    [1, ['host', '--app', 'registers-nothing', '--port', '0'], /--app registers-nothing: .*registers no function/],
    [2, ['demo', '--tamper', 'weather'], /--tamper.*policy, debug, tcb/],
    [2, ['demo', '--template', 'nowhere'], /--template nowhere: there is no such file/],
    [2, ['demo', '--config', 'not-json'], /--config not-json: is not JSON/],
    [2, ['demo', '--app', 'no-package'], /--app no-package: no package\.json/],
    [2, ['demo', '--data', 'not-json'], /--data not-json: cannot be used as a directory/],
  ])('%i for %j', async (wanted, args, message) => {
    const before = readdirSync(folder.path, { recursive: true })
    const { code, stdout, stderr } = await run(...args).ended
    expect(stderr).toMatch(/^skerry: [^\n]+\n$/)
    expect(stderr).toMatch(message)
    expect(stdout).toBe('')
    expect(code).toBe(wanted)
    expect(readdirSync(folder.path, { recursive: true })).toEqual(before)
  })

  it.each(['up', 'host'])('1 for a port that is in use: %s names --port', async (command) => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const app = command === 'host' ? ['--app', 'registers-nothing', '--store', 'unused'] : ['--data', 'unused']
    const { code, stderr } = await run(command, '--port', String(port), ...app).ended
    server.close()
    expect(stderr).toMatch(new RegExp(`^skerry: --port ${port}: the port is in use on 127\\.0\\.0\\.1; .*\\n$`))
    expect(code).toBe(1)
    expect(existsSync(place('unused'))).toBe(false)
  })

  it('1 for a data directory that another process has: up and demo say which process, and name --data', async () => {
    const holder = await up('--data', 'held')
    for (const command of ['up', 'demo']) {
      const { code, stdout, stderr } = await run(command, '--data', 'held').ended
      expect(stderr).toMatch(
        new RegExp(`^skerry: .*held is in use by process ${holder.command.child.pid}; .*--data\\n$`),
      )
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    }
    await ended(holder.command, 'SIGTERM')
  })
})
