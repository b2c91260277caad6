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

export type Runtime = 'crun' | 'runc'

export interface BundleOptions {
  /** Default crun. */
  readonly runtime?: Runtime
  /** Bound on /dev/null in the container: where the profile answers no opens. */
  readonly node?: string
}

interface Config {
  process: { terminal: boolean; args: string[] }
  mounts: { destination: string; source?: string; type?: string; options?: string[] }[]
  linux: { seccomp?: unknown; resources?: unknown; uidMappings?: object[]; gidMappings?: object[] }
}

/** The runtimes' names, or the end of this test with the reason printed. crun also writes the configuration for runc. */
export function needRuntime(ctx: TestContext, ...names: readonly Runtime[]): void {
  for (const name of names) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' })
    } catch (error) {
      ctx.skip(`no ${name} on this machine (Debian: apt-get install ${name}): ${(error as Error).message}`)
    }
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
    async command(id, args, { node, runtime = 'crun' } = {}) {
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
      const state = ['--root', join(folder, 'state')]
      if (runtime === 'runc') {
        config.linux.uidMappings = [{ containerID: 0, hostID: process.getuid?.() ?? 0, size: 1 }]
        config.linux.gidMappings = [{ containerID: 0, hostID: process.getgid?.() ?? 0, size: 1 }]
        delete config.linux.resources
      }
      writeFileSync(configFile, JSON.stringify(config))
      const run = ['run', '-b', folder, id]
      if (runtime === 'runc') return ['runc', ...state, ...run]
      return withoutHybridCgroups(['crun', ...state, '--cgroup-manager=disabled', ...run])
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
