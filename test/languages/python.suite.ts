import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type ClientProgram, describeClient } from './describe-client.ts'
import { cacheFolder, findProgram, type Prepared, steps } from './toolchain.ts'

const HERE = join(import.meta.dirname, 'python')

async function prepare(): Promise<Prepared<ClientProgram>> {
  const python = findProgram('python3', 'python')
  if (python === undefined) return { unavailable: 'no python3 on the search path' }
  const environment = join(cacheFolder('python'), 'venv')
  const program = join(environment, 'bin', 'python')
  const failed = await steps([
    ...(existsSync(program) ? [] : [[python, ['-m', 'venv', environment]] as const]),
    // --require-hashes: exactly the files that requirements.txt was made for.
    [
      program,
      [
        '-m',
        'pip',
        'install',
        '--quiet',
        '--disable-pip-version-check',
        '--no-input',
        '--require-hashes',
        '--requirement',
        join(HERE, 'requirements.txt'),
      ],
    ],
  ])
  if (failed !== undefined) return { unavailable: failed }
  return { ready: { command: program, args: [join(HERE, 'client.py')] } }
}

describeClient('azure-keyvault-keys for Python', prepare)
