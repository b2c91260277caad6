import { join } from 'node:path'
import { type ClientProgram, describeClient } from './describe-client.ts'
import { build, cacheFolder, findProgram, type Prepared, steps } from './toolchain.ts'

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
  const failed = await steps([[go, ['mod', 'download', '-modcacherw'], { cwd: HERE, env }]])
  if (failed !== undefined) return { unavailable: failed }
  await build(go, ['build', '-mod=readonly', '-buildvcs=false', '-o', program, '.'], { cwd: HERE, env })
  return { ready: { command: program, args: [] } }
}

describeClient('azkeys for Go', prepare)
