// Compiles the native folders with node-gyp against the headers that lie beside the pinned Node: nothing is downloaded.
// What was built from which sources is kept in build/Release/.built, so that a second run costs a few milliseconds and a
// fresh checkout with odd file times is not fooled.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const require = createRequire(import.meta.url)

/**
 * @param {string} root the repository
 * @param {string[]} folders folders with a binding.gyp; those without one are passed over
 */
export async function buildNative(root, folders) {
  // The SNP device and seccomp are Linux's; elsewhere the device is injected, and `openDevice` says so.
  if (process.platform !== 'linux') return
  await Promise.all(
    folders.filter((folder) => existsSync(join(folder, 'binding.gyp'))).map((folder) => build(root, folder)),
  )
}

async function build(root, folder) {
  const stamp = join(folder, 'build/Release/.built')
  const sources = sourcesHash(folder)
  const wanted = fingerprint(sources)
  if (isBuilt(stamp, wanted)) return
  await withLock(join(folder, '.building'), async () => {
    if (isBuilt(stamp, wanted)) return
    const headers = nodeDirWithHeaders(root)
    if (headers === undefined)
      throw new Error(
        `no Node headers (include/node/node_api.h) beside ${process.execPath}: run "npm ci", which installs the node package with them`,
      )
    const gyp = require.resolve('node-gyp/bin/node-gyp.js')
    await run(process.execPath, [gyp, 'rebuild', '--silent', `--nodedir=${headers}`], folder)
    // What loads the result looks here whether it is of these sources.
    writeFileSync(join(folder, 'build/Release/.sources'), `${sources}\n`)
    writeFileSync(stamp, wanted)
  })
}

function isBuilt(stamp, wanted) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted
}

/** Sources, the headers compiled against, and the machine: what decides the result. */
function fingerprint(sources) {
  const headers = require('node-addon-api/package.json').version
  const words = [sources, process.platform, process.arch, process.versions.modules, headers]
  return `${createHash('sha256').update(words.join(' ')).digest('hex')}\n`
}

/** The same rule stands in emulator/src/run/native-sources.ts. */
function sourcesHash(folder) {
  const hash = createHash('sha256')
  const sources = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(c|cc|h|gyp|gypi)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length))
    .filter((path) => !path.startsWith('/build/'))
    .sort()
  for (const path of sources)
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(folder, path)))
      .update('\0')
  return hash.digest('hex')
}

/** The prefix that holds include/node: that of the npm package `node`, else that of the running Node. */
function nodeDirWithHeaders(root) {
  const name = `node-${process.platform}-${process.arch}`
  const candidates = [
    join(root, 'node_modules/node/node_modules', name),
    join(root, 'node_modules', name),
    resolve(dirname(process.execPath), '..'),
  ]
  return candidates.find((dir) => existsSync(join(dir, 'include/node/node_api.h')))
}

/** Two builds of one folder at a time would tread on each other; a lock left by a build that was killed is taken over. */
async function withLock(lock, work) {
  for (let tries = 0; ; tries += 1) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      if (tries === 600) throw new Error(`another build has held ${lock} for two minutes; if there is none, remove it`)
      if (isGone(lock)) rmSync(lock, { force: true, recursive: true })
      else await sleep(200)
    }
  }
  try {
    await work()
  } finally {
    rmSync(lock, { force: true })
  }
}

/** Whether the process that made the lock runs no more. One that has not yet written who it is does. */
function isGone(lock) {
  try {
    process.kill(Number(readFileSync(lock, 'utf8') || process.pid), 0)
    return false
  } catch (error) {
    // ESRCH: no such process; EISDIR: a lock of an earlier kind. EPERM is somebody's, ENOENT already free.
    return error.code === 'ESRCH' || error.code === 'EISDIR'
  }
}

function run(command, args, cwd) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    const output = []
    child.stdout.on('data', (chunk) => output.push(chunk))
    child.stderr.on('data', (chunk) => output.push(chunk))
    child.on('error', fail)
    child.on('close', (status) => {
      if (status === 0) return done()
      fail(new Error(`compiling ${cwd} failed (it needs python3, make and g++)\n${Buffer.concat(output).toString()}`))
    })
  })
}
