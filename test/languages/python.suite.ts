import { join } from 'node:path'
import { type ClientProgram, describeClient } from './describe-client.ts'
import { pythonEnvironment } from './python-environment.ts'
import type { Prepared } from './toolchain.ts'

const HERE = join(import.meta.dirname, 'python')

async function prepare(): Promise<Prepared<ClientProgram>> {
  const prepared = await pythonEnvironment('python', join(HERE, 'requirements.txt'))
  if ('unavailable' in prepared) return prepared
  return { ready: { command: join(prepared.ready, 'python'), args: [join(HERE, 'client.py')] } }
}

describeClient('azure-keyvault-keys for Python', prepare)
