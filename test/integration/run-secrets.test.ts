import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createRunner } from '../../emulator/src/run/index.ts'
import { guestDouble } from './run/guest-double.ts'
import { env, run } from './run/harness.ts'

/*
 * A container's program runs as the emulator's own user: what it must not have is taken out of its sight. Programs are
 * shell scripts, so that they try what a person would.
 */

let folder: string
let data: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'skerry-test-secrets-'))
  data = join(folder, 'data')
  mkdirSync(join(data, 'keys'), { recursive: true })
  mkdirSync(join(data, 'networks'))
  writeFileSync(join(data, 'state.sqlite'), 'a private key')
  writeFileSync(join(data, 'ca.pem'), 'a certificate')
  mkdirSync(join(data, 'context'))
  writeFileSync(join(data, 'context', 'policy'), 'a policy')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const script = (text: string) => ['/bin/sh', '-c', text]

describe('a program of a container', () => {
  const runner = () =>
    createRunner({ hidden: [data, join(data, 'keys'), join(folder, 'absent')], stateDir: join(data, 'networks') })
  const given = () => ({ securityContextDir: join(data, 'context'), visible: [join(data, 'ca.pem')] })
  beforeEach(async (ctx) => {
    const { device, networkNamespace, notices } = await runner().capabilities()
    if (device !== 'mount-namespace' || !networkNamespace) ctx.skip(notices.join(' '))
  })

  it('finds nothing in a hidden directory but what was meant for it', async () => {
    const { lines } = await run(runner(), script(`cd ${data} && ls -R . && cat ca.pem context/policy`), given())
    expect(lines.join(' ')).toBe('.: ca.pem context  ./context: policy a certificatea policy')
  })

  it('changes nothing there', async () => {
    const tries = [
      `echo x > ${data}/new`,
      `echo x > ${data}/ca.pem`,
      `echo x > ${data}/context/policy`,
      `rm ${data}/ca.pem`,
    ]
    const { lines } = await run(
      runner(),
      script(tries.map((words) => `(${words}) 2>/dev/null || echo no`).join('; ')),
      given(),
    )
    expect(lines).toEqual(['no', 'no', 'no', 'no'])
    expect(readFileSync(join(data, 'ca.pem'), 'utf8')).toBe('a certificate')
  })

  it('does not come in by its working directory', async () => {
    const { lines } = await run(runner(), script('cat state.sqlite ./keys/../state.sqlite 2>/dev/null; pwd'), {
      cwd: data,
    })
    expect(lines).toEqual([data])
    const inside = await run(runner(), script('pwd; ls ..'), { cwd: join(data, 'keys') })
    expect(inside.lines[0]).toBe('/')
  })

  it('cannot take the cover away, not as the root of a user namespace of its own either', async () => {
    const looks = `ls ${data}`
    const tries = [
      `umount ${data}`,
      `unshare -Urm sh -c 'umount ${data}; umount -l ${data}; ${looks}'`,
      `unshare -Urm sh -c 'mount --bind ${folder} /mnt && ls /mnt/data'`,
    ]
    const { lines } = await run(runner(), script(`(${tries.join('; ')}) 2>/dev/null; ${looks}`), given())
    expect(lines).not.toContain('state.sqlite')
  })

  it('reads nothing of the emulator’s process: environment, memory, descriptors, root', async () => {
    const { pid } = process
    const files = ['environ', 'mem', 'fd/0', 'root/etc/passwd', 'cwd/package.json', 'maps']
    // A PID namespace hides the process; where it is missing, the user namespace keeps it shut.
    const { lines } = await run(
      runner(),
      script(files.map((name) => `head -c 1 /proc/${pid}/${name} >/dev/null 2>&1 && echo ${name}`).join('; ')),
    )
    expect(lines).toEqual([])
  })

  it('cannot reach the files of another group’s network', async () => {
    const owner = runner()
    await using network = await owner.createNetwork({ onConnection: (socket) => socket.destroy() })
    network.setHostNames(['contoso.vault.azure.net'])
    const hosts = await run(owner, script('cat /etc/hosts'), { network })
    expect(hosts.lines.join()).toContain('contoso.vault.azure.net')
    const [, source] =
      /(\S*\/hosts) \/etc\/hosts/.exec(
        (await run(owner, script('cat /proc/self/mountinfo'), { network })).lines.join('\n'),
      ) ?? []
    expect(source).toBeDefined()
    const found = await run(owner, script(`find ${folder} -name hosts 2>/dev/null`))
    expect(found.lines).toEqual([])
  })

  it('is refused when it lies in a hidden directory itself', async () => {
    await expect(run(runner(), [join(data, 'program')])).rejects.toMatchObject({ code: 'ERR_COMMAND_HIDDEN' })
  })
})

describe('what a program inherits', () => {
  const runner = createRunner({ networkNamespace: false })
  beforeEach(async (ctx) => {
    const { device, notices } = await runner.capabilities()
    if (device === 'none') ctx.skip(notices.join(' '))
  })

  it('is the environment that it was given, to the letter', async () => {
    const variables = { ...env, 'A.B': 'c=d', EMPTY: '' }
    const { lines } = await run(runner, ['/usr/bin/env'], { env: variables })
    expect(lines.toSorted()).toEqual(['A.B=c=d', 'EMPTY=', `PATH=${env.PATH}`])
  })

  it('is no descriptor but the three standard ones', async () => {
    const { lines } = await run(runner, script('for fd in /proc/self/fd/*; do [ -e "$fd" ] && readlink "$fd"; done'))
    expect(lines.filter((target) => !/^(\/dev\/null|pipe:.*|socket:.*|\/proc\/.*)$/.test(target))).toEqual([])
  })

  it('is no privilege to run code before it is confined: LD_PRELOAD is the program’s alone', async (ctx) => {
    const library = join(folder, 'preloaded.so')
    const trace = join(folder, 'preloaded.log')
    const source =
      '#include <stdio.h>\n#include <unistd.h>\n__attribute__((constructor)) static void on_load(void) {' +
      ` char exe[256]; ssize_t n = readlink("/proc/self/exe", exe, 255); FILE *f = fopen("${trace}", "a");` +
      ' if (f) { fprintf(f, "%.*s\\n", (int)(n > 0 ? n : 0), exe); fclose(f); } }\n'
    writeFileSync(`${library}.c`, source)
    try {
      execFileSync('cc', ['-shared', '-fPIC', '-o', library, `${library}.c`])
    } catch (error) {
      ctx.skip(`no library to preload: ${(error as Error).message}`)
    }
    await run(runner, ['/bin/true'], { env: { ...env, LD_PRELOAD: library }, guest: guestDouble() })
    const loadedBy = existsSync(trace) ? readFileSync(trace, 'utf8').trim().split('\n') : []
    expect(loadedBy.filter((program) => program.includes('skerry_launch'))).toEqual([])
    expect(loadedBy).toHaveLength(1)
  })
})

it('where nothing can be hidden from programs, a notice says so', async (ctx) => {
  const open = createRunner({ device: 'injected-descriptor', networkNamespace: false })
  const { device, notices } = await open.capabilities()
  if (device === 'none') ctx.skip(notices.join(' '))
  expect(notices.join(' ')).toContain("Nothing hides the emulator's files")
  const closed = await createRunner({ networkNamespace: false }).capabilities()
  if (closed.device === 'mount-namespace') expect(closed.notices.join(' ')).not.toContain('Nothing hides')
})
