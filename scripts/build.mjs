// Builds everything that `npm ci` must leave ready to run: types and JavaScript, the app's bundle, the native parts.
// Run by npm (`prepare`, `build`), so that `node` is the pinned one of node_modules/.bin. Incremental: a second run is cheap.
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const require = createRequire(import.meta.url)
const only = process.argv.slice(2)
const wanted = (part) => only.length === 0 || only.includes(part)

function run(command, args, options = {}) {
  const done = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', ...options })
  if (done.status !== 0) {
    process.stderr.write(`${command} ${args.join(' ')} failed\n${done.error ?? ''}${done.stdout ?? ''}${done.stderr ?? ''}`)
    process.exit(1)
  }
}

if (wanted('ts')) run(join(root, 'node_modules/.bin/tsc'), ['-b'])

if (wanted('app') && existsSync(join(root, 'functions/src/main.ts'))) {
  const { bundleApp } = await import('./bundle-app.mjs')
  await bundleApp(join(root, 'functions/dist/app.cjs'))
}

if (wanted('native')) for (const room of ['guest', 'emulator']) buildNative(join(root, room, 'native'))

/** Compiles a native folder with node-gyp, against headers that lie beside the running Node: nothing is downloaded. */
function buildNative(folder) {
  if (!existsSync(join(folder, 'binding.gyp'))) return
  if (isFresh(folder)) return
  const headers = nodeDirWithHeaders()
  const gyp = require.resolve('node-gyp/bin/node-gyp.js')
  const args = [gyp, 'rebuild', '--silent', ...(headers ? [`--nodedir=${headers}`] : [])]
  run(process.execPath, args, { cwd: folder })
}

function isFresh(folder) {
  const stamp = join(folder, 'build/Release')
  if (!existsSync(stamp)) return false
  const files = spawnSync('find', [folder, '-maxdepth', '2', '-newer', join(stamp, '.built'), '-name', '*.[ch]*', '-not', '-path', '*/build/*'], { encoding: 'utf8' })
  return existsSync(join(stamp, '.built')) && files.status === 0 && files.stdout.trim() === '' && statSync(stamp).isDirectory()
}

/** The prefix that holds include/node: the npm package's own, else the running Node's. */
function nodeDirWithHeaders() {
  const candidates = [
    join(root, 'node_modules/node/node_modules/node-' + process.platform + '-' + process.arch),
    join(root, 'node_modules/node-' + process.platform + '-' + process.arch),
    resolve(dirname(process.execPath), '..'),
  ]
  return candidates.find((dir) => existsSync(join(dir, 'include/node/node_api.h')))
}
