import { describe, expect, it } from 'vitest'
import { fromGoFlags } from './go-flags.ts'

describe('flags with one dash', () => {
  it('are read as the original reads them', () => {
    expect(fromGoFlags(['-port', '8080', '-base64=e30=', '-server_type', 'http'])).toEqual([
      '--port',
      '8080',
      '--base64=e30=',
      '--server_type',
      'http',
    ])
  })

  it('leave everything else as it is', () => {
    expect(fromGoFlags(['sidecar', '--port', '1', '-h', '-unknown'])).toEqual([
      'sidecar',
      '--port',
      '1',
      '-h',
      '-unknown',
    ])
  })
})
