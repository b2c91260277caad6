import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const MODULE = fileURLToPath(new URL('./at-exit.ts', import.meta.url))

function run(script: string): string[] {
  const { stdout } = spawnSync(process.execPath, [
    '--input-type=module',
    '-e',
    `import { releasedAtExit } from ${JSON.stringify(MODULE)}
     const held = (name) => releasedAtExit(() => console.log(name))
     ${script}`,
  ])
  return String(stdout).split('\n').filter(Boolean)
}

describe('what is released at the exit of a process', () => {
  it('is released once when it was disposed of before', () => {
    expect(run(`{ using a = held('a') } console.log('after')`)).toEqual(['a', 'after'])
  })

  it('is released by process.exit, the last one first', () => {
    expect(run(`held('a'); held('b'); process.exit(3)`)).toEqual(['b', 'a'])
  })

  it('is released after an error that nobody caught, whatever another one does', () => {
    expect(run(`held('a'); releasedAtExit(() => { throw new Error('b') }); throw new Error('fault')`)).toEqual(['a'])
  })
})
