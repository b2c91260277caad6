// Builds everything that `npm ci` must leave ready to run: types and JavaScript, the app's bundle, the native parts.
// Run by npm (`prepare`, `build`), so that `node` is the pinned one of node_modules/.bin. Incremental: a second run is cheap.
// Arguments name parts (`ts`, `app`, `guest`, `native`); without any, all are built.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildNative } from './build-native.mjs'
import { bundleGuest } from './bundle-guest.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const only = process.argv.slice(2)
const wanted = (part) => only.length === 0 || only.includes(part)

const results = await Promise.allSettled([
  compileAndBundle(),
  (wanted('ts') || wanted('guest')) && bundleGuest(root),
  wanted('native') && buildNative(root, [join(root, 'guest/native'), join(root, 'emulator/native')]),
])
const failures = results.filter((result) => result.status === 'rejected')
for (const { reason } of failures) process.stderr.write(`${reason.message}\n`)
process.exitCode = failures.length === 0 ? 0 : 1

/** In this order: the bundle takes in what the compiler wrote for guest/wire. */
async function compileAndBundle() {
  if (wanted('ts')) await compileTypeScript()
  if (wanted('app')) await bundle()
}

async function bundle() {
  if (!existsSync(join(root, 'functions/src/main.ts'))) return
  const { bundleApp } = await import('./bundle-app.mjs')
  await bundleApp(join(root, 'functions/dist/app.cjs'))
}

function compileTypeScript() {
  return new Promise((done, fail) => {
    const tsc = spawn(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = []
    tsc.stdout.on('data', (chunk) => output.push(chunk))
    tsc.stderr.on('data', (chunk) => output.push(chunk))
    tsc.on('error', fail)
    tsc.on('close', (status) => (status === 0 ? done() : fail(new Error(`tsc -b failed\n${Buffer.concat(output)}`))))
  })
}
