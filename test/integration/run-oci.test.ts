import { execFile } from 'node:child_process'
import { verify, X509Certificate } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { decodeReport, reportSignature } from '@skerry/guest/wire'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { RunnerError } from '../../emulator/src/run/index.ts'
import { runRuntime, type ServeContainersOptions, serveContainers } from '../../emulator/src/run/oci/index.ts'
import { type Command, skerry, temporaryFolder } from '../support/skerry.ts'
import { guestDouble, reportResponseTo } from './run/guest-double.ts'
import { env, need } from './run/harness.ts'
import { type Bundle, createBundle, needRuntime } from './run/oci-bundle.ts'
import { buildPrograms, type Programs } from './run/programs.ts'

/*
 * The containers of somebody else's runtime: crun as Debian has it, rootless, reads our profile and hands its listener over.
 */

const execute = promisify(execFile)

let programs: Programs
let bundle: Bundle
let problems: RunnerError[]
beforeAll(async () => {
  programs = await buildPrograms('static')
})
afterAll(() => programs[Symbol.dispose]())

beforeEach((ctx) => {
  bundle = createBundle(need(ctx, programs.static))
  problems = []
})
afterEach(() => bundle?.[Symbol.dispose]())

const serve = (more: Partial<ServeContainersOptions> = {}) =>
  serveContainers({
    profileFile: bundle.profileFile,
    guest: guestDouble(),
    onProblem: (error) => problems.push(error),
    ...more,
  })

/** What the container printed; with its exit code when it is not 0. */
async function container(id: string, args: readonly string[], options = {}): Promise<string[]> {
  const [program, ...words] = await bundle.command(id, args, options)
  const { stdout } = await execute(program, words, { env: { ...process.env, ...env }, timeout: 20_000 }).catch(
    (error: { stdout: string; stderr: string; code: number }) => ({
      stdout: `${error.stdout}${error.stderr}code ${error.code}`,
    }),
  )
  return stdout.trim().split('\n')
}

describe('a container that crun starts with the profile', () => {
  beforeEach((ctx) => needRuntime(ctx, 'crun'))

  it('gets the report that the guest gave, in an image that knows nothing of it', async () => {
    const containers: string[] = []
    await using agent = await serve({ onContainer: ({ id }) => containers.push(id) })
    expect(await container('c1', ['report', '/dev/sev-guest', '5'])).toEqual([
      Buffer.from(reportResponseTo(5)).toString('hex'),
    ])
    expect(containers).toEqual(['c1'])
    await vi.waitFor(() => expect(agent.serving).toBe(0), { timeout: 5_000, interval: 10 })
  })

  it('gets it as well when runc starts it, which reads the same profile', async (ctx) => {
    needRuntime(ctx, 'runc')
    await using _agent = await serve()
    const lines = await container('r1', ['report', '/dev/sev-guest', '8'], { runtime: 'runc' })
    expect(lines).toEqual([Buffer.from(reportResponseTo(8)).toString('hex')])
  })

  it('gets it by a node of its own, where only the ioctl is answered', async () => {
    await using _agent = await serve({ mechanism: 'mount-namespace' })
    expect(await container('c2', ['report', '/dev/sev-guest', '6'])).toEqual(['open: ENOENT', 'code 1'])
    const lines = await container('c3', ['report', '/dev/sev-guest', '6'], { node: '/dev/sev-guest' })
    expect(lines).toEqual([Buffer.from(reportResponseTo(6)).toString('hex')])
  })

  it('finds Azure’s older device instead, when the profile is for that', async () => {
    await using _agent = await serve({ deviceGeneration: 'sev' })
    expect(await container('c4', ['report', '/dev/sev', '7'])).toEqual([
      Buffer.from(reportResponseTo(7)).toString('hex'),
    ])
  })

  it('is one of several at a time, each with threads of its own', async () => {
    await using _agent = await serve()
    const run = promisify(execFile)
    const commands = [
      await bundle.command('a', ['threads', '/dev/sev-guest', '8', '20']),
      await bundle.command('b', ['threads', '/dev/sev-guest', '8', '20']),
    ]
    const found = await Promise.all(commands.map(([program, ...words]) => run(program, words, { timeout: 20_000 })))
    expect(found.map(({ stdout }) => stdout)).toEqual(['0 wrong\n', '0 wrong\n'])
  })

  it('has the kernel’s own answers for what is not the device', async () => {
    await using _agent = await serve()
    const lines = await container('c5', ['errors', '/dev/sev-guest'])
    expect(lines).toContain('other-request ENOTTY')
    expect(lines).toContain('closed-descriptor EBADF')
    expect(lines).toContain('not-the-device ENOTTY')
  })

  it('is not served with a profile that was written for another device', async () => {
    await using _agent = await serve()
    const other = readFileSync(bundle.profileFile, 'utf8').replace('device=sev-guest', 'device=sev')
    writeFileSync(bundle.profileFile, other)
    const lines = await container('c6', ['report', '/dev/sev-guest', '1'])
    expect(lines.join()).not.toContain(Buffer.from(reportResponseTo(1)).toString('hex'))
    expect(problems).toEqual([expect.objectContaining({ code: 'ERR_CONTAINER_STATE' })])
  })

  it('is run to its end, with its exit code, by the command that has the profile written', async () => {
    const seen: string[] = []
    await using first = await serve()
    const command = await bundle.command('c7', ['report', '/dev/sev', '1'])
    await first[Symbol.asyncDispose]()
    const ca = join(bundle.folder, 'ca.pem')
    writeFileSync(ca, 'a certificate', { mode: 0o600 })
    const exit = await runRuntime({
      profileFile: bundle.profileFile,
      guest: guestDouble(),
      command,
      env: { ...(process.env as Record<string, string>), ...env },
      securityContext: { 'security-policy-base64': 'cG9saWN5' },
      caFile: ca,
      onReady({ securityContextDir, caFile }) {
        seen.push(readFileSync(join(securityContextDir, 'security-policy-base64'), 'utf8'))
        seen.push(readFileSync(caFile, 'utf8'), (statSync(caFile).mode & 0o777).toString(8))
      },
    })
    // The other generation's device is not there.
    expect(exit).toEqual({ code: 1, signal: null })
    // The instance's own copy is its user's alone; a container's user is another one.
    expect(seen).toEqual(['cG9saWN5', 'a certificate', '644'])
  })

  it('gets ENOSYS, and does not hang, when nobody serves it any longer', async () => {
    const waiting = Promise.withResolvers<void>()
    const guest = {
      ...guestDouble(),
      reportRequest: () => {
        waiting.resolve()
        return new Promise<Uint8Array>(() => {})
      },
    }
    const agent = await serve({ guest })
    const lines = container('c8', ['report', '/dev/sev-guest', '1'])
    await waiting.promise
    await agent[Symbol.asyncDispose]()
    expect(await lines).toEqual(['ENOSYS', 'code 1'])
  })
})

describe('the socket of the profile', () => {
  const socketOf = (file: string) => `${file}.sock`

  it('is this user’s alone, and gone afterwards', async () => {
    const agent = await serve()
    expect(statSync(socketOf(bundle.profileFile)).mode & 0o777).toBe(0o600)
    await agent[Symbol.asyncDispose]()
    expect(() => statSync(socketOf(bundle.profileFile))).toThrow(/ENOENT/)
  })

  it('is not taken from another one that listens there', async () => {
    await using _first = await serve()
    await expect(serve()).rejects.toMatchObject({ code: 'ERR_LISTENER_PATH' })
  })

  it('does not take the place of a file that is no socket', async () => {
    writeFileSync(socketOf(bundle.profileFile), 'mine')
    await expect(serve()).rejects.toMatchObject({ code: 'ERR_LISTENER_PATH' })
    expect(readFileSync(socketOf(bundle.profileFile), 'utf8')).toBe('mine')
  })

  it('has a path that a socket can have', async () => {
    await expect(serve({ profileFile: join(bundle.folder, 'x'.repeat(100)) })).rejects.toThrow(/107 bytes/)
  })

  it('takes nothing for a container that is none, and goes on', async () => {
    await using _agent = await serve()
    const socket = connect(socketOf(bundle.profileFile))
    socket.end('{"ociVersion":"1.0","fds":["seccompFd"]}')
    await vi.waitFor(() => expect(problems).toHaveLength(1), { timeout: 5_000, interval: 5 })
    const whole = {
      ociVersion: '1.0',
      fds: ['seccompFd'],
      pid: 1,
      metadata: 'skerry;device=sev-guest;by=injected-descriptor',
    }
    connect(socketOf(bundle.profileFile)).end(JSON.stringify({ ...whole, state: { id: 'x', status: 'creating' } }))
    await vi.waitFor(() => expect(problems).toHaveLength(2), { timeout: 5_000, interval: 5 })
    expect(problems.map(({ code }) => code)).toEqual(['ERR_CONTAINER_STATE', 'ERR_CONTAINER_STATE'])
    expect(problems[1]?.message).toMatch(/without its descriptors/)
  })
})

/** ECDSA P-384 over the first 0x2A0 bytes (AMD 56860, "Signature"). */
function isSignedBy(vcek: X509Certificate, report: Uint8Array): boolean {
  const key = { key: vcek.publicKey, dsaEncoding: 'ieee-p1363' as const }
  return verify('sha384', report.subarray(0, 0x2a0), key, reportSignature(report))
}

it('skerry run --seccomp-profile serves containers until it is told to stop, each with a report of its processor', async (ctx) => {
  needRuntime(ctx, 'crun')
  const folder = temporaryFolder()
  const environment = { ...process.env, XDG_RUNTIME_DIR: folder.path }
  const up = skerry(['up', '--json'], environment)
  let serving: Command | undefined
  try {
    await up.line(/^\{/)
    serving = skerry(['run', '--seccomp-profile', bundle.profileFile], environment)
    let said = ''
    serving.child.stderr.on('data', (text) => {
      said += text
    })
    await vi.waitFor(() => expect(said).toContain('listening for containers'), { timeout: 10_000, interval: 10 })
    const context = /-v ([^:\s]+):/.exec(said)?.[1] ?? ''
    const certification = Buffer.from(readFileSync(join(context, 'host-amd-cert-base64'), 'utf8'), 'base64').toString()
    const vcek = new X509Certificate(JSON.parse(certification).vcekCert)
    const [report = ''] = await container('served', ['report-on', '/dev/sev-guest', 'ab'.repeat(64)])
    const bytes = Buffer.from(report, 'hex')
    expect(Buffer.from(decodeReport(bytes).reportData).toString('hex')).toBe('ab'.repeat(64))
    expect(isSignedBy(vcek, bytes)).toBe(true)
    serving.child.kill('SIGTERM')
    expect(await serving.ended).toMatchObject({ code: 0, stdout: '' })
    expect(said).toMatch(/-v ([^:\s]+):\1:ro -e UVM_SECURITY_CONTEXT_DIR=\1/)
    expect(said).toMatch(/-v ([^:\s]+):\1:ro -e NODE_EXTRA_CA_CERTS=\1 -e SSL_CERT_FILE=\1/)
    expect(said).toContain('container served has the SNP device /dev/sev-guest')
  } finally {
    serving?.child.kill('SIGTERM')
    await serving?.ended
    up.child.kill('SIGTERM')
    await up.ended
    folder[Symbol.dispose]()
  }
})
