import { describe, expect, it } from 'vitest'
import { unreachableCaller } from './unreachable.ts'

const STATUS = 'Name:\tget-snp-report\nState:\tS (sleeping)\nUid:\t1000\t1000\t1000\t1000\n'
const because = (user: number, files: Record<string, string>) =>
  unreachableCaller(77, { user, read: (path) => ({ '/proc/77/status': STATUS, ...files })[path] })
const YAMA = '/proc/sys/kernel/yama/ptrace_scope'

describe('a caller whose memory the system keeps from the emulator', () => {
  it('is another user’s', () => {
    const error = because(1001, {})
    expect(error.code).toBe('ERR_FOREIGN_PROCESS')
    expect(error.message).toMatch(/^get-snp-report \(process 77\) .* runs as user 1000, the emulator as 1001/)
  })

  it('descends from somebody else, under Yama', () => {
    expect(because(1000, { [YAMA]: '1\n' })).toMatchObject({
      code: 'ERR_PTRACE_SCOPE',
      message: expect.stringMatching(/descendants only \(kernel.yama.ptrace_scope is 1\)/),
    })
    expect(because(1000, { [YAMA]: '2\n' }).message).toMatch(/lets root alone read .*ptrace_scope is 2/)
    // Not even root, and it cannot be taken back while the machine runs.
    expect(because(1000, { [YAMA]: '3\n' }).message).toMatch(/lets nobody read .*ptrace_scope is 3/)
    expect(because(0, { [YAMA]: '3\n' }).code).toBe('ERR_PTRACE_SCOPE')
  })

  it('keeps it from its own user, where nothing else explains it', () => {
    expect(because(1000, { [YAMA]: '0\n' }).code).toBe('ERR_UNDUMPABLE_PROCESS')
    expect(because(1000, {}).code).toBe('ERR_UNDUMPABLE_PROCESS')
  })

  it('may be gone by the time anybody looks', () => {
    const error = unreachableCaller(77, { user: 1000, read: () => undefined })
    expect(error.message).toMatch(/^a program \(process 77\)/)
  })
})
