import { join } from 'node:path'
import { type ClientProgram, describeClient } from './describe-client.ts'
import { buildGo, type Prepared } from './toolchain.ts'

async function prepare(): Promise<Prepared<ClientProgram>> {
  const built = await buildGo(join(import.meta.dirname, 'go'), 'client')
  return 'ready' in built ? { ready: { command: built.ready, args: [] } } : built
}

describeClient('azkeys for Go', prepare)
