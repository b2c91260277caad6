import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { prepareHandOver } from './hand-over.ts'

const scratch = mkdtempSync(join(tmpdir(), 'skerry-exec-'))
afterAll(() => rmSync(scratch, { recursive: true }))
const module = fileURLToPath(new URL('./hand-over.ts', import.meta.url))
const run = promisify(execFile)

/** A process that hands its key to a program, as `skerry-guest exec` does when the key is there. */
const supervisor = (command: string[], handOver: object) => [
  '--conditions=skerry-source',
  '--input-type=module',
  '-e',
  `const { prepareHandOver } = await import(${JSON.stringify(module)})
   const run = prepareHandOver(${JSON.stringify(handOver)})
   const key = Buffer.from('top secret\\n')
   const code = await run(${JSON.stringify(command)}, key, { env: process.env, explain: (text) => console.error(text) })
   process.exit(key.every((byte) => byte === 0) ? code : 99)`,
]
const handing = (command: string[], handOver: object = {}) =>
  run(process.execPath, supervisor(command, handOver)).then(
    ({ stdout }) => ({ code: 0, stdout, stderr: '' }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
  )

/** Shows what a program can see of its key. */
const shell = (script: string) => ['sh', '-c', script]

describe.runIf(process.platform === 'linux')('a program gets its key', () => {
  it('from a file in memory, by default, whose path is in a variable', async () => {
    const { stdout } = await handing(shell('echo $SKERRY_KEY_FILE; cat $SKERRY_KEY_FILE; cat $SKERRY_KEY_FILE'))
    expect(stdout).toBe('/proc/self/fd/3\ntop secret\ntop secret\n')
  })

  it('from a path among its arguments', async () => {
    await expect(handing(['cat', '{key}'])).resolves.toMatchObject({ stdout: 'top secret\n' })
    await expect(handing(['echo', '--key={key}'], { file: join(scratch, 'a') })).resolves.toMatchObject({
      stdout: `--key=${join(scratch, 'a')}\n`,
    })
  })

  it('from a variable, and nothing else of it', async () => {
    const { stdout } = await handing(shell('echo "[$MASTER_KEY]"; echo $SKERRY_KEY_FILE; ls /proc/$$/fd'), {
      env: 'MASTER_KEY',
    })
    const [key, path, ...fds] = stdout.split('\n')
    expect([key, path]).toEqual(['[top secret]', ''])
    expect(fds).not.toContain('3')
  })

  it('from a file for its owner alone, which is gone when it ends', async () => {
    const file = join(scratch, 'key')
    const { stdout } = await handing(shell('stat -c %a $KEY; cat $KEY'), { file, pathEnv: 'KEY' })
    expect(stdout).toBe('600\ntop secret\n')
    expect(existsSync(file)).toBe(false)
  })

  it('by a link to a file in memory, which is gone when it ends', async () => {
    const link = join(scratch, 'link')
    const { stdout } = await handing(shell('stat -L -c %a $SKERRY_KEY_FILE; cat $SKERRY_KEY_FILE; readlink {key}'), {
      link,
    })
    expect(stdout).toMatch(/^400\ntop secret\n\/proc\/\d+\/fd\/\d+\n$/)
    expect(lstatSync(link, { throwIfNoEntry: false })).toBeUndefined()
  })

  it('and never in its arguments', async () => {
    const { stdout } = await handing(
      shell("tr '\\0' ' ' < /proc/$$/cmdline; echo; tr '\\0' ' ' < /proc/$PPID/cmdline"),
      {
        env: 'K',
      },
    )
    expect(stdout.split('\n')[0]).not.toContain('top secret')
  })
})

describe.runIf(process.platform === 'linux')('a link to a key', () => {
  it('leads to nothing when what held the key was killed, and is made again by the next', async () => {
    const link = join(scratch, 'orphan')
    const killed = await handing(shell('kill -KILL $PPID; while kill -0 $PPID 2>/dev/null; do :; done'), { link })
    expect(killed.code).toBeNull()
    expect([readlinkSync(link), existsSync(link)]).toEqual([expect.stringMatching(/^\/proc\/\d+\/fd\/\d+$/), false])
    await expect(handing(['cat', '{key}'], { link })).resolves.toMatchObject({ code: 0, stdout: 'top secret\n' })
  })

  it.each([
    ['a file', (path: string) => writeFileSync(path, 'mine')],
    ['a link to something else', (path: string) => symlinkSync('/etc/hostname', path)],
    ['a link to what another process holds', (path: string) => symlinkSync(`/proc/${process.pid}/cwd`, path)],
  ])('does not take the place of %s', (what, make) => {
    const path = join(scratch, what.replaceAll(' ', '-'))
    make(path)
    expect(() => prepareHandOver({ link: path })).toThrow(`--link ${path} exists`)
  })
})

describe('what was asked for', () => {
  it.each([
    [{ env: 'A', file: 'f' }, 'not two of them'],
    [{ file: 'f', link: 'l' }, 'not two of them'],
    [{ env: '1A' }, '--env must be the name of a variable'],
    [{ pathEnv: 'A=B' }, '--path-env must be the name of a variable'],
    [{ file: '/no/such/folder/f' }, '--file /no/such/folder/f cannot be made'],
    [{ link: '/no/such/folder/f' }, '--link /no/such/folder/f cannot be made'],
  ])('is looked at before there is a key: %o', (handOver, words) => {
    expect(() => prepareHandOver(handOver)).toThrow(words)
  })
})

describe.runIf(process.platform === 'linux')('a program', () => {
  it.each([0, 1, 42])('that exits with %d has this process do so', async (code) => {
    await expect(handing(shell(`exit ${code}`))).resolves.toMatchObject({ code })
  })

  it('that a signal ends has this process exit as shells do', async () => {
    await expect(handing(shell('kill -KILL $$'))).resolves.toMatchObject({ code: 137 })
  })

  it('that is not there is 127, one that cannot be run 126', async () => {
    await expect(handing(['/no/such/program'])).resolves.toMatchObject({
      code: 127,
      stderr: '/no/such/program cannot be run: ENOENT\n',
    })
    const file = join(scratch, 'data')
    writeFileSync(file, 'x')
    chmodSync(file, 0o644)
    await expect(handing([file])).resolves.toMatchObject({ code: 126 })
  })

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] as const)(
    'gets %s, and its key is cleared away',
    async (signal) => {
      const file = join(scratch, signal)
      const script = `trap 'echo ${signal}; exit 7' ${signal.slice(3)}; echo ready; n=0; while [ $n -lt 1000 ]; do sleep 0.01; n=$((n+1)); done`
      const child = spawn(process.execPath, supervisor(shell(script), { file }), {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let output = ''
      for await (const chunk of child.stdout) {
        output += chunk
        if (output === 'ready\n') child.kill(signal)
      }
      const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode]
      expect([output, code, existsSync(file)]).toEqual([`ready\n${signal}\n`, 7, false])
    },
  )
})
