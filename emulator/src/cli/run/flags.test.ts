import { describe, expect, it } from 'vitest'
import { launchRequest, parseTcb, parseVmpl, type RunFlags } from './flags.ts'

const flags = (given: Partial<RunFlags>): RunFlags => ({ device: 'sev-guest', network: true, ...given })

describe('what is typed after skerry run', () => {
  it('names the levels of a TCB, in decimal or in hex', () => {
    expect(parseTcb('microcode=0xdc,snp=25')).toEqual({ microcode: 220, snp: 25 })
    expect(parseTcb('fmc=1')).toEqual({ fmc: 1 })
  })

  it.each(['', 'microcode', 'microcode=256', 'microcode=0x100', 'ucode=1', 'snp=25;tee=0', 'snp=-1', '__proto__=1'])(
    'refuses the levels %j',
    (text) => {
      expect(() => parseTcb(text)).toThrow(/is not NAME=0\.\.255 with a name of bootLoader, tee/)
    },
  )

  it.each(['4', '-1', '0x1', '', 'none'])('refuses the VMPL %j', (text) => {
    expect(() => parseVmpl(text)).toThrow(/from 0 to 3/)
  })

  it('asks for what was said and leaves the rest as on Azure', () => {
    expect(launchRequest(flags({}))).toEqual({})
    expect(launchRequest(flags({ debug: true, vmpl: 0, product: 'Turin', identity: 'app' }))).toEqual({
      debug: true,
      vmpl: 0,
      product: 'Turin',
      identity: 'app',
    })
  })

  it('names the policy file that is not there', () => {
    expect(() => launchRequest(flags({ policy: '/no/such.rego' }))).toThrow(
      /--policy \/no\/such.rego: there is no such file/,
    )
  })
})
