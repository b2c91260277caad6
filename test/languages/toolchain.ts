import { spawn } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { ROOT } from '../support/skerry.ts'

/** Where packages, builds and virtual environments are kept between runs: beside what npm installs, in no repository. */
export function cacheFolder(language: string): string {
  const folder = join(ROOT, 'node_modules', '.cache', 'skerry-languages', language)
  mkdirSync(folder, { recursive: true })
  return folder
}

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

interface RunOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  readonly input?: string
  readonly timeoutMs?: number
}

/** Runs a program to its end. A program that is not there, or takes too long, ends with the code `null`. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const child = spawn(command, args, {
    cwd: options.cwd ?? ROOT,
    env: options.env ?? process.env,
    timeout: options.timeoutMs ?? 300_000,
    killSignal: 'SIGKILL',
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  // A program that ends before it has read all of its input is no failure of ours.
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input ?? '')
  return await new Promise((done) => {
    child.on('error', (error) => done({ code: null, stdout, stderr: `${stderr}${error.message}` }))
    child.on('close', (code) => done({ code, stdout, stderr }))
  })
}

/** A program that a suite can use, or why it cannot. */
export type Prepared<T> = { readonly ready: T } | { readonly unavailable: string }

type Step = readonly [command: string, args: readonly string[], options?: RunOptions]

/** What package managers say of a file that is another than the one that was pinned. */
const OTHER_FILE = /do not match the hashes|checksum mismatch/i

/**
 * Each step in turn; the first that fails says why the toolchain, or its packages, cannot be had.
 * @throws for packages that are not those that were pinned
 */
export async function steps(all: readonly Step[]): Promise<string | undefined> {
  for (const [command, args, options] of all) {
    const { code, stdout, stderr } = await run(command, args, options)
    if (code === 0) continue
    const said = `${stderr}\n${stdout}`.split('\n').filter((line) => line.trim() !== '')
    if (OTHER_FILE.test(said.join('\n'))) throw new Error(said.join('\n'))
    return `\`${[command, ...args].join(' ')}\` did not succeed: ${said.slice(0, 4).join(' | ') || `exit code ${code}`}`
  }
  return undefined
}

/** Builds a client of ours. @throws if it does not build, which is no reason to skip it */
export async function build(...[command, args, options]: Step): Promise<void> {
  const { code, stdout, stderr } = await run(command, args, options)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}:\n${stderr}\n${stdout}`)
}

/** The first of these programs that the search path has. */
export function findProgram(...names: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path))
}

/**
 * Builds the Go program of a folder, of exactly the modules that its go.sum was made for.
 * @param name of the program that is made, unique among those of Go
 */
export async function buildGo(folder: string, name: string): Promise<Prepared<string>> {
  const go = findProgram('go')
  if (go === undefined) return { unavailable: 'no go on the search path' }
  const cache = cacheFolder('go')
  const program = join(cache, name)
  const env = {
    ...process.env,
    GOMODCACHE: join(cache, 'modules'),
    GOCACHE: join(cache, 'build'),
    GOTOOLCHAIN: 'local',
  }
  // -modcacherw: the cache can be removed with the rest.
  const failed = await steps([[go, ['mod', 'download', '-modcacherw'], { cwd: folder, env }]])
  if (failed !== undefined) return { unavailable: failed }
  await build(go, ['build', '-mod=readonly', '-buildvcs=false', '-o', program, '.'], { cwd: folder, env })
  return { ready: program }
}
