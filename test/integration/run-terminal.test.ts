import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { needDevice } from '../support/need-device.ts'
import { type Command, ROOT, skerry, temporaryFolder } from '../support/skerry.ts'
import { need } from './run/harness.ts'
import { buildPrograms, type Programs, processesOf } from './run/programs.ts'
import { needTerminal, openTerminal, type Terminal } from './run/terminal.ts'

/*
 * `skerry run` at a person's terminal, or below what sends signals: the program behaves as if it were started directly.
 */

const SKERRY = [process.execPath, join(ROOT, 'emulator/bin/skerry.mjs')]
const CTRL_C = '\x03'
const CTRL_Z = '\x1a'
const CTRL_BACKSLASH = '\x1c'

let programs: Programs
let folder: ReturnType<typeof temporaryFolder>
let env: NodeJS.ProcessEnv
let up: Command
let terminals: Terminal[]
beforeAll(async () => {
  programs = await buildPrograms('dynamic')
  folder = temporaryFolder()
  const runtime = join(folder.path, 'runtime')
  mkdirSync(runtime)
  env = { ...process.env, XDG_RUNTIME_DIR: runtime, TMPDIR: folder.path, PS1: '$ ', ENV: '', TERM: 'dumb' }
  up = skerry(['up', '--json'], env)
  await up.line(/^\{/)
})
afterAll(async () => {
  up?.child.kill('SIGTERM')
  await up?.ended
  programs?.[Symbol.dispose]()
  folder?.[Symbol.dispose]()
})
beforeEach(async (ctx) => {
  await needDevice(ctx)
  terminals = []
  return () => {
    for (const { child } of terminals) child.kill('SIGKILL')
  }
})

const open = (command: readonly string[]) => {
  const terminal = openTerminal(command, env)
  terminals.push(terminal)
  return terminal
}
const run = (...command: string[]) => [...SKERRY, 'run', '--', ...command]
/** Bash asks root with the other one. */
const PROMPT = /[$#] $/
const SHELL = ['/bin/bash', '--norc', '--noediting', '-i']

describe('a program at a terminal', () => {
  beforeEach((ctx) => needTerminal(ctx))

  it('sees its size, is told of another, and is in the foreground', async (ctx) => {
    const terminal = open(run(need(ctx, programs.dynamic), 'terminal'))
    await terminal.shows(/ready 24x80 foreground/)
    terminal.resize(30, 90)
    await terminal.shows(/resized 30x90 foreground/)
    terminal.type(CTRL_BACKSLASH)
    expect(await terminal.ended).toBe(3)
  })

  const pretend = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.0.0' } })"
  it.for([
    ['gets Ctrl-C and Ctrl-\\ once, and may go on', []],
    [
      'gets them once below an older Node too, which starts the pinned one',
      ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`],
    ],
  ] as const)('%s', async ([, flags], ctx) => {
    const [node = '', ...skerry] = run(need(ctx, programs.dynamic), 'terminal')
    const terminal = open([node, ...flags, ...skerry])
    await terminal.shows(/ready/)
    terminal.type(CTRL_C)
    await terminal.shows(/interrupted/)
    terminal.resize(10, 10)
    await terminal.shows(/resized/)
    terminal.type(CTRL_BACKSLASH)
    expect(await terminal.ended).toBe(3)
    expect(terminal.shown.match(/interrupted/g)).toHaveLength(1)
  })

  it('is stopped by Ctrl-Z and goes on with fg, in the eyes of the shell that started it', async (ctx) => {
    const terminal = open(SHELL)
    await terminal.shows(PROMPT)
    terminal.type(`${run(need(ctx, programs.dynamic), 'terminal').join(' ')}\n`)
    await terminal.shows(/ready/)
    terminal.type(CTRL_Z)
    await terminal.shows(/\[1\]\+ +Stopped/)
    terminal.type('fg\n')
    await terminal.shows(/continued 24x80 foreground/)
    terminal.type(CTRL_BACKSLASH)
    terminal.type('echo code=$?; exit\n')
    await terminal.shows(/code=3/)
    expect(terminal.shown.match(/continued/g)).toHaveLength(1)
  })

  it('that stops itself is seen stopped, and goes on with fg', async (ctx) => {
    const terminal = open(SHELL)
    await terminal.shows(PROMPT)
    terminal.type(`${run(need(ctx, programs.dynamic), 'stop-itself').join(' ')}\n`)
    await terminal.shows(/stopping[\s\S]*\[1\]\+ +Stopped/)
    terminal.type('fg\n')
    await terminal.shows(/went on/)
    terminal.type('echo code=$?; exit\n')
    await terminal.shows(/code=0/)
  })

  it('may be a shell with jobs of its own', async () => {
    const terminal = open(run(...SHELL))
    await terminal.shows(PROMPT)
    terminal.type('cat\n')
    terminal.type('typed\n')
    await terminal.shows(/^typed\r?\n/m)
    terminal.type(CTRL_Z)
    await terminal.shows(/\[1\]\+ +Stopped +cat/)
    terminal.type('fg\n')
    terminal.type('again\n')
    await terminal.shows(/^again\r?\n/m)
    terminal.type(CTRL_C)
    await terminal.shows(PROMPT)
    terminal.type('test -c /dev/sev-guest && echo device; exit 4\n')
    await terminal.shows(/device/)
    expect(await terminal.ended).toBe(4)
    expect(terminal.shown).not.toMatch(/no job control|cannot set terminal/)
  })

  it('gives the terminal back when it was such a shell', async () => {
    const script = `${run(...SHELL).join(' ')}; echo code=$?; read line; echo read $line`
    const terminal = open(['/bin/sh', '-c', script])
    await terminal.shows(PROMPT)
    terminal.type('exit 5\n')
    await terminal.shows(/code=5/)
    terminal.type('what was typed\n')
    await terminal.shows(/read what was typed/)
  })
})

describe('the command', () => {
  it.each(['SIGINT', 'SIGQUIT', 'SIGWINCH', 'SIGALRM'] as const)(
    'passes %s on when it alone is sent it',
    async (signal) => {
      const trap = `trap "echo got; exit 6" ${signal.slice(3)}; echo ready; while :; do :; done`
      const command = skerry(['run', '--', '/bin/sh', '-c', trap], env)
      await command.line(/ready/)
      command.child.kill(signal)
      expect(await command.ended).toMatchObject({ stdout: 'ready\ngot\n', code: 6 })
    },
  )

  it('names what is missing where nothing can stand below the system call', async (ctx) => {
    // Which is so below another's seccomp listener: there is one in a tree.
    const below = await ran([need(ctx, programs.dynamic), 'listener', ...run('/bin/true')])
    expect(below.stderr).toMatch(/^skerry: nothing can stand below .* EBUSY: .*\[ERR_SECCOMP_LISTENER_TAKEN\]\n$/)
    expect(below.code).toBe(1)
  })

  it('says so when it is itself a program of skerry run', async () => {
    const nested = await ran(run(...run('/bin/true')))
    expect(nested.stderr).toMatch(/program of skerry run itself.*\[ERR_SECCOMP_LISTENER_TAKEN\]\n$/)
    expect(nested.code).toBe(1)
  })

  it('does without a network of its own where nothing may be mounted', async (ctx) => {
    const client = need(ctx, programs.dynamic)
    const program = [client, 'report-on', '/dev/sev-guest', '00'.repeat(64)]
    const degraded = await ran([client, 'without-mount', ...run(...program)])
    expect(degraded).toMatchObject({ stdout: expect.stringMatching(/^[0-9a-f]{2368}\n$/), code: 0 })
    expect(degraded.stderr).toMatch(
      /injected descriptor instead[\s\S]*No network namespace for programs: mount namespace/,
    )
    const isolated = await ran([client, 'without-mount', ...SKERRY, 'run', '--isolate', '--', ...program])
    expect(isolated.stderr).toMatch(/^skerry: --isolate: .* mount namespace .* EACCES.*\[ERR_MOUNT_NAMESPACE\]\n$/)
    expect(isolated.code).toBe(1)
  })

  it('ends with 128 and the number of the signal that ended the program', async () => {
    const { code } = await skerry(['run', '--', '/bin/sh', '-c', 'kill -SEGV $$'], env).ended
    expect(code).toBe(139)
  })

  it('killed, leaves no child behind, not one that waits for a report either', async (ctx) => {
    const client = need(ctx, programs.dynamic)
    const waiting = skerry(['run', '--', client, 'wait-with-child'], env)
    const asking = skerry(['run', '--', client, 'threads', '/dev/sev-guest', '8', '1000000'], env)
    await waiting.line(/left/)
    await vi.waitFor(() => expect(processesOf(programs.folder).length).toBeGreaterThanOrEqual(3), {
      timeout: 10_000,
      interval: 10,
    })
    waiting.child.kill('SIGKILL')
    asking.child.kill('SIGKILL')
    await vi.waitFor(() => expect(processesOf(programs.folder)).toEqual([]), { timeout: 5_000, interval: 10 })
  })
})

/** Something else that starts the command. */
async function ran([program = '', ...words]: readonly string[]) {
  const child = spawn(program, words, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { stdout, stderr, code }
}
