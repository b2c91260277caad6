import { join } from 'node:path'
import { type ClientProgram, describeClient } from './describe-client.ts'
import { cacheFolder, findProgram, type Prepared, steps } from './toolchain.ts'

const HERE = join(import.meta.dirname, 'go')

async function prepare(): Promise<Prepared<ClientProgram>> {
  const go = findProgram('go')
  if (go === undefined) return { unavailable: 'no go on the search path' }
  const cache = cacheFolder('go')
  const program = join(cache, 'client')
  // -mod=readonly: exactly the modules that go.sum was made for. -modcacherw: the cache can be removed with the rest.
  const env = {
    ...process.env,
    GOMODCACHE: join(cache, 'modules'),
    GOCACHE: join(cache, 'build'),
    GOTOOLCHAIN: 'local',
  }
  const build = ['build', '-mod=readonly', '-modcacherw', '-buildvcs=false', '-o', program, '.']
  const failed = await steps([[go, build, { cwd: HERE, env }]])
  if (failed !== undefined) return { unavailable: failed }
  return { ready: { command: program, args: [] } }
}

describeClient('azkeys for Go', prepare)
