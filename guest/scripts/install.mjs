// Run by npm when the published package is installed. Where the native part came along and loads, there is nothing to
// do; else it is compiled against the headers beside the running Node. Nothing is downloaded, and nothing here fails an
// installation: on other systems, and without a compiler, the package works but for the device, which says what is missing.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const guest = dirname(dirname(fileURLToPath(import.meta.url)))
const require = createRequire(import.meta.url)
// In the repository `npm run build` compiles it, with everything else.
const inRepository = existsSync(join(guest, '../scripts/build-native.mjs'))
if (process.platform === 'linux' && !inRepository && !comesAlong()) compile()

function comesAlong() {
  const folder = join(guest, `prebuilds/linux-${process.arch}`)
  return existsSync(folder) && readdirSync(folder).some((name) => loads(join(folder, name)))
}

function loads(path) {
  try {
    require(path)
    return true
  } catch {
    return false
  }
}

function compile() {
  const headers = resolve(dirname(process.execPath), '..')
  const gyp = process.env.npm_config_node_gyp
  if (gyp === undefined || !existsSync(join(headers, 'include/node/node_api.h'))) {
    explain(`there are no Node headers in ${join(headers, 'include/node')}`)
    return
  }
  const { status, stderr } = spawnSync(process.execPath, [gyp, 'rebuild', '--silent', `--nodedir=${headers}`], {
    cwd: join(guest, 'native'),
    encoding: 'utf8',
  })
  if (status !== 0) explain(`compiling failed (it needs python3, make and g++)\n${stderr}`)
}

function explain(why) {
  process.stderr.write(`@skerry/guest: the native part was not made, so no SEV-SNP device can be opened: ${why}\n`)
}
