import { describe, expect, it } from 'vitest'
import { readSettings } from './settings.ts'

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64')

describe("the sidecar's settings", () => {
  it('have defaults', () => {
    expect(readSettings({}, {})).toEqual({ port: 8080, logLevel: 'debug' })
  })

  it('come from the variables of the image', () => {
    const env = {
      Port: '9000',
      LogLevel: 'Warn',
      LogFile: 'log.txt',
      ServerType: 'http',
      SkrSideCarArgs: base64({ identity: { client_id: 'id' }, certcache: { endpoint: 'x' } }),
    }
    expect(readSettings({}, env)).toEqual({ port: 9000, logLevel: 'warning', logFile: 'log.txt', clientId: 'id' })
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
    [{ serverType: 'grpc' }, '-server_type'],
    [{ serverType: 'smtp' }, '-server_type'],
  ])('%o is refused with the flag named', (flags, field) => {
    expect(() => readSettings(flags, {})).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field }))
  })

  it('say of gRPC that it is not covered yet', () => {
    expect(() => readSettings({}, { ServerType: 'grpc' })).toThrow('not covered yet')
  })
})
