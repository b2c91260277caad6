import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  createRunner,
  type GroupNetwork,
  type RunnerCapabilities,
  runConfidential,
} from '../../emulator/src/run/index.ts'
import { guestDouble, reportResponseTo } from './run/guest-double.ts'
import { env, need, run } from './run/harness.ts'
import { buildPrograms, HOST_SCRIPT, type Programs } from './run/programs.ts'

let programs: Programs
beforeAll(async () => {
  programs = await buildPrograms('dynamic')
})
afterAll(() => programs[Symbol.dispose]())

describe('a container group’s network', () => {
  const runner = createRunner()
  const accepted: string[] = []
  const present = ['contoso.vault.azure.net']
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
        ...(name === 'group' && { presentHostNames: async () => present }),
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

  it('finds a name that exists since its start, in any case and with the dot of a whole name, and no name any longer that does not', async () => {
    const names = ['contoso.vault.azure.net', 'made.since.vault.azure.net']
    present.splice(0, present.length, ...names)
    expect(await connect(group, 'Made.Since.vault.azure.net', 443)).toBe('emulator 443')
    expect(await connect(group, 'made.since.vault.azure.net.', 443)).toBe('emulator 443')
    expect(await connect(group, 'never.vault.azure.net', 443)).toBe('no such name')
    group.setHostNames(present.slice(0, 1))
    present.pop()
    expect(await connect(group, 'made.since.vault.azure.net', 443)).toBe('no such name')
  })

  it('answers those who ask a name server themselves, as c-ares does', async () => {
    const script = `const { resolve4, resolve6 } = require('node:dns').promises
      const said = (asked) => asked.then(String, ({ code }) => code)
      Promise.all([resolve4('contoso.vault.azure.net'), said(resolve6('contoso.vault.azure.net')), said(resolve4('example.com'))])
        .then((all) => console.log(all.join(' ')))`
    const { lines } = await run(runner, [process.execPath, '-e', script], { network: group })
    expect(lines).toEqual(['10.0.0.1 ENODATA ENOTFOUND'])
  })

  it('knows no name while those that exist cannot be asked for', async () => {
    const failing = await runner.createNetwork({
      onConnection: (socket) => socket.destroy(),
      presentHostNames: () => Promise.reject(new Error('the instance is gone')),
    })
    try {
      failing.setHostNames(['contoso.vault.azure.net'])
      expect(await connect(failing, 'late.vault.azure.net', 443)).toBe('no such name')
      expect(await connect(failing, 'contoso.vault.azure.net.', 443)).toBe('')
    } finally {
      await failing[Symbol.asyncDispose]()
    }
  })

  it('cannot be left: not by the machines behind a vsock, not by a ring of calls, not through the process that holds it', async () => {
    const { lines } = await run(runner, client('escape'), { network: group })
    const found = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), line.split(' ').at(-1)]),
    )
    expect(found).toMatchObject({ vsock: 'EAFNOSUPPORT', 'vsock datagram': 'EAFNOSUPPORT', ring: 'ENOSYS' })
    expect(found).toMatchObject({ packet: 'EPERM', raw: 'EPERM', internet: '0', unix: '0' })
    expect(found).toMatchObject({ 'trace init': 'EPERM', 'descriptor of init': 'EPERM', 'namespaces of init': 'EPERM' })
    // A kernel may be without the calls of 32-bit programs; then their numbers are none.
    for (const name of ['vsock of 32 bit', 'vsock by socketcall']) {
      expect(['EAFNOSUPPORT', 'ENOSYS', 'none', undefined]).toContain(found[name])
    }
  })

  it('has the device too', async () => {
    const { lines } = await run(runner, client('report', '/dev/sev-guest', '4'), { network: group })
    expect(lines).toEqual([Buffer.from(reportResponseTo(4)).toString('hex')])
  })

  it('has the device for a program whose root is another folder than ours, too', async (ctx) => {
    const jail = mkdtempSync(join(tmpdir(), 'skerry-test-jail-'))
    const words = client('report', '/dev/sev-guest', '4')
    const script = `mount --rbind / ${jail} && exec chroot ${jail} ${words.join(' ')}`
    try {
      const { lines } = await run(runner, ['unshare', '-Um', '--keep-caps', 'sh', '-c', script], {
        network: group,
        env: { PATH: `${env.PATH}:/usr/sbin:/sbin` },
      })
      const refused = lines.find((line) => /^(unshare|mount|chroot): /.test(line))
      if (refused !== undefined) ctx.skip(`no root of its own for a program: ${refused}`)
      expect(lines).toEqual([Buffer.from(reportResponseTo(4)).toString('hex')])
    } finally {
      rmdirSync(jail)
    }
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
      expect.stringMatching(/Nothing hides the emulator's files/),
      expect.stringMatching(/No network namespace.*other local users could reach its ports/),
    ])
  })

  it('still lets a program get its report', (ctx) => {
    const client = need(ctx, programs.dynamic)
    expect(host('report', 'injected-descriptor', client)).toBe(`${Buffer.from(reportResponseTo(9)).toString('hex')}\n`)
  })
})

describe('a machine without /proc', () => {
  it('is said to be one', (ctx) => {
    const words = [process.execPath, '--conditions=skerry-source', HOST_SCRIPT, 'capabilities', 'auto']
    const script = 'mount -t tmpfs none /proc && exec "$@"'
    let printed: string
    try {
      execFileSync('unshare', ['-Urm', 'true'], { stdio: 'ignore' })
      printed = execFileSync('unshare', ['-Urm', 'sh', '-c', script, 'sh', ...words], { encoding: 'utf8' })
    } catch (error) {
      return ctx.skip(`/proc cannot be covered here: ${(error as Error).message}`)
    }
    const found: RunnerCapabilities = JSON.parse(printed)
    expect(found).toMatchObject({ device: 'none', networkNamespace: false })
    expect(new Set(found.missing.map(({ code }) => code))).toEqual(new Set(['ERR_PROC_MISSING']))
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
