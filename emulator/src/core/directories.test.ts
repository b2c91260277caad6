import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cacheDirectory, runtimeDirectory } from './directories.ts'

describe('the directories of a user', () => {
  it('are where the XDG variables say', () => {
    const env = { XDG_CACHE_HOME: '/c', XDG_RUNTIME_DIR: '/r' }
    expect([cacheDirectory(env), runtimeDirectory(env)]).toEqual(['/c/skerry', '/r/skerry'])
  })

  it('are temporary ones for a user whom this machine does not know and who has no home', ({ skip }) => {
    if (process.getuid?.() !== 0) skip('only root can be another user')
    const script = `import(${JSON.stringify(import.meta.resolve('./directories.ts'))})
      .then((d) => console.log(JSON.stringify([d.cacheDirectory({}), d.runtimeDirectory({})])))`
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { uid: 54_321, env: {}, encoding: 'utf8' })
    if (stderr.includes('EACCES')) skip('this checkout lies where other users may not look')
    const own = join(tmpdir(), 'skerry-54321')
    expect(JSON.parse(stdout)).toEqual([join(own, 'cache'), own])
  })
})
