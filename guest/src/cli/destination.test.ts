import { execFile } from 'node:child_process'
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { descriptor, secretFile } from './destination.ts'

const MODULE = fileURLToPath(new URL('./destination.ts', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'skerry-secret-'))
afterAll(() => rmSync(scratch, { recursive: true }))
const at = (name: string) => join(scratch, name)
const SECRET = Buffer.from('top secret')

describe('a secret file', () => {
  it('is for its owner alone', () => {
    secretFile('--to-file', at('secret')).write(SECRET)
    expect(statSync(at('secret')).mode & 0o777).toBe(0o600)
    expect(readFileSync(at('secret'), 'utf8')).toBe('top secret')
  })

  it('is not written over another, nor through a link', () => {
    writeFileSync(at('there'), 'mine')
    symlinkSync(at('elsewhere'), at('link'))
    for (const name of ['there', 'link'])
      expect(() => secretFile('--file', at(name))).toThrow(`--file ${at(name)} exists`)
    expect(readFileSync(at('there'), 'utf8')).toBe('mine')
  })

  it('is not written over one that came meanwhile', () => {
    const file = secretFile('--to-file', at('late'))
    symlinkSync(at('elsewhere'), at('late'))
    expect(() => file.write(SECRET)).toThrow('cannot be written: file already exists (EEXIST)')
    expect(existsSync(at('elsewhere'))).toBe(false)
  })

  it.each(['', 'folder/'])('has a name of its own, and not "%s"', (path) => {
    expect(() => secretFile('--to-file', path)).toThrow('--to-file must name a file')
  })

  it('needs a folder', () => {
    expect(() => secretFile('--to-file', at('no/key'))).toThrow(
      expect.objectContaining({ field: '--to-file', message: expect.stringContaining('no such file or directory') }),
    )
  })
})

describe('a descriptor', () => {
  it('is written to', () => {
    const fd = openSync(at('by-descriptor'), 'w')
    descriptor('--to-fd', String(fd)).write(SECRET)
    closeSync(fd)
    expect(readFileSync(at('by-descriptor'), 'utf8')).toBe('top secret')
  })

  it('that can only be read is refused before there is a secret', () => {
    const fd = openSync('/dev/null', 'r')
    expect(() => descriptor('--to-fd', String(fd))).toThrow('not open for writing')
    closeSync(fd)
  })

  it.runIf(process.platform === 'linux')('that Node opened for itself is refused: whoever typed it opened none', () => {
    const links = readdirSync('/proc/self/fd').flatMap((fd) => {
      const link = lstatSync(`/proc/self/fd/${fd}`, { throwIfNoEntry: false }) && readlinkSync(`/proc/self/fd/${fd}`)
      return link === undefined || Number(fd) < 3 ? [] : [{ fd, link }]
    })
    const isPair = (link: string) => link.startsWith('pipe:') && links.filter((other) => other.link === link).length > 1
    const own = links.filter(({ link }) => link.startsWith('anon_inode:') || isPair(link))
    expect(own.length).toBeGreaterThan(3)
    for (const { fd } of own) expect(() => descriptor('--to-fd', fd)).toThrow(`${fd} is not open`)
  })

  it.runIf(process.platform === 'linux')('may be the same pipe as standard output', async () => {
    const script = `const { descriptor } = await import(${JSON.stringify(MODULE)})
      descriptor('--to-fd', '3').write(Buffer.from('top secret'))`
    const command = ['-c', '"$0" --conditions=skerry-source --input-type=module -e "$1" 3>&1', process.execPath, script]
    const { stdout } = await promisify(execFile)('sh', command)
    expect(stdout).toBe('top secret')
  })

  it.each([
    ['x', 'number'],
    ['-1', 'number'],
    ['999', 'not open'],
  ])('%s is refused', (text, words) => {
    expect(() => descriptor('--to-fd', text)).toThrow(words)
  })
})
