import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JournalRecord } from '../../emulator/src/core/index.ts'
import { type Loopback, ownLoopback, TURN_TIMEOUT_MS } from '../support/own-loopback.ts'
import { skerry, temporaryFolder } from '../support/skerry.ts'

// The front door: what `npm start` runs, as a process of its own, watched from outside.

let loopback: Loopback
beforeAll(async () => {
  loopback = await ownLoopback()
}, TURN_TIMEOUT_MS)
afterAll(() => loopback[Symbol.asyncDispose]())

const journalOf = (folder: string): JournalRecord[] =>
  readFileSync(join(folder, 'journal.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as JournalRecord)

const DIGEST = /sha256=[0-9a-f]{64}/

describe('npm start', () => {
  it('brings a key into an attested container, rotates it, and takes everything away again', async () => {
    using data = temporaryFolder()
    const { code, stdout, stderr } = await skerry(['demo', '--data', data.path]).ended
    expect(`${stdout}${stderr}`).toContain('The key reached the attested container, and nowhere else.')
    expect(code).toBe(0)
    expect(stdout).toMatch(/POST \/api\/deployments {2}-> {2}202 {2}Location: \/api\/deployments\/skr-demo/)
    expect(stdout).toMatch(/Releasing key blob: \{[\w-]+\}/)
    expect(stdout).toMatch(/remove group/)
    expect(stdout).toMatch(/soft-deleted/)

    const proofs = stdout.split('\n').filter((line) => DIGEST.test(line) && line.includes('proof kid='))
    expect(new Set(proofs.map((line) => DIGEST.exec(line)![0])).size).toBe(2)

    const releases = journalOf(data.path).filter(({ operation }) => operation === 'release')
    expect(releases.every(({ outcome }) => outcome === 'allowed')).toBe(true)
    const claims = releases[0]!.conditions!.map(({ name }) => name).join(' ')
    for (const claim of ['hostdata', 'compliance-status', 'is-debuggable', 'vmpl']) expect(claims).toContain(claim)
  })
})

describe('npm start -- --tamper', () => {
  it('policy: the vault refuses a group whose policy was changed by one byte, and the run shows the claim', async () => {
    using data = temporaryFolder()
    const { code, stdout } = await skerry(['demo', '--tamper', 'policy', '--data', data.path]).ended
    expect(stdout).toContain('x-ms-sevsnpvm-hostdata')
    expect(stdout).toMatch(/answered 403/)
    expect(code).toBe(3)
    const denial = journalOf(data.path).findLast(
      ({ operation, outcome }) => operation === 'release' && outcome === 'denied',
    )!
    const unmet = denial.conditions!.filter(({ met }) => !met)
    expect(unmet.map(({ name }) => name)).toEqual([expect.stringContaining('x-ms-sevsnpvm-hostdata')])
    expect(unmet[0]!.wanted).not.toEqual(unmet[0]!.found)
    expect(stdout).not.toMatch(DIGEST)
  })

  it('debug: the vault refuses a debuggable guest', async () => {
    using data = temporaryFolder()
    const { code, stdout } = await skerry(['demo', '--tamper', 'debug', '--data', data.path]).ended
    expect(stdout).toContain('x-ms-sevsnpvm-is-debuggable')
    expect(code).toBe(4)
    const denial = journalOf(data.path).findLast(
      ({ operation, outcome }) => operation === 'release' && outcome === 'denied',
    )!
    expect(denial.answer?.status).toBe(403)
    expect(stdout).not.toMatch(DIGEST)
  })

  it('tcb: the guest refreshes once, asks for one new report, and stops before MAA and vault', async () => {
    using data = temporaryFolder()
    const { code, stdout } = await skerry(['demo', '--tamper', 'tcb', '--data', data.path]).ended
    expect(code, stdout).toBe(5)
    const journal = journalOf(data.path)
    expect(journal.filter(({ service, operation }) => service === 'maa' && operation === 'attest')).toEqual([])
    expect(journal.filter(({ operation }) => operation === 'release')).toEqual([])
    expect(stdout).not.toMatch(DIGEST)
  })
})

describe('a run says what is wrong with how it was called', () => {
  it('names the flag of a file that is not there, and of a value that is not known', async () => {
    using data = temporaryFolder()
    const missing = await skerry(['demo', '--template', join(data.path, 'none.json'), '--data', data.path]).ended
    expect(missing.code).toBe(2)
    expect(missing.stderr).toMatch(/--template .*there is no such file/)
    const unknown = await skerry(['demo', '--tamper', 'weather', '--data', data.path]).ended
    expect(unknown.code).toBe(2)
    expect(unknown.stderr).toMatch(/--tamper/)
  })
})
