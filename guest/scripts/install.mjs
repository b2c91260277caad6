// Run by npm when the published package is installed. Where the native part came along and loads, there is nothing to
// do; else it is compiled against the headers of a Node that is here already. Nothing is downloaded, and nothing here fails
// an installation: on other systems, and without a compiler, the package works but for the device, which says what is
// missing.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const guest = dirname(dirname(fileURLToPath(import.meta.url)))
const note = join(guest, 'native/not-made.txt')
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
  rmSync(note, { force: true })
  const places = placesOfHeaders()
  const headers = places.find((place) => existsSync(join(place, 'include/node/node_api.h')))
  if (headers === undefined) {
    const looked = [...new Set(places.map((place) => join(place, 'include/node')))].join(', ')
    explain(`there are no Node headers (node_api.h) in ${looked}; npm's package "node" brings them along`)
    return
  }
  const gyp = placesOfGyp().find((place) => existsSync(place))
  if (gyp === undefined) {
    explain('there is no node-gyp: npm has one')
    return
  }
  const { status, stderr, error } = spawnSync(
    process.execPath,
    [gyp, 'rebuild', '--loglevel=error', `--nodedir=${headers}`],
    { cwd: join(guest, 'native'), encoding: 'utf8' },
  )
  if (status === 0) return
  const output = stderr || error?.message || ''
  const [why = 'see its output'] = /(?<=stack Error: |: error: |: fatal error: |make: ).+/.exec(output) ?? []
  explain(`compiling failed: ${why.trim()}`, output)
}

/** Prefixes, best first. Node-API is the same for every Node, so that those of another version serve as well. */
function placesOfHeaders() {
  const binary = dirname(process.execPath)
  // npm's package "node" has the binary in one folder and what belongs to it in another.
  const name = `node-${process.platform}-${process.arch}`
  const ofPackage = (folder) => [join(folder, name), join(folder, 'node/node_modules', name)]
  const above = []
  for (let folder = guest; folder !== dirname(folder); folder = dirname(folder))
    above.push(...ofPackage(join(folder, 'node_modules')))
  const told = process.env.npm_config_nodedir
  return [
    ...(told ? [resolve(told)] : []),
    dirname(binary),
    join(dirname(binary), 'node_modules', name),
    join(dirname(binary), '..', name),
    ...above,
  ]
}

function placesOfGyp() {
  const ofNpm = 'npm/node_modules/node-gyp/bin/node-gyp.js'
  const beside = dirname(dirname(process.execPath))
  return [
    process.env.npm_config_node_gyp ?? '',
    join(beside, 'lib/node_modules', ofNpm),
    join(beside, 'share/nodejs', ofNpm),
  ]
}

/** npm shows nothing of an installation that succeeded: whoever opens a device later is told by the note. */
function explain(why, output = '') {
  process.stderr.write(
    `@skerry/guest: the native part was not made, so no SEV-SNP device can be opened: ${why}\n${output}`,
  )
  try {
    writeFileSync(note, `${why}\n`)
  } catch {
    // A folder that is for reading only.
  }
}
