import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder, findProgram, type Prepared, steps } from './toolchain.ts'

/** A virtual environment with exactly the packages of a `requirements.txt` with hashes; its `bin` folder. */
export async function pythonEnvironment(name: string, requirements: string): Promise<Prepared<string>> {
  const python = findProgram('python3', 'python')
  if (python === undefined) return { unavailable: 'no python3 on the search path' }
  const environment = join(cacheFolder(name), 'venv')
  const program = join(environment, 'bin', 'python')
  const pip = [program, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input']] as const
  const failed = await steps([
    ...(existsSync(program) ? [] : [[python, ['-m', 'venv', environment]] as const]),
    [pip[0], [...pip[1], '--require-hashes', '--requirement', requirements], { timeoutMs: 600_000 }],
  ])
  return failed === undefined ? { ready: join(environment, 'bin') } : { unavailable: failed }
}
