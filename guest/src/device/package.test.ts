import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const guest = fileURLToPath(new URL('../../', import.meta.url))
const root = mkdtempSync(join(tmpdir(), 'skerry-package-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** As npm would unpack it: outside of this repository. */
function unpack(name: string): string {
  const folder = join(root, name)
  mkdirSync(join(folder, 'scripts'), { recursive: true })
  cpSync(join(guest, 'scripts/install.mjs'), join(folder, 'scripts/install.mjs'))
  cpSync(join(guest, 'native'), join(folder, 'native'), { recursive: true, filter: (path) => !path.includes('/build') })
  return folder
}

const install = (folder: string, env: Record<string, string> = {}) =>
  execFileSync(process.execPath, [join(folder, 'scripts/install.mjs')], {
    env: { PATH: process.env.PATH ?? '', ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })

describe.runIf(process.platform === 'linux')('installing the package', () => {
  it('does nothing where the native part came along', () => {
    const folder = unpack('prebuilt')
    const prebuilds = join(folder, `prebuilds/linux-${process.arch}`)
    mkdirSync(prebuilds, { recursive: true })
    symlinkSync(join(guest, 'native/build/Release/snp_device.node'), join(prebuilds, 'snp_device.glibc.node'))
    install(folder)
    expect(existsSync(join(folder, 'native/build'))).toBe(false)
  })

  it('succeeds without a compiler, for the parts that need no device', () => {
    const folder = unpack('bare')
    expect(() => install(folder, { npm_config_node_gyp: join(root, 'no-such-gyp.js') })).not.toThrow()
    expect(existsSync(join(folder, 'native/build'))).toBe(false)
  })

  it('brings along all that its scripts and exports name', () => {
    const manifest = JSON.parse(readFileSync(join(guest, 'package.json'), 'utf8')) as {
      files: string[]
      scripts: { install: string }
      exports: Record<string, { 'skerry-source': string; default: string } | string>
    }
    expect(manifest.files).toContain(manifest.scripts.install.replace('node ', ''))
    for (const entry of Object.values(manifest.exports).filter((one) => typeof one === 'object')) {
      expect(existsSync(join(guest, entry['skerry-source']))).toBe(true)
      expect(entry.default).toBe(entry['skerry-source'].replace('./src', './dist').replace(/\.ts$/, '.js'))
    }
  })
})
