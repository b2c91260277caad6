import { describe, expect, it } from 'vitest'
import { encodePacket, encodeUnwrapResult, encodeWrapResult, parseUnwrapRequest, parseWrapRequest } from './protocol.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')
const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
const wrapInput = (agent: unknown, optsdata: unknown = base64('secret')) => ({
  op: 'keywrap',
  keywrapparams: { ec: { Parameters: { 'attestation-agent': agent } }, optsdata },
  keyunwrapparams: {},
})
const packet = { kid: 'k', wrapped_data: 'AQID', kms_endpoint: 'v', attester_endpoint: 'm' }
const unwrapInput = (annotation: unknown, agent: unknown = [base64('skr')]) => ({
  op: 'keyunwrap',
  keyunwrapparams: { dc: { Parameters: { 'attestation-agent': agent } }, annotation },
})

describe('a request to wrap', () => {
  it('names the key behind the agent, and carries what is to be wrapped', () => {
    const { keyPath, plaintext } = parseWrapRequest(bytes(wrapInput([base64('SKR:/keys/my-key:rest'), 'more'])))
    expect([keyPath, plaintext.toString()]).toEqual(['/keys/my-key', 'secret'])
  })

  it('is read without regard to case, as the original does, but for the name of the parameter', () => {
    const upper = bytes({ KeyWrapParams: { EC: { parameters: { 'attestation-agent': [base64('skr:k')] } } } })
    expect(parseWrapRequest(upper)).toEqual({ keyPath: 'k', plaintext: Buffer.alloc(0) })
    const other = bytes({ keywrapparams: { ec: { Parameters: { 'Attestation-Agent': [base64('skr:k')] } } } })
    expect(() => parseWrapRequest(other)).toThrow('attestation-agent must be specified in the encryption config')
  })

  it.each([
    ['{', 'Ill-formed key provider input'],
    ['', 'Ill-formed key provider input'],
    [wrapInput([base64('skr:k')], 7), 'Ill-formed key provider input. Error: optsdata must be a string'],
    [wrapInput('skr:k'), 'Ill-formed key provider input. Error: Parameters must hold lists of strings'],
    ['{}', 'attestation-agent must be specified in the encryption config parameters'],
    [wrapInput([]), 'attestation-agent must be specified in the encryption config parameters'],
    [wrapInput(null), 'attestation-agent must be specified in the encryption config parameters'],
    [wrapInput([base64('skr')]), 'Key id is not provided in the request'],
    [wrapInput(['skr:k']), 'Key id is not provided in the request'],
    [wrapInput([base64('other:k')]), 'Unexpected attestation agent other specified'],
    [wrapInput([base64('skr:k')], 'not base64'), 'Optsdata is not base64 encoding'],
  ])('of %j is an invalid argument: %s', (input, words) => {
    expect(() => parseWrapRequest(bytes(input))).toThrow(
      expect.objectContaining({ status: 3, message: expect.stringContaining(words) }),
    )
  })

  it('is not repeated in an error: what is to be wrapped is a secret', () => {
    expect(() => parseWrapRequest(bytes(wrapInput([base64('skr:k')], 'top secret!')))).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('top secret') }),
    )
  })
})

describe('a request to unwrap', () => {
  it('carries the annotation packet', () => {
    const read = parseUnwrapRequest(bytes(unwrapInput(base64(JSON.stringify(packet)))))
    expect(read).toEqual({
      kid: 'k',
      wrappedData: Buffer.from([1, 2, 3]),
      kmsEndpoint: 'v',
      attesterEndpoint: 'm',
    })
  })

  it.each([
    ['{', 'Ill-formed key provider input'],
    ['null', 'attestation-agent must be specified in decryption config parameters'],
    ['{}', 'attestation-agent must be specified in decryption config parameters'],
    [unwrapInput('', [base64('skr:k')]), 'Unexpected attestation agent skr:k specified'],
    [unwrapInput('', ['skr']), 'Unexpected attestation agent  specified'],
    [unwrapInput('!'), 'Annotation is not a base64 encoding'],
    [unwrapInput(''), 'Ill-formed annotation packet'],
    [unwrapInput(base64('[]')), 'Ill-formed annotation packet'],
    [unwrapInput(base64('{"wrapped_data":"!"}')), 'Ill-formed annotation packet'],
  ])('of %j is an invalid argument: %s', (input, words) => {
    expect(() => parseUnwrapRequest(bytes(input))).toThrow(
      expect.objectContaining({ status: 3, message: expect.stringContaining(words) }),
    )
  })
})

describe('an answer', () => {
  it('has the bytes that the original writes', () => {
    const annotation = encodePacket({
      kid: 'a<b',
      wrappedData: Buffer.from([1, 2, 3]),
      kmsEndpoint: 'v',
      attesterEndpoint: '',
    })
    expect(annotation.toString()).toBe(
      '{"kid":"a\\u003cb","wrapped_data":"AQID","wrap_type":"rsa_3072","kms_endpoint":"v"}',
    )
    expect(encodeWrapResult(Buffer.from('x')).toString()).toBe(
      '{"keywrapresults":{"annotation":"eA=="},"keyunwrapresults":{"optsdata":null}}',
    )
    expect(encodeUnwrapResult(Buffer.from('x')).toString()).toBe(
      '{"keywrapresults":{"annotation":null},"keyunwrapresults":{"optsdata":"eA=="}}',
    )
  })
})
