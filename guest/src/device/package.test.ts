import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const require = createRequire(import.meta.url)
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

const install = (folder: string, env: Record<string, string> = {}, nodeArgs: string[] = []) =>
  execFileSync(process.execPath, [...nodeArgs, join(folder, 'scripts/install.mjs')], {
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
    const gyp = require.resolve('node-gyp/bin/node-gyp.js')
    expect(() => install(folder, { npm_config_node_gyp: gyp, PATH: dirname(process.execPath) })).not.toThrow()
    expect(existsSync(join(folder, 'native/build/Release'))).toBe(false)
    // Told by ERR_SNP_ADDON when a device is opened: npm shows nothing of it.
    expect(readFileSync(join(folder, 'native/not-made.txt'), 'utf8')).toMatch(/Python|not found/)
  })

  it('compiles it from source far from the repository, with the headers that are here and no download', () => {
    const folder = unpack('project/node_modules/@skerry/guest')
    symlinkSync(
      dirname(require.resolve('node-addon-api/package.json')),
      join(root, 'project/node_modules/node-addon-api'),
    )
    const nowhere = { npm_config_disturl: 'http://127.0.0.1:9', HTTPS_PROXY: 'http://127.0.0.1:9', HOME: root }
    install(folder, { ...nowhere, npm_config_node_gyp: require.resolve('node-gyp/bin/node-gyp.js') })
    const script = 'console.log(Object.keys(require(process.argv[1])).join())'
    const made = join(folder, 'native/build/Release/snp_device.node')
    expect(execFileSync(process.execPath, ['-e', script, made], { encoding: 'utf8' })).toBe('open,createMemoryFile\n')
    expect(existsSync(join(folder, 'native/not-made.txt'))).toBe(false)
  })

  it('does nothing on another system', () => {
    const folder = unpack('elsewhere')
    const elsewhere = 'data:text/javascript,Object.defineProperty(process,"platform",{value:"darwin"})'
    install(folder, {}, ['--import', elsewhere])
    expect([existsSync(join(folder, 'native/build')), existsSync(join(folder, 'native/not-made.txt'))]).toEqual([
      false,
      false,
    ])
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

/** One name of each entry, and a mistake that only who finds the types can see. */
const CONSUMER = `
import { openDevice, type SnpDevice } from '@skerry/guest'
import { decodeReport } from '@skerry/guest/wire'
import { requireAttestation as ofHono } from '@skerry/guest/middleware/hono'
import { requireAttestation as ofExpress } from '@skerry/guest/middleware/express'
import { requireAttestation as ofNode } from '@skerry/guest/middleware/node'
const device: SnpDevice = await openDevice()
// @ts-expect-error a report's data are bytes
export const wrong: number = decodeReport(await device.getReport(new Uint8Array(64))).reportData
export { ofExpress, ofHono, ofNode }
`

describe('a TypeScript program', () => {
  it.each([
    ['node16', 'node16'],
    ['esnext', 'bundler'],
  ])('finds the types of every entry: module %s, resolution %s', (module, moduleResolution) => {
    const folder = join(root, `consumer-${module}`)
    mkdirSync(join(folder, 'node_modules/@skerry'), { recursive: true })
    symlinkSync(guest, join(folder, 'node_modules/@skerry/guest'))
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    writeFileSync(join(folder, 'program.ts'), CONSUMER)
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2024', '--types', '']
    const resolution = ['--module', module, '--moduleResolution', moduleResolution]
    const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc')
    const run = () =>
      execFileSync(process.execPath, [tsc, ...options, ...resolution, 'program.ts'], { cwd: folder, encoding: 'utf8' })
    expect(run).not.toThrow()
  })
})
