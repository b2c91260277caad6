import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, vi } from 'vitest'
import { main } from './main.ts'

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

  it('says its version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    await expect(skerry('--version')).resolves.toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  it.each(['report', 'attest', 'release', 'exec'])('explains %s with an example', async (name) => {
    const { code, stdout } = await skerry(name, '--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(/Examples?:/)
  })

  it.each([
    [['release', '--maa', 'm'], "required option '--akv <host>'"],
    [['frobnicate'], 'unknown command'],
    [['report', '--frobnicate'], 'unknown option'],
    [['release', ...RELEASE], '--to-file, --to-fd or --to-env must be given'],
    [['release', ...RELEASE, '--to-file', 'f', '--to-fd', '3'], '--to-file, --to-fd or --to-env must be given'],
    [['release', ...RELEASE, '--to-env', 'A'], 'a program must be given'],
    [['release', ...RELEASE, '--to-env', '1A', '--', 'app'], '--to-env must be the name of a variable'],
    [['release', ...RELEASE, '--to-file', 'f', '--', 'app'], 'a program (app) goes with --to-env'],
    [['release', ...RELEASE, '--to-file', '/no/such/f'], '--to-file /no/such/f cannot be made in /no/such'],
    [['release', ...RELEASE, '--to-fd', '999'], '--to-fd 999 is not open'],
    [['release', ...RELEASE, '--to-file', 'f', '--format', 'xml'], '--format must be one of'],
    [['release', ...RELEASE, '--to-file', 'f', '--derive-salt', '0'], '--derive-salt must be hex'],
    [['release', ...RELEASE, '--kid', '../k', '--to-file', 'f'], "--kid must be a key's name"],
    [['release', ...RELEASE, '--akv', 'v/keys', '--to-file', 'f'], '--akv must be a host name alone'],
    [['release', ...RELEASE, '--certificates', 'thim,x', '--to-file', 'f'], '--certificates must be some of'],
    [['attest', '--maa', 'http://m'], '--maa must be reached by https'],
    [['attest', '--maa', 'm', '--runtime-data', '/no/such'], '--runtime-data /no/such cannot be read'],
    [['attest', '--maa', 'm', '--runtime-data', fileURLToPath(import.meta.url)], 'is not JSON'],
    [['report', '--vmpl', '4'], '--vmpl must be 0, 1, 2 or 3'],
    [['exec', ...RELEASE, '--env', 'A', '--file', 'f', '--', 'app'], 'not two of them'],
    [['exec', ...RELEASE, '--env', 'A', '--format', 'raw', '--', 'app'], 'must be a text'],
    [['exec', ...RELEASE], "missing required argument 'app'"],
  ])('says what is wrong with %o before anybody is asked for anything, with exit code 2', async (args, words) => {
    const { code, stderr } = await skerry(...args)
    expect(stderr).toContain(words)
    expect(code).toBe(2)
  })

  it.runIf(!existsSync('/dev/sev-guest') && !existsSync('/dev/sev'))(
    'says that there is no device, with exit code 3, before it runs the program',
    async () => {
      // What stands behind the program is its own, with or without -- in front of it.
      const { code, stdout, stderr } = await skerry('exec', ...RELEASE, 'echo', '-n', 'ran')
      expect([code, stdout]).toEqual([3, ''])
      expect(stderr).toContain('ERR_SNP_DEVICE_MISSING')
    },
  )
})
