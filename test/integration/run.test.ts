import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext, vi } from 'vitest'
import { createTestContext } from '../../emulator/src/core/test-context.ts'
import { evidenceTrust } from '../../emulator/src/maa/evidence/trust.ts'
import { createEvidenceVerifier } from '../../emulator/src/maa/evidence/verifier.ts'
import { createProcessor } from '../../emulator/src/psp/index.ts'
import { createRunner, type DeviceMechanism } from '../../emulator/src/run/index.ts'
import { guestDouble, reportResponseTo } from './run/guest-double.ts'
import { env, need, run, startHost } from './run/harness.ts'
import { buildPrograms, HOST_SCRIPT, type Programs, processesOf, reachableByOthers } from './run/programs.ts'

let programs: Programs
beforeAll(async () => {
  programs = await buildPrograms('dynamic', 'static', 'go')
})
afterAll(() => programs[Symbol.dispose]())

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
      'readlink EINVAL',
      'attribute ENODATA',
      'attributes 0',
      'mode not to be changed',
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

  it('keeps the caller’s umask', async () => {
    const mask = process.umask().toString(8).padStart(4, '0')
    expect((await run(runner, ['sh', '-c', 'umask'])).lines).toEqual([mask])
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
    const host = startHost(programs.folder, ['hold', mechanism, need(ctx, programs.dynamic)])
    expect(await host.line()).toBe('left')
    expect(processesOf(programs.folder).length).toBeGreaterThanOrEqual(2)
    host.child.kill('SIGKILL')
    await vi.waitFor(() => expect(processesOf(programs.folder)).toEqual([]), { timeout: 5_000, interval: 10 })
  })

  it('dies with the worker thread that started it', async (ctx) => {
    const host = startHost(programs.folder, ['hold-in-worker', mechanism, need(ctx, programs.dynamic)])
    expect(await host.line()).toBe('left')
    host.child.stdin?.write('end\n')
    expect(await host.line()).toBe('terminated')
    await vi.waitFor(() => expect(processesOf(programs.folder)).toEqual([]), { timeout: 5_000, interval: 10 })
    host.child.stdin?.end()
    host.child.kill('SIGKILL')
  })

  it('keeps its memory from its own user: a report where it has a user namespace of ours, a named reason where not', async (ctx) => {
    const client = need(ctx, programs.dynamic)
    if (process.getuid?.() !== 0) ctx.skip('not root, and root may read all the same: there is nobody else to be')
    if (!reachableByOthers(HOST_SCRIPT)) ctx.skip('this checkout lies where other users may not look')
    const host = startHost(programs.folder, ['undumpable', mechanism, client], { uid: 65534, gid: 65534 })
    const said = [await host.line(), await host.line()].join(' ')
    await host.ended
    if (mechanism === 'mount-namespace') expect(said.trim()).toBe(Buffer.from(reportResponseTo(1)).toString('hex'))
    // Its name is not to be had either where the kernel hides it with the rest.
    else expect(said).toMatch(/ERR_UNDUMPABLE_PROCESS (dynamic|a program) \(process \d+\) asked the SNP device/)
  })

  it('needs no privilege', async (ctx) => {
    const client = need(ctx, programs.dynamic)
    if (process.getuid?.() !== 0) ctx.skip('not root: all of these tests ran without privilege')
    if (!reachableByOthers(HOST_SCRIPT)) ctx.skip('this checkout lies where other users may not look')
    const host = startHost(programs.folder, ['report', mechanism, client], { uid: 65534, gid: 65534 })
    expect(await host.line()).toBe(Buffer.from(reportResponseTo(9)).toString('hex'))
    expect((await host.ended)[0]).toBe(0)
  })
})

describe('a report that our verifier accepts', () => {
  const { ctx: context } = createTestContext({ settings: { attestation: { trust: 'emulator', endorsers: [] } } })
  const psp = createProcessor(context)
  const verifier = createEvidenceVerifier(() => evidenceTrust(context.settings.attestation, psp))
  const commandOf = (ctx: TestContext, language: string, device: string): string[] => {
    const report = ['report-on', device, '00'.repeat(64)]
    switch (language) {
      case 'static C':
        return [need(ctx, programs.static), ...report]
      case 'Go':
        return [need(ctx, programs.go), device]
      case 'Python':
        python ??= findPython()
        return [need(ctx, python), '-c', PYTHON_REPORT, device]
      default:
        return [need(ctx, programs.dynamic), ...report]
    }
  }

  describe.each(mechanisms)('by %s', (mechanism) => {
    const runner = createRunner({ device: mechanism, networkNamespace: false })
    it.for(
      ['dynamic C', 'static C', 'Go', 'Python'].flatMap((language) =>
        (['sev-guest', 'sev'] as const).map((generation) => [language, generation] as const),
      ),
    )('goes to a program in %s by /dev/%s', async ([language, generation], ctx) => {
      const { device, notices } = await runner.capabilities()
      if (device === 'none') ctx.skip(notices.join(' '))
      const guest = psp.launch({ hostData: new Uint8Array(32).fill(4) })
      const command = commandOf(ctx, language, `/dev/${generation}`)
      const { lines } = await run(runner, command, { guest, deviceGeneration: generation })
      const { vcekCert, certificateChain } = await psp.thim()
      const found = await verifier.verify(
        {
          report: Buffer.from(lines.join(''), 'hex'),
          certificateChainPem: vcekCert + certificateChain,
          uvmEndorsements: [await psp.uvm.endorsement()],
        },
        context.clock.now(),
      )
      expect(found.checks.filter(({ met }) => !met)).toEqual([])
      expect(found.report?.hostData).toEqual(new Uint8Array(32).fill(4))
    })
  })
})

const PYTHON_REPORT = `
import ctypes, fcntl, struct, sys
request, response = ctypes.create_string_buffer(96), ctypes.create_string_buffer(4000)
places = [ctypes.addressof(request), ctypes.addressof(response)]
if sys.argv[1] == "/dev/sev":
    number, a = 0xC0285301, struct.pack("<BBBBHHQHHHHQII", 5, 6, 1, 0, 96, 0, places[0], 1280, 0, 0, 0, places[1], 0, 0)
else:
    number, a = 0xC0205300, struct.pack("<QQQQ", 1, *places, 0)
fcntl.ioctl(open(sys.argv[1], "r+b", buffering=0), number, a)
print(response.raw[0x20:0x20 + 1184].hex())
`

let python: ReturnType<typeof findPython> | undefined

/** A pyenv shim and the like is a script that needs its home; what it leads to is not. */
function findPython() {
  try {
    return execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim()
  } catch {
    return { missing: 'no python3 on this machine' }
  }
}
