import { createHash, verify, X509Certificate } from 'node:crypto'
import { decodeReportResponse, encodeReportRequest, encodeSnpAttestRequest, encodeUtf8 } from '@skerry/guest/wire'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { describe, expect, it } from 'vitest'
import { type AttestationProviderRecord, COLLECTIONS } from '../core/index.ts'
import { API_VERSIONS } from './api-version.ts'
import { ATTEST_URL, createAttestationWorld, HOST_DATA, PROVIDER, RUNTIME_DATA } from './test-world.ts'

const world = createAttestationWorld()

const tokenOf = async (response: Response): Promise<string> => {
  expect(response.status).toBe(200)
  return ((await response.json()) as { token: string }).token
}
const errorOf = async (response: Response) => (await response.json()) as { error: { code: string; message: string } }
const get = (path: string, host = PROVIDER) => world.world.fetch(`https://${host}${path}`)

describe('an attestation token', () => {
  it('has the documented claims of a confidential container group', async () => {
    const claims = decodeJwt(await tokenOf(await world.attest({ nonce: 13202930541250959283n })))
    expect(claims).toMatchObject({
      iss: `https://${PROVIDER}`,
      nonce: '13202930541250959283',
      'x-ms-attestation-type': 'sevsnpvm',
      'x-ms-compliance-status': 'azure-compliant-uvm',
      'x-ms-policy-hash': '9NY0VnTQ-IiBriBplVUpFbczcDaEBUwsiFYAzHu_gco',
      'x-ms-runtime': { keys: [{ kty: 'RSA', kid: 'k', e: 'AQAB' }] },
      'x-ms-sevsnpvm-hostdata': Buffer.from(HOST_DATA).toString('hex'),
      'x-ms-sevsnpvm-is-debuggable': false,
      'x-ms-sevsnpvm-vmpl': 0,
      'x-ms-sevsnpvm-guestsvn': 2,
      'x-ms-sevsnpvm-microcode-svn': 0xdb,
      'x-ms-ver': '1.0',
    })
    expect(claims['x-ms-sevsnpvm-reportdata']).toBe(
      createHash('sha256').update(RUNTIME_DATA).digest('hex') + '00'.repeat(32),
    )
    expect(claims['x-ms-sevsnpvm-uvm-endorsement']).toMatchObject({ 'x-ms-sevsnpvm-guestsvn': '104' })
    expect(claims).not.toHaveProperty('x-ms-inittime')
    expect(claims.jti).toMatch(/^[0-9a-f]{64}$/)
  })

  it('has the init time data that the guest was launched with', async () => {
    const data = encodeUtf8('{"policy":"p"}')
    const guest = world.psp.launch({ hostData: new Uint8Array(createHash('sha256').update(data).digest()) })
    const reportData = new Uint8Array(64)
    reportData.set(createHash('sha256').update(RUNTIME_DATA).digest())
    const response = await guest.reportRequest(encodeReportRequest({ reportData, vmpl: 0 }))
    const { report } = decodeReportResponse(response)
    const body = JSON.parse(encodeSnpAttestRequest({ ...(await world.evidence()), report })) as object
    const initTimeData = { data: Buffer.from(data).toString('base64url'), dataType: 'JSON' }
    const claims = decodeJwt(await tokenOf(await world.post(JSON.stringify({ ...body, initTimeData }))))
    expect(claims['x-ms-inittime']).toEqual({ policy: 'p' })
  })

  it('says of an endorsement in the hash-envelope form what its headers say', async () => {
    const uvmEndorsements = [await world.psp.uvm.transparentEndorsement()]
    const claims = decodeJwt(await tokenOf(await world.attest({ uvmEndorsements })))
    expect(claims['x-ms-compliance-status']).toBe('azure-compliant-uvm')
    expect(claims['x-ms-sevsnpvm-uvm-endorsement']).toEqual({
      'x-ms-sevsnpvm-guestsvn': '104',
      'x-ms-sevsnpvm-guestsvn-int': 104,
      'x-ms-sevsnpvm-launchmeasurement': claims['x-ms-sevsnpvm-launchmeasurement'],
    })
  })

  it('lives for 8 hours of the emulator’s clock', async () => {
    const now = world.world.clock.now() / 1000
    expect(decodeJwt(await tokenOf(await world.attest()))).toMatchObject({ iat: now, nbf: now, exp: now + 28_800 })
  })

  it('has its members in byte-wise order at every level', async () => {
    const text = Buffer.from((await tokenOf(await world.attest())).split('.')[1]!, 'base64url').toString()
    const names = Object.keys(JSON.parse(text))
    expect(names).toEqual([...names].sort())
    expect(text).toContain('"x-ms-runtime":{"keys":[{"e":"AQAB","kid":"k","kty":"RSA"}]}')
  })

  it('verifies with the key that /certs has under its kid, which stands only in x5c', async () => {
    const token = await tokenOf(await world.attest())
    const header = decodeProtectedHeader(token)
    expect(Object.keys(header)).toEqual(['alg', 'jku', 'kid', 'typ'])
    expect(header.jku).toBe(`https://${PROVIDER}/certs`)
    const { keys } = (await (await get('/certs')).json()) as { keys: { x5c: string[]; kid: string; kty: string }[] }
    const key = keys.find(({ kid }) => kid === header.kid)!
    expect(Object.keys(key)).toEqual(['x5c', 'kid', 'kty'])
    const certificate = new X509Certificate(Buffer.from(key.x5c[0]!, 'base64'))
    const [head, payload, signature] = token.split('.')
    expect(
      verify('sha256', Buffer.from(`${head}.${payload}`), certificate.publicKey, Buffer.from(signature!, 'base64url')),
    ).toBe(true)
  })

  it('leaves the compliance status out when nothing endorsed the image', async () => {
    const claims = decodeJwt(await tokenOf(await world.attest({ uvmEndorsements: [] })))
    expect(claims).not.toHaveProperty('x-ms-compliance-status')
    expect(claims).not.toHaveProperty('x-ms-sevsnpvm-uvm-endorsement')
  })

  it('says that a debuggable guest is debuggable, and leaves it to the release policy', async () => {
    const debug = createAttestationWorld({ debug: true })
    expect(decodeJwt(await tokenOf(await debug.attest()))['x-ms-sevsnpvm-is-debuggable']).toBe(true)
  })

  it('is issued for a custom provider that ARM holds, in its own name', async () => {
    const host = 'contoso.weu.attest.azure.net'
    const record: AttestationProviderRecord = { name: 'contoso', host, trustModel: 'AAD' }
    world.world.ctx.store.collection(COLLECTIONS.attestationProviders).put(host, record)
    const body = encodeSnpAttestRequest(await world.evidence())
    const response = await world.post(body, `https://${host}/attest/SevSnpVm?api-version=2020-10-01`)
    expect(decodeJwt(await tokenOf(response)).iss).toBe(`https://${host}`)
  })
})

describe('the request', () => {
  it('is found whatever the case of its path, and padded base64url is taken', async () => {
    const body = JSON.parse(encodeSnpAttestRequest(await world.evidence())) as { report: string }
    body.report += '='.repeat((4 - (body.report.length % 4)) % 4)
    const sidecar = { ...body, initTimeData: { data: '', dataType: '' } }
    const response = await world.post(
      JSON.stringify(sidecar),
      `https://${PROVIDER}/Attest/SevSnpVM?api-version=2020-10-01`,
    )
    expect(response.status).toBe(200)
  })

  it.each(API_VERSIONS)('is attested under %s', async (version) => {
    const body = encodeSnpAttestRequest(await world.evidence())
    expect((await world.post(body, `https://${PROVIDER}/attest/SevSnpVm?api-version=${version}`)).status).toBe(200)
  })

  it.each([
    ['missing', ''],
    ['empty', '?api-version='],
    ['unknown', '?api-version=2018-09-01-preview'],
  ])('with an api-version that is %s gets 400', async (_, query) => {
    const response = await world.post('{}', `https://${PROVIDER}/attest/SevSnpVm${query}`)
    expect(response.status).toBe(400)
    expect((await errorOf(response)).error.code).toBe('InvalidApiVersionParameter')
  })

  it.each([
    ['is not JSON', 'no', 'request'],
    ['has no report', '{}', 'request/report'],
    ['has a report in the standard alphabet', '{"report":"+/8="}', 'request/report'],
    ['has a report without certificates', '{"report":"e30"}', 'request/report/VcekCertChain'],
  ])('whose body %s gets Azure’s 400, and the journal says which member', async (_, body, name) => {
    const response = await world.post(body)
    expect(response.status).toBe(400)
    expect(await errorOf(response)).toEqual({
      error: {
        code: 'InvalidParameter',
        message: 'The request body is invalid.',
        innererror: { code: 'InvalidParameter', message: 'The request body is invalid.' },
      },
    })
    expect(world.unmet()).toEqual([name])
  })
})

describe('a refusal', () => {
  it('tells the caller nothing and the journal everything', async () => {
    const { report } = await world.evidence()
    const altered = Uint8Array.from(report)
    altered[0xc0]! ^= 1
    const response = await world.attest({ report: altered })
    expect(response.status).toBe(400)
    expect((await errorOf(response)).error.message).toBe('The SEV-SNP attestation evidence is invalid.')
    expect(world.lastDecision()).toMatchObject({
      service: 'maa',
      operation: 'attest',
      outcome: 'denied',
      answer: { status: 400, code: 'InvalidParameter', requestId: response.headers.get('x-ms-request-id') },
      action: expect.stringContaining('report'),
    })
    expect(world.unmet()).toEqual(['report.signature'])
  })

  it('under the fault `tcb` is that report and certificate disagree', async () => {
    const tampered = createAttestationWorld({ faults: { tamper: 'tcb' } })
    expect((await tampered.attest()).status).toBe(400)
    expect(tampered.unmet()).toContain('vcek.tcb')
  })
})

describe('the journal', () => {
  it('has the claims that release policies test, and no token', async () => {
    const token = await tokenOf(await world.attest())
    const record = world.lastDecision()
    expect(record).toMatchObject({ outcome: 'allowed', answer: { status: 200 } })
    expect(record.details).toMatchObject({
      claims: { 'x-ms-compliance-status': 'azure-compliant-uvm', 'x-ms-sevsnpvm-is-debuggable': false },
    })
    expect(JSON.stringify(record)).not.toContain(token.split('.')[1])
  })
})

describe('what else a provider answers', () => {
  it('/.well-known/openid-configuration names issuer and jwks_uri', async () => {
    expect(await (await get('/.well-known/openid-configuration')).json()).toMatchObject({
      issuer: `https://${PROVIDER}`,
      jwks_uri: `https://${PROVIDER}/certs`,
      id_token_signing_alg_values_supported: ['RS256'],
    })
  })

  it('/certs: a self-signed certificate in the name of the provider asked, the same at each call', async () => {
    const read = async (host: string) =>
      ((await (await get('/certs', host)).json()) as { keys: { x5c: string[]; kid: string }[] }).keys[0]!
    const [first, again, other] = [
      await read(PROVIDER),
      await read(PROVIDER),
      await read('shareduks.uks.attest.azure.net'),
    ]
    expect(again).toEqual(first)
    expect(other.kid).toBe(first.kid)
    const certificate = new X509Certificate(Buffer.from(first.x5c[0]!, 'base64'))
    expect(certificate.subject).toContain(`CN=https://${PROVIDER}`)
    expect(certificate.verify(certificate.publicKey)).toBe(true)
    expect(first.kid).toBe(
      createHash('sha256')
        .update(`${certificate.publicKey.export({ type: 'spki', format: 'pem' })}\0`)
        .digest('base64'),
    )
  })

  it('every answer has the service’s headers and the caller’s trace', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const response = await world.world.fetch(new Request(`https://${PROVIDER}/certs`, { headers: { traceparent } }))
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      server: 'Kestrel',
      'x-ms-maa-service-version': expect.any(String),
      'x-ms-request-id': `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`,
    })
  })

  it.each(['TdxVm', 'AzureGuest'])('attest/%s is not covered: 501', async (kind) => {
    const response = await world.post('{}', `https://${PROVIDER}/attest/${kind}?api-version=2025-06-01`)
    expect(response.status).toBe(501)
    expect((await errorOf(response)).error.code).toBe('SkerryNotCovered')
  })

  it('attest/Tpm wants to know who asks, and is not covered either', async () => {
    const url = `https://${PROVIDER}/attest/Tpm?api-version=2022-08-01`
    expect((await world.post('{}', url)).status).toBe(401)
    const headers = { authorization: 'Bearer of-anybody' }
    expect((await world.world.fetch(new Request(url, { method: 'POST', body: '{}', headers }))).status).toBe(501)
  })

  it('an operation that came with a later api-version is refused under an earlier one', async () => {
    const response = await world.post('{}', `https://${PROVIDER}/attest/TdxVm?api-version=2022-08-01`)
    expect(response.status).toBe(400)
    expect((await errorOf(response)).error.code).toBe('UnsupportedApiVersion')
  })

  it('attest/Pluton is not covered, and not there before its api-version', async () => {
    const ask = (version: string) => world.post('{}', `https://${PROVIDER}/attest/Pluton?api-version=${version}`)
    expect((await ask('2025-06-01')).status).toBe(400)
    expect((await ask('2026-03-11-preview')).status).toBe(501)
  })

  it('an unknown path is 404', async () => {
    expect((await get('/nothing')).status).toBe(404)
  })

  it.each(['nobody.weu.attest.azure.net', 'sharedxx.xx.attest.azure.net', 'sharedweu.uks.attest.azure.net'])(
    '%s, which nobody made, is 404 with a code that says so',
    async (host) => {
      const response = await world.world.fetch(
        new Request(ATTEST_URL.replace(PROVIDER, host), { method: 'POST', body: '{}' }),
      )
      expect(response.status).toBe(404)
      expect((await errorOf(response)).error.code).toBe('SkerryNoSuchProvider')
    },
  )
})
