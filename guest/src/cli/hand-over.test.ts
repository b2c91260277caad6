import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { writeSecretFile, writeToDescriptor } from './hand-over.ts'
import { main } from './main.ts'

const scratch = mkdtempSync(join(tmpdir(), 'skerry-exec-'))
afterAll(() => rmSync(scratch, { recursive: true }))
const module = fileURLToPath(new URL('./hand-over.ts', import.meta.url))
const run = promisify(execFile)

/** A process that hands its key to a program, as `skerry-guest exec` does when the key is there. */
const supervisor = (command: string[], handOver: object) => [
  '--conditions=skerry-source',
  '--input-type=module',
  '-e',
  `const { runWithKey } = await import(${JSON.stringify(module)})
   const key = Buffer.from('top secret\\n')
   process.exit(await runWithKey(${JSON.stringify(command)}, key, ${JSON.stringify(handOver)}, {
     env: process.env, explain: (text) => console.error(text) }))`,
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

describe('a secret file', () => {
  it('is for its owner alone', () => {
    const path = join(scratch, 'secret')
    writeSecretFile(path, 'x')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readFileSync(path, 'utf8')).toBe('x')
  })

  it('is not written over another', () => {
    const path = join(scratch, 'there')
    writeFileSync(path, 'mine')
    expect(() => writeSecretFile(path, 'x')).toThrow('exists')
    expect(readFileSync(path, 'utf8')).toBe('mine')
  })
})

describe('a descriptor', () => {
  it.each([
    ['x', 'number'],
    ['-1', 'number'],
    ['999', 'not open'],
  ])('%s is refused', (text, words) => {
    expect(() => writeToDescriptor(text, Buffer.from('k'))).toThrow(words)
  })
})

describe('the command', () => {
  /** In this process: what it writes, and the exit code that it leaves. */
  const skerry = async (...args: string[]) => {
    const written = { stdout: '', stderr: '' }
    const spies = (['stdout', 'stderr'] as const).map((name) =>
      vi.spyOn(process[name], 'write').mockImplementation((text) => {
        written[name] += String(text)
        return true
      }),
    )
    try {
      await main(args)
      return { code: process.exitCode ?? 0, ...written }
    } finally {
      process.exitCode = undefined
      for (const spy of spies) spy.mockRestore()
    }
  }
  const RELEASE = ['--maa', 'm', '--akv', 'v', '--kid', 'k']

  it.each(['report', 'attest', 'release', 'exec'])('explains %s with an example', async (name) => {
    const { code, stdout } = await skerry(name, '--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(/Examples?:/)
  })

  it.each([
    [['release', '--maa', 'm'], "required option '--akv <host>'"],
    [['frobnicate'], 'unknown command'],
    [['report', '--frobnicate'], 'unknown option'],
    [['release', ...RELEASE], '--to-file or --to-fd must be given'],
    [['release', ...RELEASE, '--to-file', 'f', '--to-fd', '3'], '--to-file or --to-fd must be given'],
    [['exec', ...RELEASE, '--env', 'A', '--file', 'f', '--', 'app'], 'not both'],
    [['exec', ...RELEASE, '--env', '1A', '--', 'app'], 'name of a variable'],
    [['exec', ...RELEASE, '--env', 'A', '--format', 'raw', '--', 'app'], 'must be a text'],
    [['exec', ...RELEASE], "missing required argument 'app'"],
  ])('says what is wrong with %o, with exit code 2', async (args, words) => {
    const { code, stderr } = await skerry(...args)
    expect(stderr).toContain(words)
    expect(code).toBe(2)
  })

  it.runIf(!existsSync('/dev/sev-guest') && !existsSync('/dev/sev'))(
    'says that there is no device, with exit code 3, before it runs the program',
    async () => {
      const { code, stdout, stderr } = await skerry('exec', ...RELEASE, '--', 'echo', 'ran')
      expect([code, stdout]).toEqual([3, ''])
      expect(stderr).toContain('ERR_SNP_DEVICE_MISSING')
    },
  )
})
