import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostsFile, nsswitchFile, rewriteInPlace } from './hosts-file.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'skerry-hosts-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const addresses = { emulatorAddress: '10.0.0.1', ownAddress: '10.0.0.4' }

describe('the hosts file of a group', () => {
  it('keeps localhost and leads each name to the emulator once, in lower case', () => {
    const lines = hostsFile({ ...addresses, names: ['A.vault.azure.net', 'A.vault.azure.net', 'b.example'] }).split(
      '\n',
    )
    expect(lines[0]).toBe('127.0.0.1 localhost')
    expect(lines.filter((line) => line.startsWith('10.0.0.1'))).toEqual([
      '10.0.0.1 a.vault.azure.net',
      '10.0.0.1 b.example',
    ])
  })

  it('passes over addresses, which need no name', () => {
    expect(hostsFile({ ...addresses, names: ['169.254.169.254', '::1'] })).not.toMatch(/169\.254/)
  })

  it.each(['a b', 'a\nb', '', '*.vault.azure.net', '-a'])('refuses %j', (name) => {
    expect(() => hostsFile({ ...addresses, names: [name] })).toThrow(TypeError)
  })
})

describe('a file that is mounted elsewhere', () => {
  it.each(['longer than it was before', 'short', ''])('is rewritten in place: %j', (content) => {
    const path = join(folder, 'file')
    writeFileSync(path, 'what it was before')
    const { ino } = statSync(path)
    rewriteInPlace(path, content)
    expect(readFileSync(path, 'utf8')).toBe(content)
    expect(statSync(path).ino).toBe(ino)
  })
})

describe('nsswitch.conf', () => {
  it('looks host names up in files first and leaves the rest as it is', () => {
    const path = join(folder, 'nsswitch.conf')
    writeFileSync(path, 'passwd: files systemd\nhosts: mymachines resolve [!UNAVAIL=return] files dns\n')
    expect(nsswitchFile(path)).toMatch(/^passwd: files systemd\n+hosts: files dns\n$/)
  })

  it('is not made where there is none', () => {
    expect(nsswitchFile(join(folder, 'none'))).toBeUndefined()
  })
})
