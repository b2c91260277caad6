import { describe, expect, it } from 'vitest'
import { encodeUtf8 } from './bytes.ts'
import { decodeSgxAttestRequest, encodeSgxAttestRequest, type SgxAttestRequest } from './sgx-request.ts'

const REQUEST: SgxAttestRequest = {
  evidence: Uint8Array.of(0xfb, 0xff, 1),
  runtimeData: { data: encodeUtf8('{ }'), dataType: 'JSON' },
  initTimeData: { data: Uint8Array.of(1), dataType: 'Binary' },
  nonce: 'n',
  draftPolicy: 'version= 1.0;',
}

describe('a request to attest an enclave', () => {
  it.each(['quote', 'report'] as const)('with its evidence in %s', (member) => {
    const body = encodeSgxAttestRequest(member, REQUEST)
    expect(JSON.parse(body)).toEqual({
      [member]: '-_8B',
      runtimeData: { data: 'eyB9', dataType: 'JSON' },
      initTimeData: { data: 'AQ', dataType: 'Binary' },
      draftPolicyForAttestation: 'version= 1.0;',
      nonce: 'n',
    })
    expect(decodeSgxAttestRequest(member, body)).toEqual(REQUEST)
  })

  it('may have nothing but evidence', () => {
    expect(encodeSgxAttestRequest('quote', { evidence: Uint8Array.of(0) })).toBe('{"quote":"AA"}')
    expect(decodeSgxAttestRequest('quote', '{"quote":"AA"}')).toEqual({ evidence: Uint8Array.of(0) })
  })

  it('takes padding, empty data as none, and a nonce beyond 2^53', () => {
    const body =
      '{"quote":"AA==","runtimeData":{"data":"","dataType":""},"initTimeData":null,"draftPolicyForAttestation":null,' +
      '"nonce":13202930541250959283}'
    expect(decodeSgxAttestRequest('quote', body)).toEqual({
      evidence: Uint8Array.of(0),
      nonce: '13202930541250959283',
    })
  })

  it.each([
    ['', ''],
    ['[]', ''],
    ['{"report":"AA"}', '/quote'],
    ['{"quote":""}', '/quote'],
    ['{"quote":"A"}', '/quote'],
    ['{"quote":"+/8B"}', '/quote'],
    ['{"quote":"AA","runtimeData":"AA"}', '/runtimeData'],
    ['{"quote":"AA","runtimeData":{"data":"AA"}}', '/runtimeData/dataType'],
    ['{"quote":"AA","initTimeData":{"data":1}}', '/initTimeData/data'],
    ['{"quote":"AA","nonce":1.5}', '/nonce'],
    ['{"quote":"AA","draftPolicyForAttestation":[]}', '/draftPolicyForAttestation'],
  ])('%j is refused and the member named: %j', (body, at) => {
    expect(() => decodeSgxAttestRequest('quote', body)).toThrow(
      expect.objectContaining({ code: 'ERR_MAA_REQUEST', at }),
    )
  })
})
