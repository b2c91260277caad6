import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { TestContext } from 'vitest'

/** A container's bundle (OCI runtime-spec): its root file system holds one static program. */
export interface Bundle extends Disposable {
  readonly folder: string
  /** Where the seccomp profile belongs; the bundle takes it in when `command` is asked for. */
  readonly profileFile: string
  /** How crun runs the program in a container of this bundle. */
  command(id: string, args: readonly string[], options?: BundleOptions): Promise<[string, ...string[]]>
}

export interface BundleOptions {
  /** Bound on /dev/null in the container: where the profile answers no opens. */
  readonly node?: string
}

interface Config {
  process: { terminal: boolean; args: string[] }
  mounts: { destination: string; source?: string; type?: string; options?: string[] }[]
  linux: { seccomp?: unknown }
}

/** crun's name, or the end of this test with the reason printed. */
export function needCrun(ctx: TestContext): string {
  try {
    execFileSync('crun', ['--version'], { stdio: 'ignore' })
    return 'crun'
  } catch (error) {
    return ctx.skip(`no crun on this machine (Debian: apt-get install crun): ${(error as Error).message}`)
  }
}

/** @param program a static one */
export function createBundle(program: string): Bundle {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-test-oci-'))
  const root = join(folder, 'rootfs')
  for (const name of ['proc', 'dev', 'sys', 'tmp']) mkdirSync(join(root, name), { recursive: true })
  copyFileSync(program, join(root, 'client'))
  const profileFile = join(folder, 'seccomp.json')
  return {
    folder,
    profileFile,
    async command(id, args, { node } = {}) {
      const configFile = join(folder, 'config.json')
      rmSync(configFile, { force: true })
      execFileSync('crun', ['spec', '--rootless'], { cwd: folder })
      const config = JSON.parse(readFileSync(configFile, 'utf8')) as Config
      config.process.terminal = false
      config.process.args = ['/client', ...args]
      config.linux.seccomp = JSON.parse(readFileSync(profileFile, 'utf8'))
      if (node !== undefined) {
        config.mounts.push({ destination: node, source: '/dev/null', type: 'bind', options: ['bind'] })
      }
      writeFileSync(configFile, JSON.stringify(config))
      const crun = ['crun', '--root', join(folder, 'state'), '--cgroup-manager=disabled', 'run', '-b', folder, id]
      return withoutHybridCgroups(crun)
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** crun refuses a machine that has both generations of cgroups mounted; one that sees none will do. */
function withoutHybridCgroups(crun: readonly string[]): [string, ...string[]] {
  const cgroups = '/sys/fs/cgroup'
  if (!existsSync(join(cgroups, 'unified'))) return crun as [string, ...string[]]
  return ['unshare', '-Urm', 'sh', '-c', `mount -t tmpfs ${basename(cgroups)} ${cgroups} && exec "$@"`, 'sh', ...crun]
}
