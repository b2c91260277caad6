import { createHash } from 'node:crypto'
import { encodeHex, encodeSgxAttestRequest, encodeUtf8, type SgxAttestRequest } from '@skerry/guest/wire'
import { compactVerify, importX509 } from 'jose'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../../core/test-context.ts'
import { createProcessor } from '../../psp/index.ts'
import { createMaaService } from '../index.ts'
import { createSgxPlatform } from './platform.ts'
import type { EnclaveOptions } from './types.ts'

/* Over HTTP: what a client of `attest/SgxEnclave` and `attest/OpenEnclave` sends, and gets. */

const PROVIDER = 'sharedweu.weu.attest.azure.net'
const VERSION = 'api-version=2022-08-01'
const RUNTIME = encodeUtf8('{"jwk": {"kty":"EC"}}')
const DEFAULT_HASH = 'ViVGS4BYl70X8eUrgryHg0TtbEk9WtIc6DtTBEFxaWc'

const world = createTestContext()
const { ctx } = world
const sgx = createSgxPlatform(ctx)
world.use(createMaaService(ctx, { psp: createProcessor(ctx), sgx }))

type Change = Partial<SgxAttestRequest> & { readonly enclave?: EnclaveOptions }

async function attest(kind: 'SgxEnclave' | 'OpenEnclave', { enclave, ...change }: Change = {}) {
  const launched = sgx.launch(enclave)
  const digest = new Uint8Array(createHash('sha256').update(RUNTIME).digest())
  const evidence = await (kind === 'SgxEnclave' ? launched.quote(digest) : launched.openEnclaveReport(digest))
  const request = { evidence, runtimeData: { data: RUNTIME, dataType: 'JSON' }, ...change } as const
  return post(kind, encodeSgxAttestRequest(kind === 'SgxEnclave' ? 'quote' : 'report', request))
}

async function post(kind: string, body: string) {
  const response = await world.fetch(
    new Request(`https://${PROVIDER}/attest/${kind}?${VERSION}`, { method: 'POST', body }),
  )
  const answer = (await response.json()) as { token?: string; error?: { code: string; message: string } }
  const claims = answer.token === undefined ? {} : partOf(answer.token, 1)
  return { status: response.status, ...answer, claims }
}

const partOf = (token: string, index: number) =>
  JSON.parse(Buffer.from(token.split('.')[index]!, 'base64url').toString()) as Record<string, unknown>

const unmet = () => (ctx.journal.records().at(-1)?.conditions ?? []).filter(({ met }) => !met).map(({ name }) => name)

describe('the token of an enclave', () => {
  it('has every claim with its type, and the old ones of the default policy', async () => {
    const enclave = { mrEnclave: new Uint8Array(32).fill(0xa1), mrSigner: new Uint8Array(32).fill(0xb2) }
    const { status, claims } = await attest('SgxEnclave', {
      enclave: { ...enclave, productId: 77, svn: 4 },
      nonce: 'n',
    })
    expect(status).toBe(200)
    const issued = {
      'is-debuggable': false,
      'product-id': 77,
      'sgx-mrenclave': 'a1'.repeat(32),
      'sgx-mrsigner': 'b2'.repeat(32),
      svn: 4,
      tee: 'sgx',
    }
    expect(claims).toEqual({
      ...issued,
      exp: expect.any(Number),
      iat: expect.any(Number),
      nbf: expect.any(Number),
      iss: `https://${PROVIDER}`,
      jti: expect.stringMatching(/^[0-9a-f]{64}$/),
      nonce: 'n',
      'maa-attestationcollateral': claims['x-ms-sgx-collateral'],
      'x-ms-attestation-type': 'sgx',
      'x-ms-policy': issued,
      'x-ms-policy-hash': DEFAULT_HASH,
      'x-ms-runtime': { jwk: { kty: 'EC' } },
      'x-ms-sgx-collateral': expect.any(Object),
      'x-ms-sgx-is-debuggable': false,
      'x-ms-sgx-mrenclave': 'a1'.repeat(32),
      'x-ms-sgx-mrsigner': 'b2'.repeat(32),
      'x-ms-sgx-product-id': 77,
      'x-ms-sgx-report-data': createHash('sha256').update(RUNTIME).digest('hex') + '00'.repeat(32),
      'x-ms-sgx-svn': 4,
      'x-ms-sgx-tcbidentifier': 'azuredefault',
      'x-ms-ver': '1.0',
    })
  })

  it('has the hashes of the quote and of the collateral that it was evaluated against', async () => {
    const evidence = await sgx.launch().quote(new Uint8Array(64))
    const { claims } = await post('SgxEnclave', encodeSgxAttestRequest('quote', { evidence }))
    const own = await sgx.collateral(10)
    const sha256 = (content: string | Uint8Array) => createHash('sha256').update(content).digest('hex')
    expect(claims['x-ms-sgx-collateral']).toEqual({
      qeidcertshash: sha256(own.qeIdentityIssuerChain),
      qeidcrlhash: sha256(own.rootCaCrl),
      qeidhash: sha256(own.qeIdentity),
      quotehash: sha256(evidence),
      tcbinfocertshash: sha256(own.tcbInfoIssuerChain),
      tcbinfocrlhash: sha256(own.rootCaCrl),
      tcbinfohash: sha256(own.tcbInfo),
    })
  })

  it('has binary runtime data as held data under three names, and no x-ms-runtime', async () => {
    const { claims } = await attest('SgxEnclave', { runtimeData: { data: RUNTIME, dataType: 'Binary' } })
    const held = Buffer.from(RUNTIME).toString('base64url')
    expect(claims).toMatchObject({ 'x-ms-sgx-ehd': held, 'aas-ehd': held, 'maa-ehd': held })
    expect(claims).not.toHaveProperty('x-ms-runtime')
  })

  it('of one with key separation and sharing has its configuration and ids', async () => {
    const initTimeData = { data: encodeUtf8('{"a":1}'), dataType: 'JSON' } as const
    const configId = new Uint8Array(64)
    configId.set(createHash('sha256').update(initTimeData.data).digest())
    const ids = { extendedProductId: new Uint8Array(16).fill(3), familyId: new Uint8Array(16).fill(4) }
    const { claims } = await attest('SgxEnclave', {
      enclave: { kss: { configId, configSvn: 5, ...ids } },
      initTimeData,
    })
    expect(claims).toMatchObject({
      'x-ms-sgx-config-id': encodeHex(configId),
      'x-ms-sgx-config-svn': 5,
      'x-ms-sgx-isv-extended-product-id': '03'.repeat(16),
      'x-ms-sgx-isv-family-id': '04'.repeat(16),
      'x-ms-inittime': { a: 1 },
    })
  })

  it('of a debuggable enclave says so: the policy decides', async () => {
    const enclave = { debug: true }
    expect((await attest('SgxEnclave', { enclave })).claims).toMatchObject({ 'x-ms-sgx-is-debuggable': true })
    const draftPolicy =
      'version= 1.0;authorizationrules{[type=="x-ms-sgx-is-debuggable", value==false] => permit();};issuancerules{};'
    expect(await attest('SgxEnclave', { enclave, draftPolicy })).toMatchObject({
      status: 400,
      error: { code: 'PolicyEvaluationError' },
    })
    expect(await attest('SgxEnclave', { draftPolicy })).toMatchObject({ status: 200 })
  })

  it('is signed by a key of the provider, and lives for eight hours', async () => {
    const { token, claims } = await attest('SgxEnclave')
    const jwks = (await (await world.fetch(`https://${PROVIDER}/certs`)).json()) as {
      keys: { kid: string; x5c: string[] }[]
    }
    const { kid, jku } = partOf(token!, 0)
    expect(jku).toBe(`https://${PROVIDER}/certs`)
    const [der] = jwks.keys.find((key) => key.kid === kid)!.x5c
    const pem = `-----BEGIN CERTIFICATE-----\n${der}\n-----END CERTIFICATE-----`
    await expect(compactVerify(token!, await importX509(pem, 'RS256'))).resolves.toBeDefined()
    expect((claims.exp as number) - (claims.iat as number)).toBe(28_800)
  })

  it('by a draft policy is unsecured, and has what the draft issues', async () => {
    const draftPolicy =
      'version= 1.0;authorizationrules{=> permit();};issuancerules{c:[type=="x-ms-sgx-svn"] => issue(type="s", value=c.value);};'
    const { token, claims } = await attest('SgxEnclave', { draftPolicy })
    expect(partOf(token!, 0)).toMatchObject({ alg: 'none', typ: 'JWT' })
    expect(token!.endsWith('.')).toBe(true)
    expect(claims).toMatchObject({ s: 1, 'x-ms-policy': { s: 1 } })
    expect(claims).not.toHaveProperty('svn')
  })
})

describe('a policy', () => {
  it('may use the old names of the claims', async () => {
    const draftPolicy =
      'version= 1.0;authorizationrules{[type=="$product-id", value==5] && [type=="$is-debuggable", value==false] && ' +
      `[type=="$sgx-mrenclave", value=="${'a1'.repeat(32)}"] && [type=="$svn", value>=2] => permit();};issuancerules{};`
    const enclave = { mrEnclave: new Uint8Array(32).fill(0xa1), productId: 5, svn: 2 }
    expect(await attest('SgxEnclave', { enclave, draftPolicy })).toMatchObject({ status: 200 })
    expect(await attest('SgxEnclave', { enclave: { ...enclave, svn: 1 }, draftPolicy })).toMatchObject({ status: 400 })
  })

  it('chooses the TCB baseline, which the token repeats', async () => {
    const policy = (baseline: string) =>
      `version= 1.1;configurationrules{=> issueproperty(type="x-ms-sgx-tcbidentifier", value="${baseline}");};authorizationrules{=> permit();};`
    const tcb = { components: [12, 12, ...new Array<number>(14).fill(0)], pceSvn: 12 }
    const twelve = await attest('SgxEnclave', { enclave: { tcb }, draftPolicy: policy('12') })
    expect(twelve.claims).toMatchObject({ 'x-ms-sgx-tcbidentifier': '12' })
    const thirteen = await attest('SgxEnclave', { enclave: { tcb }, draftPolicy: policy('13') })
    expect(thirteen).toMatchObject({ status: 400, error: { code: 'InvalidParameter' } })
    expect(unmet()).toEqual(['tcb.status'])
  })
})

describe('an Open Enclave report', () => {
  it('gives the claims of the quote in it', async () => {
    const { status, claims } = await attest('OpenEnclave')
    expect(status).toBe(200)
    expect(claims).toMatchObject({ 'x-ms-attestation-type': 'sgx', tee: 'sgx', 'x-ms-policy-hash': DEFAULT_HASH })
  })

  it.each([
    ['a bare quote', async () => sgx.launch().quote(new Uint8Array(64))],
    ['another version', async () => changed(0, 2)],
    ['a report for the same machine', async () => changed(4, 1)],
    ['a size that is not its', async () => changed(8, 0)],
    ['less than a header', async () => new Uint8Array(15)],
  ])('%s is refused', async (_, make) => {
    const answer = await attest('OpenEnclave', { evidence: await make() })
    expect(answer).toMatchObject({ status: 400, error: { code: 'InvalidParameter' } })
    expect(unmet()).toEqual(['report'])
  })

  async function changed(at: number, value: number) {
    const report = Uint8Array.from(await sgx.launch().openEnclaveReport(new Uint8Array(64)))
    report[at] = value
    return report
  }
})

describe('a request that is refused', () => {
  it('is answered tersely, and the journal lists all that was wrong', async () => {
    const evidence = Uint8Array.from(await sgx.launch().quote(new Uint8Array(64)))
    evidence[112] = evidence[112]! ^ 1
    const answer = await attest('SgxEnclave', { evidence })
    expect(answer).toMatchObject({ status: 400, error: { code: 'InvalidParameter' } })
    expect(answer.error?.message).not.toMatch(/signature/)
    expect(unmet()).toEqual(['quote.signature', 'report.reportData'])
    expect(ctx.journal.records().at(-1)).toMatchObject({
      outcome: 'denied',
      subject: encodeHex(evidence.slice(112, 144)),
    })
  })

  it('init time data for an enclave that has no configuration', async () => {
    const initTimeData = { data: encodeUtf8('{}'), dataType: 'JSON' } as const
    expect(await attest('SgxEnclave', { initTimeData })).toMatchObject({ status: 400 })
    expect(unmet()).toEqual(['report.configId'])
  })

  it.each([
    ['no JSON', 'quote', ''],
    ['nothing', '{}', '/quote'],
    ['a number', '{"quote":1}', '/quote'],
    ['the other alphabet', '{"quote":"+/+/"}', '/quote'],
    [
      'an unknown type of data',
      '{"quote":"AAAA","runtimeData":{"data":"AA","dataType":"XML"}}',
      '/runtimeData/dataType',
    ],
    ['a nonce that is an object', '{"quote":"AAAA","nonce":{}}', '/nonce'],
    ['a draft that is no text', '{"quote":"AAAA","draftPolicyForAttestation":1}', '/draftPolicyForAttestation'],
  ])('%s', async (_, body, member) => {
    expect(await post('SgxEnclave', body)).toMatchObject({ status: 400, error: { code: 'InvalidParameter' } })
    expect(unmet()).toEqual([`request${member}`])
  })
})

describe('what is not covered', () => {
  it('TPM attestation: said, and not pretended', async () => {
    const url = `https://${PROVIDER}/attest/Tpm?${VERSION}`
    const headers = { authorization: 'Bearer some' }
    const response = await world.fetch(new Request(url, { method: 'POST', headers, body: '{"data":"e30"}' }))
    expect(response.status).toBe(501)
    expect(await response.json()).toMatchObject({ error: { code: 'SkerryNotCovered' } })
  })
})
