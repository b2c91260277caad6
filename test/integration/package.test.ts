import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { unzipSync } from 'fflate'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type FunctionsHost, startFunctionsHost, systemClock } from '../../emulator/src/index.ts'
import { APP_SETTINGS } from '../support/app-world.ts'
import { ROOT, temporaryFolder } from '../support/skerry.ts'

// What `npm run package` makes for Azure: unzipped far from the repository, it is a whole app.

const folder = temporaryFolder()
const zip = join(folder.path, 'skerry.zip')
const app = join(folder.path, 'wwwroot')
let entries: Record<string, Uint8Array>
const text = (name: string) => Buffer.from(entries[name]!).toString()

beforeAll(async () => {
  await promisify(execFile)(process.execPath, [join(ROOT, 'scripts/package.mjs'), zip])
  entries = unzipSync(readFileSync(zip))
  for (const [name, content] of Object.entries(entries)) {
    mkdirSync(dirname(join(app, name)), { recursive: true })
    writeFileSync(join(app, name), content)
  }
})
afterAll(() => folder[Symbol.dispose]())

async function hosted(appDir: string): Promise<FunctionsHost & AsyncDisposable> {
  const env = { ...APP_SETTINGS, AZURE_SUBSCRIPTION_ID: '11111111-2222-3333-4444-555555555555' }
  const host = await startFunctionsHost({ appDir, env, clock: systemClock() })
  return Object.assign(host, { [Symbol.asyncDispose]: () => host.stop() })
}

it('holds the bundle, its licences, host.json and package.json, and nothing else', () => {
  expect(Object.keys(entries).toSorted()).toEqual(['app.cjs', 'app.cjs.LEGAL.txt', 'host.json', 'package.json'])
})

it('has the repository’s host.json, and a package.json with no dependency and no workspace', () => {
  expect(entries['host.json']).toEqual(new Uint8Array(readFileSync(join(ROOT, 'host.json'))))
  const manifest = JSON.parse(text('package.json')) as Record<string, unknown>
  expect(Object.keys(manifest).toSorted()).toEqual(['engines', 'main', 'name', 'private', 'version'])
  expect(manifest).toMatchObject({ main: 'app.cjs', engines: { node: '>=22.19' } })
})

it('asks at run time for Node’s own modules and for the one that every Functions host gives', () => {
  const asked = [...text('app.cjs').matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name]) => name!)
  // In a `try`, by a library that writes in colours where it is there.
  const optional = 'supports-color'
  const foreign = asked.filter((name) => !isBuiltin(name) && name !== optional)
  expect([...new Set(foreign)]).toEqual(['@azure/functions-core'])
})

it('names no place of the machine that it was made on', () => {
  for (const name of Object.keys(entries)) expect(text(name).includes(ROOT), name).toBe(false)
})

it('hosted by itself registers every function that the repository’s app does, as it does', async () => {
  await using packed = await hosted(app)
  await using source = await hosted(ROOT)
  const registered = ({ functions }: FunctionsHost) =>
    Object.fromEntries(
      // The names of bindings are random; those of functions are not.
      functions.map(({ name, bindings }) => [name, Object.values(bindings).map(({ name: _, ...rest }) => rest)]),
    )
  expect(Object.keys(registered(packed)).length).toBeGreaterThan(30)
  expect(registered(packed)).toEqual(registered(source))
})

it('answers', async () => {
  await using packed = await hosted(app)
  const answer = await fetch(`${packed.url}/api/deployments`, { headers: { 'x-functions-key': packed.functionKey } })
  expect(await answer.json()).toEqual({ deployments: [] })
})
