import { encodeSnpAttestRequest } from '@skerry/guest/wire'
import { decodeProtectedHeader } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { type AttestationProviderRecord, COLLECTIONS } from '../core/index.ts'
import { testCertificate } from '../entra/test-clients.ts'
import { setPolicy } from './policies/change.ts'
import { registerSigners } from './policies/signers.ts'
import { policyHash } from './policy/hash.ts'
import { answerOf, jwkOf, policyPayload, signedJws, unsignedJws } from './test-providers.ts'
import { createAttestationWorld, HOST_DATA } from './test-world.ts'

/* Evidence, real and verified, under policies of all kinds. */

const HOST = 'contoso.weu.attest.azure.net'
const provider: AttestationProviderRecord = { name: 'contoso', host: HOST, trustModel: 'AAD' }
const world = createAttestationWorld()
const { ctx } = world.world
let body: string

beforeAll(async () => {
  ctx.store.collection<AttestationProviderRecord>(COLLECTIONS.attestationProviders).put(HOST, provider)
  body = encodeSnpAttestRequest({ ...(await world.evidence()), nonce: 7n })
})

const set = (text: string) => setPolicy(ctx, { provider, type: 'SevSnpVm' }, unsignedJws(policyPayload(text)))
const attest = async (change: object = {}, host = HOST) =>
  answerOf(
    await world.post(
      JSON.stringify({ ...(JSON.parse(body) as object), ...change }),
      `https://${host}/attest/SevSnpVm?api-version=2022-08-01`,
    ),
  )
const hostData = Buffer.from(HOST_DATA).toString('hex')
const authorize = (rules: string) => `version=1.2;authorizationrules{${rules}};`
const PERMIT = 'version=1.0;authorizationrules{=> permit();};'

describe('the policy of a provider', () => {
  it('permits evidence with the host data that it names, and its hash is in the token', async () => {
    const text = authorize(`[type=="x-ms-sevsnpvm-hostdata", value=="${hostData}"] => permit();`)
    set(text)
    const { status, claims } = await attest()
    expect(status).toBe(200)
    expect(claims['x-ms-policy-hash']).toBe(policyHash(text))
    expect(claims).not.toHaveProperty('x-ms-policy')
    expect(claims).not.toHaveProperty('x-ms-policy-signer')
  })

  it('sees booleans and integers as what they are', async () => {
    set(
      authorize(
        '[type=="x-ms-sevsnpvm-is-debuggable", value==false] && [type=="x-ms-sevsnpvm-microcode-svn", value>=115] && ' +
          '[type=="x-ms-sevsnpvm-vmpl", valueType=="Integer", issuer=="AttestationService"] && ' +
          '[type=="x-ms-compliance-status", value=="azure-compliant-uvm"] && ![type=="x-ms-sevsnpvm-uvm-endorsement"] ' +
          '=> permit();',
      ),
    )
    expect((await attest()).status).toBe(200)
  })

  it('that does not permit refuses good evidence in Azure’s words', async () => {
    set(authorize('[type=="x-ms-sevsnpvm-hostdata", value=="00"] => permit();'))
    expect(await attest()).toMatchObject({
      status: 400,
      error: {
        code: 'PolicyEvaluationError',
        message:
          'Attestation Enclave operation failed with 65518: Exception(0) 83FFFFEE Policy Evaluation Error has occurred Msg:' +
          '[Policy Engine Exception: No Permit claim was issued in the authorizationrules section, authorization failed.]',
      },
    })
    expect(world.unmet()).toEqual(['policy.authorizationrules', 'policy.line 1'])
    expect(world.lastDecision().conditions?.at(-1)?.found).toContain(hostData)
  })

  it('that denies refuses as well, whatever else permits', async () => {
    set(authorize('=> permit(); [type=="x-ms-sevsnpvm-vmpl", value==0] => deny();'))
    const { error } = await attest()
    expect(error?.message).toContain('[Policy Engine Exception: A Deny claim was issued, authorization failed.]')
  })

  it('that cannot be evaluated refuses, and says where', async () => {
    set(`${PERMIT.replace('1.0', '1.2')}issuancerules{\n=> issue(type="a", value=NegateBool("x"));};`)
    const { error } = await attest()
    expect(error).toMatchObject({
      code: 'PolicyEvaluationError',
      message: expect.stringContaining('(issuancerules, line 2)'),
    })
  })

  it('issues claims at the top of the token and inside x-ms-policy, several of one type as a list', async () => {
    set(
      `${PERMIT.replace('1.0', '1.2')}issuancerules{` +
        '=> issue(type="level", value=100); c:[type=="x-ms-sevsnpvm-vmpl"] => issue(type="vmpl", value=c.value);' +
        '=> issue(type="set", value=JsonToClaimValue("[1, \\"a\\", true]"));};',
    )
    const { claims } = await attest()
    const issued = { level: 100, set: [1, 'a', true], vmpl: 0 }
    expect(claims).toMatchObject(issued)
    expect(claims['x-ms-policy']).toEqual(issued)
  })

  it('never takes the place of what the evidence says', async () => {
    set(
      `${PERMIT}issuancerules{=> issue(type="x-ms-sevsnpvm-hostdata", value="00"); => issue(type="iss", value="x");` +
        '=> issue(type="nonce", value="8"); => issue(type="x-ms-policy-hash", value="x"); => issue(type="__proto__", value=1);};',
    )
    const { claims } = await attest()
    expect(claims).toMatchObject({ 'x-ms-sevsnpvm-hostdata': hostData, iss: `https://${HOST}`, nonce: '7' })
    expect(claims['x-ms-policy-hash']).toHaveLength(43)
    expect(claims['x-ms-policy']).toMatchObject({ 'x-ms-sevsnpvm-hostdata': '00' })
    expect(Object.hasOwn(claims, '__proto__')).toBe(true)
  })

  it('of an isolated provider names in its tokens who signed it', async () => {
    const fortress: AttestationProviderRecord = {
      name: 'fortress',
      host: 'fortress.weu.attest.azure.net',
      trustModel: 'Isolated',
    }
    ctx.store.collection<AttestationProviderRecord>(COLLECTIONS.attestationProviders).put(fortress.host, fortress)
    const signer = await testCertificate(ctx, 'signer', { ca: true })
    registerSigners(ctx, fortress.host, [jwkOf(signer)])
    setPolicy(ctx, { provider: fortress, type: 'SevSnpVm' }, signedJws(policyPayload(PERMIT), signer))
    const { claims } = await attest({}, fortress.host)
    expect(claims['x-ms-policy-signer']).toEqual(jwkOf(signer))
    const draft = await attest({ draftPolicyForAttestation: PERMIT }, fortress.host)
    expect(draft.claims).not.toHaveProperty('x-ms-policy-signer')
  })

  it('of another type does not matter', async () => {
    set(PERMIT)
    setPolicy(ctx, { provider, type: 'SgxEnclave' }, unsignedJws(policyPayload(authorize('=> deny();'))))
    expect((await attest()).status).toBe(200)
  })

  it('is not what bad evidence fails by, but the journal has both', async () => {
    set(PERMIT)
    const runtimeData = { data: 'e30', dataType: 'JSON' }
    const { error } = await attest({ runtimeData, draftPolicyForAttestation: 'version=1.0;' })
    expect(error?.code).toBe('InvalidParameter')
    expect(world.unmet()).toEqual(['report.reportData', 'policy.text'])
  })
})

describe('a draft policy', () => {
  it('is evaluated in place of the stored one, and its token is unsecured', async () => {
    set(authorize('=> deny();'))
    const { status, claims, token = '' } = await attest({ draftPolicyForAttestation: PERMIT })
    expect(status).toBe(200)
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'none', jku: `https://${HOST}/certs`, typ: 'JWT' })
    expect(Object.keys(decodeProtectedHeader(token))).toEqual(['alg', 'jku', 'kid', 'typ'])
    expect(token.split('.')[2]).toBe('')
    expect(claims).toMatchObject({
      'x-ms-policy-hash': policyHash(PERMIT),
      'x-ms-sevsnpvm-hostdata': hostData,
      jti: expect.stringMatching(/^[0-9a-f]{64}$/),
      exp: ctx.clock.now() / 1000 + 28_800,
    })
  })

  it('is of no use where it refuses', async () => {
    set(PERMIT)
    expect((await attest({ draftPolicyForAttestation: authorize('') })).error?.code).toBe('PolicyEvaluationError')
    expect((await attest()).status).toBe(200)
  })

  it('that does not parse is PolicyParsingError, with line and column', async () => {
    const { error } = await attest({ draftPolicyForAttestation: 'version= 1.0\n[' })
    expect(error).toMatchObject({
      code: 'PolicyParsingError',
      message: expect.stringContaining(
        'failed with 65526: Exception(0) 83FFFFF6 Invalid policy was specified Msg:[Policy Parser',
      ),
    })
    expect(error?.message).toContain("Line: '2', Column: '0'")
  })

  it('is the text itself, and no JWS', async () => {
    const draftPolicyForAttestation = unsignedJws(policyPayload(PERMIT))
    expect((await attest({ draftPolicyForAttestation })).error?.code).toBe('PolicyParsingError')
  })

  it('that is empty is none', async () => {
    set(PERMIT)
    const { token = '' } = await attest({ draftPolicyForAttestation: '' })
    expect(decodeProtectedHeader(token).alg).toBe('RS256')
  })
})
