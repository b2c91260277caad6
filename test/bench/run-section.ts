import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createRunner, type DeviceMechanism } from '../../emulator/src/run/index.ts'
import { guestDouble } from '../integration/run/guest-double.ts'
import { buildPrograms } from '../integration/run/programs.ts'
import { median, ms, percentile, row } from './statistics.ts'

/** What a request to the SNP device costs below `skerry run`, seen from a static C program that asks one after another. */

export interface RunSectionOptions {
  readonly count: number
  readonly say: (line?: string) => void
}

const SKERRY = fileURLToPath(new URL('../../emulator/bin/skerry.mjs', import.meta.url))

export async function benchRun({ count, say }: RunSectionOptions): Promise<void> {
  using programs = await buildPrograms('static')
  say()
  if (typeof programs.static !== 'string') return say(`  skerry run: ${programs.static.missing}`)
  const rounds = [programs.static, 'rounds', '/dev/sev-guest', String(count)] as const
  say(row('One ioctl (SNP_GET_REPORT)', 'p50', 'p99', 'a second'))
  const told = (name: string, samples: readonly number[]) => {
    const total = samples.reduce((sum, each) => sum + each, 0)
    const perSecond = Math.round((samples.length / total) * 1000)
    say(row(name, us(median(samples)), us(percentile(samples, 99)), String(perSecond)))
  }
  const mechanisms: readonly DeviceMechanism[] = ['mount-namespace', 'injected-descriptor']
  for (const mechanism of mechanisms) {
    const runner = createRunner({ device: mechanism, networkNamespace: false })
    const { device, notices } = await runner.capabilities()
    if (device === 'none') {
      say(`  ${mechanism}: ${notices.join(' ')}`)
      continue
    }
    const samples: number[] = []
    const env = { PATH: '/usr/bin:/bin' }
    const guest = guestDouble()
    const program = await runner.start({
      command: rounds,
      env,
      guest,
      output: (line) => samples.push(Number(line) / 1e6),
    })
    await program.exit
    told(`answered at once, by ${mechanism}`, samples)
  }
  const folder = mkdtempSync(join(tmpdir(), 'skerry-bench-run-'))
  const env = { ...process.env, XDG_RUNTIME_DIR: folder }
  const up = spawn(process.execPath, [SKERRY, 'up', '--json'], { stdio: ['ignore', 'pipe', 'inherit'], env })
  const ended = once(up, 'exit')
  try {
    await Promise.race([once(createInterface({ input: up.stdout }), 'line'), ended])
    const lines = await below(env, rounds)
    told(
      'signed by an instance (skerry run)',
      lines.output.map((line) => Number(line) / 1e6),
    )
    const starts: number[] = []
    for (let n = 0; n < Math.max(3, Math.min(10, count / 100)); n++)
      starts.push((await below(env, ['/bin/true'])).tookMs)
    say(row('skerry run -- true, from start to end', ms(median(starts)), ms(Math.max(...starts))))
  } finally {
    up.kill('SIGTERM')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
}

async function below(env: NodeJS.ProcessEnv, command: readonly string[]) {
  const started = performance.now()
  const child = spawn(process.execPath, [SKERRY, 'run', '--', ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  })
  const output: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => output.push(line))
  await once(child, 'close')
  return { output, tookMs: performance.now() - started }
}

function us(milliseconds: number): string {
  return `${(milliseconds * 1000).toFixed(milliseconds < 0.1 ? 1 : 0)} µs`
}
