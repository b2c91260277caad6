import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { main } from './main.ts'

let folder: string
let said: string[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skerry-cli-'))
  said = []
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0)
})
afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
  rmSync(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)

describe('skerry-guest sidecar', () => {
  it('wraps a file with the flags of the original, and serves nothing', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    writeFileSync(at('secret'), 'a layer key')
    writeFileSync(at('pub.pem'), publicKey.export({ type: 'spki', format: 'pem' }))
    writeFileSync(at('k-info.json'), JSON.stringify({ public_key_path: at('pub.pem') }))
    await main(['sidecar', '-infile', at('secret'), `-keypath=${at('k')}`, '-outfile', at('out')])
    expect(said).toEqual([`Success! The wrapped data is saved to ${at('out')}\n`])
    expect(JSON.parse(Buffer.from(readFileSync(at('out'), 'utf8'), 'base64').toString())).toMatchObject({ kid: 'k' })
    expect(process.exitCode).toBeUndefined()
  })

  it.each([
    [['-infile', '/nowhere'], "Can't read input file /nowhere (ERR_WRAP)"],
    [['-server_type', 'smtp'], '-server_type must be http or grpc'],
    [['e30=', '70000'], '-port must be a number'],
    [['-port', '-1'], '-port must be a number'],
    [['-base64', Buffer.from('[]').toString('base64')], '-base64 (SkrSideCarArgs)'],
    [['-logfile', '/nowhere/log'], "'/nowhere/log'"],
  ])('says in one line what is wrong with %j, and ends with 1', async (args, words) => {
    await main(['sidecar', ...args])
    expect(said).toHaveLength(1)
    expect(said[0]).toContain(words)
    expect(process.exitCode).toBe(1)
  })

  it.each([
    [['-nope'], "unknown option '-nope'"],
    [['-PORT', '80'], "unknown option '-PORT'"],
    [['---port', '80'], "unknown option '---port'"],
    [['-port'], 'argument missing'],
    [['-allowTestingMismatchedTCB=perhaps'], "'perhaps' is invalid"],
  ])('ends with 2, as the original does, for flags that are none: %j', async (args, words) => {
    await main(['sidecar', ...args])
    expect(said.join('')).toContain(words)
    expect(process.exitCode).toBe(2)
  })
})
