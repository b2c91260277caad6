import { describe, expect, it } from 'vitest'
import { fromGoFlags } from './go-flags.ts'

describe('flags as Go reads them', () => {
  it.each([
    [
      ['-port', '8080', '--server_type', 'http'],
      ['--port=8080', '--server_type=http'],
    ],
    [
      ['-base64=e30=', '--logfile=a b'],
      ['--base64=e30=', '--logfile=a b'],
    ],
    [
      ['-port', '-1', '-logfile', '--port'],
      ['--port=-1', '--logfile=--port'],
    ],
    [['-port='], ['--port=']],
    [['-port'], ['--port']],
    [
      ['-allowTestingMismatchedTCB', 'false'],
      ['--allowTestingMismatchedTCB=true', 'false'],
    ],
    [['-allowTestingMismatchedTCB=F'], ['--allowTestingMismatchedTCB=F']],
    [['-help'], ['--help']],
    [
      ['sidecar', 'e30=', '80', '-h', '-unknown', '---port'],
      ['sidecar', 'e30=', '80', '-h', '-unknown', '---port'],
    ],
    [
      ['--', '-port', '80'],
      ['--', '-port', '80'],
    ],
  ])('%j are %j', (args, written) => {
    expect(fromGoFlags(args)).toEqual(written)
  })
})
