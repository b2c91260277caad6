import { describe, expect, it } from 'vitest'
import { readSettings } from './settings.ts'

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64')

describe("the sidecar's settings", () => {
  it('have defaults', () => {
    expect(readSettings({}, {})).toEqual({ serverType: 'http', port: 8080, logLevel: 'warning' })
  })

  it('come from the variables of the image', () => {
    const certcache = { endpoint_type: 'AMD', endpoint: 'kdsintf.amd.com/vcek/v1', tee_type: 'Milan' }
    const env = {
      Port: '9000',
      LogLevel: 'Warn',
      LogFile: 'log.txt',
      ServerType: 'grpc',
      SkrSideCarArgs: base64({ identity: { client_id: 'id' }, maaconfig: { user_agent: 'mine' }, certcache }),
    }
    expect(readSettings({}, env)).toEqual({
      serverType: 'grpc',
      port: 9000,
      logLevel: 'warning',
      logFile: 'log.txt',
      clientId: 'id',
      userAgent: 'mine',
      certCache: certcache,
    })
  })

  it('are read as Go reads JSON and base64: names in any case, lines that are wrapped, null for nothing', () => {
    const azure = base64({ Identity: { CLIENT_ID: 'a-client-id' }, maaconfig: null }).replaceAll(/.{16}/g, '$&\n')
    expect(readSettings({ base64: azure }, {})).toMatchObject({ clientId: 'a-client-id' })
    expect(readSettings({ base64: base64(null) }, {})).toEqual(readSettings({}, {}))
  })

  it('come from flags before variables', () => {
    expect(readSettings({ port: '1', loglevel: 'trace' }, { Port: '2', LogLevel: 'info' })).toMatchObject({
      port: 1,
      logLevel: 'trace',
    })
  })

  it.each([
    [{ port: '70000' }, '-port'],
    [{ port: 'http' }, '-port'],
    [{ loglevel: 'loud' }, '-loglevel'],
    [{ base64: '!' }, '-base64'],
    [{ base64: base64({ identity: { client_id: 7 } }) }, '-base64'],
    [{ base64: base64({ maaconfig: { user_agent: [] } }) }, '-base64'],
    [{ base64: base64({ certcache: { endpoint: 1 } }) }, '-base64'],
    [{ base64: base64({ identity: 'mine' }) }, '-base64'],
    [{ base64: base64([]) }, '-base64'],
    [{ base64: base64({}).replaceAll('=', '') }, '-base64'],
    [{ serverType: 'smtp' }, '-server_type'],
    [{ allowTestingMismatchedTCB: 'perhaps' }, '-allowTestingMismatchedTCB'],
  ])('%o is refused with the flag named', (flags, field) => {
    expect(() => readSettings(flags, {})).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field }))
  })

  it('come from the arguments of the start script last', () => {
    const positionals = [base64({ identity: { client_id: 'from the script' } }), '7']
    expect(readSettings({ positionals }, {})).toMatchObject({ port: 7, clientId: 'from the script' })
    expect(readSettings({ positionals }, { Port: '8' })).toMatchObject({ port: 8, clientId: 'from the script' })
    expect(readSettings({ positionals, base64: base64({}) }, {})).not.toHaveProperty('clientId')
  })

  it.each([
    [true, true],
    ['true', true],
    ['1', true],
    ['f', undefined],
  ])('take %s for a boolean, as Go does', (allowTestingMismatchedTCB, mismatchedTcb) => {
    expect(readSettings({ allowTestingMismatchedTCB }, {}).mismatchedTcb).toBe(mismatchedTcb)
  })
})
