import { describe, expect, it } from 'vitest'
import { decodeBase64Url, decodeUtf8, encodeBase64, encodeBase64Url, encodeUtf8 } from './bytes.ts'
import type { WireError } from './errors.ts'
import { decodeSnpAttestRequest, encodeSnpAttestRequest } from './maa-request.ts'

const REQUEST = {
  report: new Uint8Array(1184).fill(0xfb),
  certificateChainPem: '-----BEGIN CERTIFICATE-----\r\n',
  uvmEndorsements: [Uint8Array.of(0xd2)],
  runtimeData: { data: encodeUtf8('{ "keys": [] }\n'), dataType: 'JSON' },
} as const

const text = (value: unknown) => encodeBase64Url(encodeUtf8(JSON.stringify(value)))
const body = (evidence: object, more: object = {}) => JSON.stringify({ report: text(evidence), ...more })
const EVIDENCE = { SnpReport: 'AQ', VcekCertChain: 'AQ' }
const pointerOf = (json: string) => {
  try {
    decodeSnpAttestRequest(json)
  } catch (error) {
    expect((error as WireError).code).toBe('ERR_MAA_REQUEST')
    return (error as WireError).at
  }
  throw new Error('nothing was thrown')
}

describe('an attest request', () => {
  it('keeps what was put in, to the last digit of a u64 nonce', () => {
    const request = { ...REQUEST, initTimeData: { data: encodeUtf8('package policy\n'), dataType: 'Binary' } } as const
    const decoded = decodeSnpAttestRequest(encodeSnpAttestRequest({ ...request, nonce: 18446744073709551615n }))
    expect(decoded).toEqual({ ...request, nonce: '18446744073709551615' })
  })

  it('writes the nonce as a JSON number and base64url without padding', () => {
    const json = encodeSnpAttestRequest({ ...REQUEST, nonce: 13202930541250959283n })
    expect(json).toContain(',"nonce":13202930541250959283}')
    expect(json).not.toContain('=')
    const evidence = JSON.parse(decodeUtf8(decodeBase64Url(JSON.parse(json).report))) as object
    expect(Object.keys(evidence)).toEqual(['SnpReport', 'VcekCertChain', 'Endorsements'])
  })

  it('without endorsements has no such member', () => {
    const { report, certificateChainPem } = REQUEST
    expect(decodeSnpAttestRequest(encodeSnpAttestRequest({ report, certificateChainPem }))).toEqual({
      report,
      certificateChainPem,
      uvmEndorsements: [],
    })
  })

  it('is taken with padding at every level, as the Go sidecar writes it', () => {
    const padded = (bytes: Uint8Array) => encodeBase64(bytes).replaceAll('+', '-').replaceAll('/', '_')
    const evidence = {
      SnpReport: padded(REQUEST.report),
      VcekCertChain: padded(encodeUtf8('PEM!')),
      Endorsements: padded(encodeUtf8('{"Uvm":["0g=="]}')),
    }
    const json = JSON.stringify({
      report: padded(encodeUtf8(JSON.stringify(evidence, null, 2))),
      runtimeData: { data: padded(encodeUtf8('{}')), dataType: 'json' },
      initTimeData: { data: '', dataType: '' },
      nonce: 1,
    })
    const decoded = decodeSnpAttestRequest(json)
    expect(decoded).toMatchObject({
      nonce: '1',
      runtimeData: { dataType: 'JSON' },
      uvmEndorsements: [Uint8Array.of(0xd2)],
    })
    expect(decoded).not.toHaveProperty('initTimeData')
  })

  it('keeps a nonce that is a string', () => {
    expect(decodeSnpAttestRequest(body(EVIDENCE, { nonce: 'abc' })).nonce).toBe('abc')
  })

  it.each(['1.5', '-1', '1e3', '18446744073709551616', 'true', '{}'])('refuses the nonce %s', (nonce) => {
    expect(pointerOf(`${body(EVIDENCE).slice(0, -1)},"nonce":${nonce}}`)).toBe('/nonce')
  })

  it('writes a nonce that is a text as one', () => {
    const decoded = decodeSnpAttestRequest(encodeSnpAttestRequest({ ...REQUEST, nonce: 'a "challenge"' }))
    expect(decoded.nonce).toBe('a "challenge"')
  })

  it('refuses to write a nonce that is no u64', () => {
    expect(() => encodeSnpAttestRequest({ ...REQUEST, nonce: 1n << 64n })).toThrow('u64')
  })

  it.each([
    ['not JSON', ''],
    ['[]', ''],
    ['{}', '/report'],
    ['{"report":"AQ"}', '/report'],
    ['{"report":"ab+/"}', '/report'],
    [body({ VcekCertChain: 'AQ' }), '/report/SnpReport'],
    [body({ SnpReport: 'AQ' }), '/report/VcekCertChain'],
    [body({ ...EVIDENCE, SnpReport: '+/+/' }), '/report/SnpReport'],
    [body({ ...EVIDENCE, Endorsements: 'AQ' }), '/report/Endorsements'],
    [body({ ...EVIDENCE, Endorsements: text({ Uvm: ['!'] }) }), '/report/Endorsements/Uvm/0'],
    [body(EVIDENCE, { runtimeData: { data: 'AQ', dataType: 'Text' } }), '/runtimeData/dataType'],
    [body(EVIDENCE, { runtimeData: { data: '=', dataType: 'JSON' } }), '/runtimeData/data'],
    [body(EVIDENCE, { initTimeData: 'AQ' }), '/initTimeData'],
    [body(EVIDENCE, { draftPolicyForAttestation: 1 }), '/draftPolicyForAttestation'],
  ])('%s is refused at %s', (json, at) => {
    expect(pointerOf(json)).toBe(at)
  })
})
