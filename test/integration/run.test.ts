import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext, vi } from 'vitest'
import {
  type ConfidentialRunner,
  createRunner,
  type DeviceMechanism,
  type GroupNetwork,
  type ProcessOptions,
  type RunnerCapabilities,
  runConfidential,
} from '../../emulator/src/run/index.ts'
import { guestDouble, reportResponseTo } from './run/guest-double.ts'
import {
  buildPrograms,
  HOST_SCRIPT,
  type Missing,
  type Programs,
  processesOf,
  reachableByOthers,
} from './run/programs.ts'

let programs: Programs
beforeAll(async () => {
  programs = await buildPrograms()
})
afterAll(() => programs[Symbol.dispose]())

/** The path, or the end of this test with the reason printed. */
function need(ctx: TestContext, program: string | Missing): string {
  return typeof program === 'string' ? program : ctx.skip(program.missing)
}

const env = { PATH: '/usr/local/bin:/usr/bin:/bin' }

/** Runs a program to its end. */
async function run(runner: ConfidentialRunner, command: readonly string[], more: Partial<ProcessOptions> = {}) {
  const lines: string[] = []
  const process = await runner.start({
    command: command as [string, ...string[]],
    env,
    guest: guestDouble(),
    output: (line) => lines.push(line),
    ...more,
  })
  return { ...(await process.exit), lines }
}

const mechanisms: readonly DeviceMechanism[] = ['mount-namespace', 'injected-descriptor']

describe.each(mechanisms)('a program with the SNP device by %s', (mechanism) => {
  const runner = createRunner({ device: mechanism, networkNamespace: false })
  beforeEach(async (ctx) => {
    const { device, notices } = await runner.capabilities()
    if (device === 'none') ctx.skip(notices.join(' '))
  })

  it.for(['dynamic', 'static'] as const)(
    'gets the report that the guest gave, byte for byte (%s C)',
    async (kind, ctx) => {
      const guest = guestDouble()
      const { lines, code } = await run(runner, [need(ctx, programs[kind]), 'report', '/dev/sev-guest', '5'], { guest })
      expect(lines).toEqual([Buffer.from(reportResponseTo(5)).toString('hex')])
      expect(code).toBe(0)
      expect(guest.asked).toEqual([Uint8Array.from([...new Array(64).fill(5), ...new Array(32).fill(0)])])
    },
  )

  it('finds /dev/sev instead when it is to look like Azure’s 5.15 kernel', async (ctx) => {
    const client = need(ctx, programs.dynamic)
    const found = await run(runner, [client, 'report', '/dev/sev', '6'], { deviceGeneration: 'sev' })
    expect(found.lines).toEqual([Buffer.from(reportResponseTo(6)).toString('hex')])
    const other = await run(runner, [client, 'report', '/dev/sev-guest', '6'], { deviceGeneration: 'sev' })
    expect(other.lines).toEqual(['open: ENOENT'])
  })

  it('sees a character device, and a /dev that is otherwise the usual one', async (ctx) => {
    const { lines } = await run(runner, [need(ctx, programs.dynamic), 'look', '/dev/sev-guest', '/dev/sev'])
    expect(lines).toEqual([
      'stat 0 character device',
      'access 0',
      'access-x EACCES',
      'other ENOENT',
      'null 0',
      'relative 0',
      'cloexec 1',
      'dots 0',
      'no-cloexec 0',
    ])
  })

  it('gets the errors of the kernel’s driver, and the kernel’s own for what is not the device', async (ctx) => {
    const { lines } = await run(runner, [need(ctx, programs.dynamic), 'errors', '/dev/sev-guest'])
    expect(lines).toEqual([
      'success 0 1234',
      'version-0 EINVAL 1234',
      'null-response EINVAL ff',
      'bad-request EFAULT ff',
      'read-only-response EFAULT 1234',
      'bad-argument EFAULT',
      'other-request ENOTTY',
      'closed-descriptor EBADF',
      'not-the-device ENOTTY',
      'ext-size-query EIO 100000000 needs 8192',
      'ext 0 1234 table starts abab',
      `key 0 ${'cd'.repeat(64)}`,
    ])
  })

  it('asks from many threads at once, and each gets its own answer', async (ctx) => {
    const { lines } = await run(runner, [need(ctx, programs.static), 'threads', '/dev/sev-guest', '16', '40'])
    expect(lines).toEqual(['0 wrong'])
  })

  it('is answered 2,000 times while a timer interrupts it', async (ctx) => {
    const { lines } = await run(runner, [need(ctx, programs.dynamic), 'timer', '/dev/sev-guest', '2000'])
    expect(lines).toEqual(['answered 2000, ticked yes'])
  })

  it('may be a Go program, whose runtime signals its threads', async (ctx) => {
    expect(await run(runner, [need(ctx, programs.go)])).toEqual({ code: 0, signal: null, lines: ['done'] })
  })

  it('may be a Python program', async (ctx) => {
    if (!onThisMachine('python3')) ctx.skip('no python3 on this machine')
    const script = [
      'import ctypes, fcntl, struct',
      'request, response = ctypes.create_string_buffer(96), ctypes.create_string_buffer(4000)',
      'a = struct.pack("<QQQQ", 1, ctypes.addressof(request), ctypes.addressof(response), 0)',
      'fcntl.ioctl(open("/dev/sev-guest", "r+b", buffering=0), 0xC0205300, a)',
      'print(response.raw[:1216].hex())',
    ]
    const { lines } = await run(runner, [pathOf('python3'), '-c', script.join('\n')])
    expect(lines).toEqual([Buffer.from(reportResponseTo(0)).toString('hex')])
  })

  it('does not hold up others while one report is slow', async (ctx) => {
    const slow = Promise.withResolvers<Uint8Array>()
    const guest = guestDouble()
    const { reportRequest } = guest
    const first = {
      ...guest,
      reportRequest: (request: Uint8Array) => (request[0] === 1 ? slow.promise : reportRequest(request)),
    }
    const client = need(ctx, programs.dynamic)
    const waiting = run(runner, [client, 'report', '/dev/sev-guest', '1'], { guest: first })
    const { code } = await run(runner, [client, 'report', '/dev/sev-guest', '2'], { guest: first })
    expect(code).toBe(0)
    slow.resolve(reportResponseTo(1))
    expect((await waiting).code).toBe(0)
  })

  it('gives its exit code back', async () => {
    expect(await run(runner, ['sh', '-c', 'echo out; echo err >&2; exit 7'])).toMatchObject({ code: 7, signal: null })
  })

  it('gives back the signal that ended it', async () => {
    expect(await run(runner, ['sh', '-c', 'kill -SEGV $$'])).toMatchObject({ code: null, signal: 'SIGSEGV' })
  })

  it('gets the signals that are sent to it, and may handle them', async () => {
    const lines: string[] = []
    const ready = Promise.withResolvers<void>()
    const process = await runner.start({
      command: ['sh', '-c', 'trap "echo asked; exit 3" TERM; echo ready; while :; do :; done'],
      env,
      guest: guestDouble(),
      output: (line) => (line === 'ready' ? ready.resolve() : lines.push(line)),
    })
    await ready.promise
    process.kill('SIGTERM')
    expect(await process.exit).toEqual({ code: 3, signal: null })
    expect(lines).toEqual(['asked'])
  })

  it('takes what it left behind with it when it ends', async (ctx) => {
    const { code } = await run(runner, [need(ctx, programs.dynamic), 'leave-behind'])
    expect(code).toBe(0)
    expect(processesOf(programs.folder)).toEqual([])
  })

  it('is killed with all it started when the signal is aborted', async (ctx) => {
    const abort = new AbortController()
    const left = Promise.withResolvers<void>()
    const process = await runner.start({
      command: [need(ctx, programs.dynamic), 'wait-with-child'],
      env,
      guest: guestDouble(),
      output: () => left.resolve(),
      signal: abort.signal,
    })
    await left.promise
    expect(processesOf(programs.folder).length).toBeGreaterThanOrEqual(2)
    abort.abort()
    expect(await process.exit).toEqual({ code: null, signal: 'SIGKILL' })
    expect(processesOf(programs.folder)).toEqual([])
  })

  it('that does not exist is said to be so', async () => {
    await expect(run(runner, ['no-such-program'])).rejects.toMatchObject({ code: 'ERR_COMMAND_NOT_FOUND' })
    await expect(run(runner, ['/etc'])).rejects.toMatchObject({ code: 'ERR_COMMAND_NOT_EXECUTABLE' })
    await expect(run(runner, ['true'], { cwd: '/no/such/place' })).rejects.toMatchObject({
      code: 'ERR_WORKING_DIRECTORY',
    })
  })

  it('dies with the emulator’s process, however that dies', async (ctx) => {
    const host = startHost(['hold', mechanism, need(ctx, programs.dynamic)])
    expect(await host.line()).toBe('left')
    expect(processesOf(programs.folder).length).toBeGreaterThanOrEqual(2)
    host.child.kill('SIGKILL')
    await vi.waitFor(() => expect(processesOf(programs.folder)).toEqual([]), { timeout: 5_000, interval: 10 })
  })

  it('dies with the worker thread that started it', async (ctx) => {
    const host = startHost(['hold-in-worker', mechanism, need(ctx, programs.dynamic)])
    expect(await host.line()).toBe('left')
    host.child.stdin?.write('end\n')
    expect(await host.line()).toBe('terminated')
    await vi.waitFor(() => expect(processesOf(programs.folder)).toEqual([]), { timeout: 5_000, interval: 10 })
    host.child.stdin?.end()
    host.child.kill('SIGKILL')
  })

  it('needs no privilege', async (ctx) => {
    const client = need(ctx, programs.dynamic)
    if (process.getuid?.() !== 0) ctx.skip('not root: all of these tests ran without privilege')
    if (!reachableByOthers(HOST_SCRIPT)) ctx.skip('this checkout lies where other users may not look')
    const host = startHost(['report', mechanism, client], { uid: 65534, gid: 65534 })
    expect(await host.line()).toBe(Buffer.from(reportResponseTo(9)).toString('hex'))
    expect((await host.ended)[0]).toBe(0)
  })
})

describe('a container group’s network', () => {
  const runner = createRunner()
  const accepted: string[] = []
  let group: GroupNetwork
  let other: GroupNetwork
  beforeAll(async () => {
    if (!(await runner.capabilities()).networkNamespace) return
    const networkOf = (name: string) =>
      runner.createNetwork({
        onConnection(socket, port) {
          accepted.push(`${name} ${port}`)
          socket.end(`emulator ${port}`)
        },
      })
    group = await networkOf('group')
    other = await networkOf('other')
    group.setHostNames(['contoso.vault.azure.net', '169.254.169.254'])
  })
  afterAll(async () => {
    await group?.[Symbol.asyncDispose]()
    await other?.[Symbol.asyncDispose]()
  })
  beforeEach(async (ctx) => {
    const { networkNamespace, notices } = await runner.capabilities()
    if (!networkNamespace) ctx.skip(notices.join(' '))
    need(ctx, programs.dynamic)
  })
  const client = (...words: string[]) => [programs.dynamic as string, ...words]
  const connect = async (network: GroupNetwork, host: string, port: number | string) =>
    (await run(runner, client('connect', host, String(port)), { network })).lines.join()

  /** A server of the group on all its addresses; resolves when it listens. */
  async function serve(network: GroupNetwork, port: string, text: string): Promise<AsyncDisposable> {
    const first = Promise.withResolvers<string>()
    const server = await runner.start({
      command: client('serve', port, text) as [string, ...string[]],
      env,
      guest: guestDouble(),
      network,
      output: first.resolve,
    })
    expect(await first.promise).toBe('listening')
    return {
      async [Symbol.asyncDispose]() {
        server.kill('SIGKILL')
        await server.exit
      },
    }
  }

  it('leads Azure’s names and the metadata address to the emulator, and says which port was meant', async () => {
    expect(await connect(group, 'contoso.vault.azure.net', 443)).toBe('emulator 443')
    expect(await connect(group, 'contoso.vault.azure.net', 80)).toBe('emulator 80')
    expect(await connect(group, '169.254.169.254', 80)).toBe('emulator 80')
    expect(accepted).toEqual(['group 443', 'group 80', 'group 80'])
  })

  it('leads nowhere else: not to the internet, not to the machine’s own loopback', async () => {
    const server = createServer((socket) => socket.end('the machine itself')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    expect(await connect(group, '127.0.0.1', port)).toBe('ECONNREFUSED')
    expect(await connect(group, '1.1.1.1', 443)).toBe('ENETUNREACH')
    expect(await connect(group, 'example.com', 443)).toBe('no such name')
    server.close()
  })

  it('keeps a group’s ports from another group, and lets both use the same one', async () => {
    await using _mine = await serve(group, '8080', 'of this group')
    expect(await connect(other, 'localhost', 8080)).toBe('ECONNREFUSED')
    await using _theirs = await serve(other, '8080', 'of the other')
    expect(await connect(group, 'localhost', 8080)).toBe('of this group')
    expect(await connect(other, 'localhost', 8080)).toBe('of the other')
  })

  it('lets a program without privilege listen on ports 80 and 443 of all its addresses', async () => {
    await using _server = await serve(group, '443', 'a server of the group')
    expect(await connect(group, '127.0.0.1', 443)).toBe('a server of the group')
    expect(await connect(group, 'contoso.vault.azure.net', 443)).toBe('emulator 443')
  })

  it('takes new names while programs run', async () => {
    const started = Promise.withResolvers<void>()
    const seen: string[] = []
    const waiting = await runner.start({
      command: ['sh', '-c', 'echo started; until grep -q late.vault.azure.net /etc/hosts; do :; done; cat /etc/hosts'],
      env,
      guest: guestDouble(),
      network: group,
      output: (line) => (line === 'started' ? started.resolve() : seen.push(line)),
    })
    await started.promise
    group.setHostNames(['contoso.vault.azure.net', 'late.vault.azure.net'])
    expect((await waiting.exit).code).toBe(0)
    expect(seen[0]).toBe('127.0.0.1 localhost')
    expect(await connect(group, 'late.vault.azure.net', 443)).toBe('emulator 443')
  })

  it('has the device too', async () => {
    const { lines } = await run(runner, client('report', '/dev/sev-guest', '4'), { network: group })
    expect(lines).toEqual([Buffer.from(reportResponseTo(4)).toString('hex')])
  })

  it('has the device as an injected descriptor too', async () => {
    const injecting = createRunner({ device: 'injected-descriptor' })
    const { lines } = await run(injecting, client('report', '/dev/sev-guest', '4'), { network: group })
    expect(lines).toEqual([Buffer.from(reportResponseTo(4)).toString('hex')])
  })

  it('takes no name that is none', () => {
    expect(() => group.setHostNames(['evil\n1.2.3.4 login.microsoftonline.com'])).toThrow(/is not a host name/)
  })

  it('is refused with the kernel’s reason where there is none', async () => {
    const without = createRunner({ networkNamespace: false })
    const refused = without.createNetwork({ onConnection: () => {} })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_NETWORK_NAMESPACE' })
    expect((await without.capabilities()).notices.join()).toMatch(/network namespace/)
  })
})

describe('a kernel that refuses user namespaces', () => {
  // The limit counts per user namespace, so it can be lowered in one of our own.
  const refusing = (words: string) =>
    execFileSync('unshare', ['-Ur', 'sh', '-c', `echo 0 > /proc/sys/user/max_user_namespaces && exec ${words}`], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  const host = (...words: string[]) =>
    refusing(
      [process.execPath, '--conditions=skerry-source', HOST_SCRIPT, ...words].map((word) => `'${word}'`).join(' '),
    )
  beforeEach((ctx) => {
    try {
      refusing('true')
    } catch {
      ctx.skip('unshare cannot lower the limit here')
    }
  })

  it('leaves the injected descriptor, and says which feature is missing and which switch it is', () => {
    const found: RunnerCapabilities = JSON.parse(host('capabilities', 'auto'))
    expect(found).toMatchObject({ device: 'injected-descriptor', networkNamespace: false })
    expect(found.notices).toEqual([
      expect.stringMatching(/unshare CLONE_NEWUSER\) failed with ENOSPC \(user.max_user_namespaces is 0\).*injected/),
      expect.stringMatching(/No network namespace.*other local users could reach its ports/),
    ])
  })

  it('still lets a program get its report', (ctx) => {
    const client = need(ctx, programs.dynamic)
    expect(host('report', 'injected-descriptor', client)).toBe(`${Buffer.from(reportResponseTo(9)).toString('hex')}\n`)
  })
})

describe('runConfidential', () => {
  it('gives a program its security context, its network and its device, and its exit code back', async (ctx) => {
    const runner = createRunner()
    const { device, networkNamespace, notices } = await runner.capabilities()
    if (device !== 'mount-namespace' || !networkNamespace) ctx.skip(notices.join(' '))
    const lines: string[] = []
    const script =
      'cat "$UVM_SECURITY_CONTEXT_DIR/security-policy-base64"; echo; ls "$UVM_SECURITY_CONTEXT_DIR"; ' +
      'touch "$UVM_SECURITY_CONTEXT_DIR/x" 2>/dev/null || echo read-only; grep vault /etc/hosts; test -c /dev/sev-guest && exit 42'
    const exit = await runConfidential({
      runner,
      command: ['sh', '-c', script],
      env,
      guest: guestDouble(),
      securityContext: { 'security-policy-base64': 'cG9saWN5', 'reference-info-base64': '' },
      network: { onConnection: () => {}, hostNames: ['contoso.vault.azure.net'] },
      output: (line) => lines.push(line),
    })
    expect(lines).toEqual([
      'cG9saWN5',
      'security-policy-base64',
      'read-only',
      expect.stringMatching(/^[0-9.]+ contoso\.vault\.azure\.net$/),
    ])
    expect(exit).toEqual({ code: 42, signal: null })
  })
})

interface Host {
  readonly child: ChildProcess
  readonly ended: Promise<unknown[]>
  line(): Promise<string | undefined>
}

/** Another process that plays the emulator (run/host.ts). */
function startHost(words: readonly string[], identity: { uid?: number; gid?: number } = {}): Host {
  const child = spawn(process.execPath, ['--conditions=skerry-source', HOST_SCRIPT, ...words], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // What a killed one leaves behind lies in the programs' folder and goes with it.
    ...(identity.uid === undefined && { env: { ...process.env, TMPDIR: programs.folder } }),
    ...identity,
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = once(child, 'close')
  return { child, ended, line: async () => (await lines.next()).value }
}

function onThisMachine(program: string): boolean {
  try {
    execFileSync(program, ['-c', ''], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** A pyenv shim and the like is a script that needs its home; what it leads to is not. */
function pathOf(program: string): string {
  return execFileSync(program, ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim()
}
