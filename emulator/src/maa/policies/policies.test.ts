import { createHash, generateKeyPairSync } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { testCertificate } from '../../entra/test-clients.ts'
import { buildCertificate } from '../../x509/certificate.ts'
import { caConstraints } from '../../x509/extensions.ts'
import { distinguishedName } from '../../x509/names.ts'
import {
  AAD,
  ATTESTATION_READER,
  base64Url,
  createProviderWorld,
  ISOLATED,
  jwkOf,
  PERMIT_ALL,
  type ProviderWorld,
  policyPayload,
  SHARED,
  signedJws,
  signedWith,
  unsignedJws,
} from '../test-providers.ts'

let world: ProviderWorld
beforeEach(async () => {
  world = await createProviderWorld()
})

const VERSION = '?api-version=2020-10-01'
const policyUrl = (host: string, type = 'SgxEnclave') => `${host}/policies/${type}${VERSION}`
const resetUrl = (host: string, type = 'SgxEnclave') => `${host}/policies/${type}:reset${VERSION}`
const put = (jws: string, host = AAD, who?: 'stranger' | 'nobody') => world.send('PUT', policyUrl(host), jws, who)
const get = async (host = AAD, type = 'SgxEnclave') =>
  (await world.send('GET', policyUrl(host, type))).claims['x-ms-policy']
const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url')
const lastDecision = () => world.ctx.journal.records().findLast(({ service }) => service === 'maa')!
const RESET = 'eyJhbGciOiJub25lIn0..'
const textOf = (jws: unknown) => {
  const payload = JSON.parse(Buffer.from(String(jws).split('.')[1]!, 'base64url').toString()) as Record<string, string>
  return Buffer.from(payload.AttestationPolicy!, 'base64url').toString()
}

describe('the policy of a provider', () => {
  it.each([
    ['SevSnpVm', '9NY0VnTQ-IiBriBplVUpFbczcDaEBUwsiFYAzHu_gco'],
    ['TdxVm', '9NY0VnTQ-IiBriBplVUpFbczcDaEBUwsiFYAzHu_gco'],
    ['SgxEnclave', 'ViVGS4BYl70X8eUrgryHg0TtbEk9WtIc6DtTBEFxaWc'],
    ['OpenEnclave', 'ViVGS4BYl70X8eUrgryHg0TtbEk9WtIc6DtTBEFxaWc'],
  ])('for %s is, until somebody sets one, the default with the hash %s', async (type, hash) => {
    for (const host of [AAD, ISOLATED, SHARED]) {
      const jws = String(await get(host, type))
      expect(jws).toMatch(/^eyJhbGciOiJub25lIn0\.[\w-]+\.$/)
      expect(sha256(base64Url(textOf(jws)))).toBe(hash)
    }
  })

  it('for Tpm is, until somebody sets one, an empty token', async () => {
    expect(await get(AAD, 'Tpm')).toBe(RESET)
  })

  it('for AzureGuest is, until somebody sets one, unknown: 501', async () => {
    expect(await world.send('GET', policyUrl(AAD, 'AzureGuest'))).toMatchObject({
      status: 501,
      error: { code: 'SkerryNotCovered' },
    })
  })

  it('is the JWS that was put, to the byte, and the answer has its hash', async () => {
    const jws = unsignedJws(`{"AttestationPolicy": "${base64Url(PERMIT_ALL)}"}`)
    const answer = await put(jws)
    expect(answer).toMatchObject({ status: 200 })
    const now = world.clock.now() / 1000
    expect(answer.claims).toEqual({
      exp: now + 3600,
      iat: now,
      iss: `https://${AAD}`,
      nbf: now,
      'x-ms-policy-result': 'Updated',
      'x-ms-policy-token-hash': sha256(jws),
    })
    expect(await get()).toBe(jws)
    expect(await get(ISOLATED)).not.toBe(jws)
    expect(await get(AAD, 'OpenEnclave')).not.toBe(jws)
  })

  it.each(['text/plain', 'application/json'])('is taken as bare text under %s', async (type) => {
    const request = new Request(`https://${policyUrl(AAD)}`, {
      method: 'PUT',
      headers: { 'content-type': type },
      body: unsignedJws(policyPayload(PERMIT_ALL)),
    })
    // Without a token: it is refused for that, and not for its form.
    expect((await world.fetch(request)).status).toBe(401)
    expect((await put(JSON.stringify(unsignedJws(policyPayload(PERMIT_ALL))))).status).toBe(200)
  })

  it('is back at the default after a reset, of which the answer says nothing more', async () => {
    const before = await get()
    await put(unsignedJws(policyPayload(PERMIT_ALL)))
    const answer = await world.send('POST', resetUrl(AAD), RESET)
    expect(Object.keys(answer.claims)).toEqual(['exp', 'iat', 'iss', 'nbf', 'x-ms-policy-result'])
    expect(answer.claims['x-ms-policy-result']).toBe('Removed')
    expect(await get()).toBe(before)
  })

  it('is found whatever the case of its path', async () => {
    expect((await world.send('GET', `${AAD}/Policies/sgxENCLAVE${VERSION}`)).status).toBe(200)
    expect((await world.send('POST', `${AAD}/policies/sgxenclave:Reset${VERSION}`, RESET)).status).toBe(200)
  })

  it('of a type that there is none is 404', async () => {
    expect((await world.send('GET', policyUrl(AAD, 'Toaster'))).status).toBe(404)
    expect((await world.send('POST', resetUrl(AAD, 'Toaster'), RESET)).status).toBe(404)
  })

  it('needs an api-version', async () => {
    expect(await world.send('GET', `${AAD}/policies/SgxEnclave`)).toMatchObject({
      status: 400,
      error: { code: 'InvalidApiVersionParameter' },
    })
  })
})

describe('a signed policy', () => {
  it.each([
    ['RS256 and x5c, as the JavaScript client has it', { alg: 'RS256' }, 'header'],
    ['RSA256 and jwk.x5c, as the Python client has it', { alg: 'RSA256' }, 'jwk'],
  ])('with %s is taken by both models, and the answer names its signer', async (_, { alg }, place) => {
    for (const host of [AAD, ISOLATED]) {
      const x5c = [world.signer.der.toString('base64')]
      const jws = signedJws(policyPayload(PERMIT_ALL), world.signer, {
        alg,
        ...(place === 'jwk' ? { jwk: { x5c } } : { x5c }),
      })
      const { claims, status } = await put(jws, host)
      expect(status).toBe(200)
      expect(claims['x-ms-policy-signer']).toEqual({ alg: 'RS256', kty: 'RSA', use: 'sig', x5c })
      expect(claims['x-ms-policy-token-hash']).toBe(sha256(jws))
      expect(await get(host)).toBe(jws)
    }
  })

  it('with ES256 is taken', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const name = distinguishedName([['CN', 'ec signer']])
    const [notBefore, notAfter] = [new Date('2020-01-01T00:00:00Z'), new Date('2049-01-01T00:00:00Z')]
    const content = {
      serial: 1n,
      subject: name,
      issuer: name,
      notBefore,
      notAfter,
      publicKey,
      extensions: [caConstraints()],
    }
    const x5c = [buildCertificate(content, privateKey, 'ecdsa-sha256').toString('base64')]
    const { claims, status } = await put(signedWith(privateKey, policyPayload(PERMIT_ALL), { alg: 'ES256', x5c }))
    expect(status).toBe(200)
    expect(claims['x-ms-policy-signer']).toEqual({ alg: 'ES256', kty: 'EC', use: 'sig', x5c })
  })

  it('may be signed by anybody where the model is AAD', async () => {
    expect((await put(signedJws(policyPayload(PERMIT_ALL), world.outsider))).status).toBe(200)
  })

  it('may be signed by whom a registered signer vouches for', async () => {
    const leaf = await testCertificate(world.ctx, 'leaf', { issuer: world.signer })
    const x5c = [leaf, world.signer].map(({ der }) => der.toString('base64'))
    const { status } = await put(signedJws(policyPayload(PERMIT_ALL), leaf, { alg: 'RS256', x5c }), ISOLATED)
    expect(status).toBe(200)
  })

  it('can be reset by a signer, with an empty payload', async () => {
    const answer = await world.send('POST', resetUrl(ISOLATED), signedJws('', world.signer))
    expect(answer.claims).toMatchObject({ 'x-ms-policy-result': 'Removed' })
    expect(answer.claims).not.toHaveProperty('x-ms-policy-signer')
  })
})

describe('what is refused', () => {
  const outsiderX5c = () => [world.outsider.der.toString('base64')]
  it.each<[string, () => string, string, string]>([
    ['no JWS', () => PERMIT_ALL.replaceAll('.', ','), 'InvalidOperation', 'Could not find first period'],
    ['one period', () => 'eyJhbGciOiJub25lIn0.e30', 'InvalidOperation', 'Could not find second period'],
    ['three periods', () => 'eyJhbGciOiJub25lIn0.e30..', 'InvalidOperation', 'more than two periods'],
    ['no base64url', () => 'eyJhbGciOiJub25lIn0.)e30.', 'InvalidOperation', "Unknown base64 character: 41 (')')"],
    ['a header that is no JSON', () => 'e30x.e30.', 'InvalidOperation', 'JOSE header'],
    [
      'a signature of nobody',
      () => `${unsignedJws(policyPayload(PERMIT_ALL))}AA`,
      'InvalidOperation',
      'algorithm none',
    ],
    ['another algorithm', () => signedJws('{}', world.outsider, { alg: 'HS256' }), 'InvalidOperation', '"HS256"'],
    ['no certificate', () => signedJws('{}', world.outsider, { alg: 'RS256' }), 'InvalidOperation', '"x5c"'],
    [
      'what is no certificate',
      () => signedJws('{}', world.outsider, { alg: 'RS256', x5c: ['AAAA'] }),
      'InvalidOperation',
      'not a certificate',
    ],
    [
      'the algorithm of another key',
      () => signedJws('{}', world.outsider, { alg: 'ES256', x5c: outsiderX5c() }),
      'InvalidOperation',
      'does not fit',
    ],
    [
      'the signature of another key',
      () => signedJws(policyPayload(PERMIT_ALL), world.signer, { alg: 'RS256', x5c: outsiderX5c() }),
      'InvalidOperation',
      'does not verify',
    ],
    ['no policy in the payload', () => unsignedJws('{}'), 'InvalidOperation', '"AttestationPolicy"'],
    ['an empty payload', () => RESET, 'InvalidOperation', 'payload'],
    ['a policy that is not base64url', () => unsignedJws('{"AttestationPolicy":"a+b"}'), 'InvalidOperation', '43'],
    ['a policy that is not UTF-8', () => unsignedJws('{"AttestationPolicy":"_w"}'), 'InvalidOperation', 'UTF-8'],
    [
      'a policy that is none',
      () => unsignedJws(policyPayload('version= 1.0\n [')),
      'PolicyParsingError',
      "Offending symbol: '['\nLine: '2', Column: '1'\nFailure message: 'mismatched input '[' expecting ';''\nFailing rule: 'policy > versionInfo'",
    ],
  ])('%s', async (_, jws, code, message) => {
    const before = await get()
    const answer = await put(jws())
    expect(answer).toMatchObject({ status: 400, error: { code } })
    expect(answer.error?.message).toContain('Attestation Enclave operation failed with ')
    expect(answer.error?.message).toContain(message)
    expect(await get()).toBe(before)
  })

  it('a certificate that no CA stands behind: InvalidParameter', async () => {
    const leaf = await testCertificate(world.ctx, 'no ca')
    expect(await put(signedJws(policyPayload(PERMIT_ALL), leaf))).toMatchObject({
      status: 400,
      error: {
        code: 'InvalidParameter',
        message: expect.stringContaining('Unable to find issuer certificate CN=no ca'),
      },
    })
  })

  it('a chain whose certificates did not sign each other: InvalidParameter', async () => {
    const x5c = [world.outsider, world.signer].map(({ der }) => der.toString('base64'))
    const answer = await put(signedJws(policyPayload(PERMIT_ALL), world.outsider, { alg: 'RS256', x5c }))
    expect(answer.error?.code).toBe('InvalidParameter')
  })

  it('an unsigned policy, and one of somebody else, on an isolated provider', async () => {
    for (const jws of [unsignedJws(policyPayload(PERMIT_ALL)), signedJws(policyPayload(PERMIT_ALL), world.outsider)]) {
      expect(await put(jws, ISOLATED)).toMatchObject({ status: 400, error: { code: 'InvalidOperation' } })
      expect(lastDecision().conditions?.find(({ met }) => !met)?.name).toBe('token.signer')
    }
    const reset = await world.send('POST', resetUrl(ISOLATED), RESET)
    expect(reset).toMatchObject({ status: 400, error: { code: 'InvalidOperation' } })
  })

  it('in the journal with all that was wrong, while the caller is told of the first', async () => {
    const answer = await put(signedJws(policyPayload('version=2.0;'), world.outsider), ISOLATED)
    expect(answer.error?.code).toBe('InvalidOperation')
    expect(lastDecision()).toMatchObject({
      operation: 'setPolicy',
      outcome: 'denied',
      subject: `${ISOLATED}/SgxEnclave`,
    })
    expect(
      lastDecision()
        .conditions?.filter(({ met }) => !met)
        .map(({ name }) => name),
    ).toEqual(['token.signer', 'policy.text'])
  })
})

describe('who may', () => {
  it('nobody without a token, with Azure’s one word for it', async () => {
    const answer = await world.send('GET', policyUrl(AAD), undefined, 'nobody')
    expect(answer).toMatchObject({ status: 401, error: { code: 'Unauthorized', message: 'Unauthorized' } })
    expect(lastDecision().action).toContain('https://attest.azure.net/.default')
  })

  it('nobody with a token for another service', async () => {
    const response = await world.fetch(
      new Request(`https://${policyUrl(AAD)}`, { headers: { authorization: 'Bearer not-a-token' } }),
    )
    expect(response.status).toBe(401)
  })

  it('nobody without the role: 401 as well, and the journal names the role', async () => {
    expect((await world.send('GET', policyUrl(AAD), undefined, 'stranger')).status).toBe(401)
    expect(lastDecision()).toMatchObject({
      outcome: 'denied',
      action: expect.stringContaining('Attestation Reader'),
      answer: { status: 401, code: 'Unauthorized' },
    })
  })

  it('a reader may read and not write', async () => {
    world.assign(world.strangerId, ATTESTATION_READER, world.providerId(AAD))
    expect((await world.send('GET', policyUrl(AAD), undefined, 'stranger')).status).toBe(200)
    expect((await put(unsignedJws(policyPayload(PERMIT_ALL)), AAD, 'stranger')).status).toBe(401)
    expect((await world.send('POST', resetUrl(AAD), RESET, 'stranger')).status).toBe(401)
    // Its role is at that provider alone.
    expect((await world.send('GET', policyUrl(ISOLATED), undefined, 'stranger')).status).toBe(401)
  })

  it('whoever has a token reads a shared provider’s policy, and nobody changes it', async () => {
    expect((await world.send('GET', policyUrl(SHARED), undefined, 'stranger')).status).toBe(200)
    expect((await world.send('GET', policyUrl(SHARED), undefined, 'nobody')).status).toBe(401)
    expect((await put(unsignedJws(policyPayload(PERMIT_ALL)), SHARED)).status).toBe(401)
    expect((await world.send('POST', resetUrl(SHARED), RESET)).status).toBe(401)
  })
})

describe('policy signers', () => {
  const certificates = async (host = ISOLATED) =>
    (await world.send('GET', `${host}/certificates${VERSION}`)).claims['x-ms-policy-certificates']
  const change = (what: 'add' | 'remove', jws: string, host = ISOLATED, version = '2020-10-01') =>
    world.send('POST', `${host}/certificates:${what}?api-version=${version}`, JSON.stringify(jws))
  const token = (claim = 'policyCertificate') =>
    signedJws(JSON.stringify({ [claim]: jwkOf(world.outsider) }), world.signer)
  const jwk = ({ der }: { der: Buffer }) => ({ alg: 'RS256', kty: 'RSA', use: 'sig', x5c: [der.toString('base64')] })
  const thumbprint = () => createHash('sha1').update(world.outsider.der).digest('hex').toUpperCase()

  it('are none where there can be none', async () => {
    expect(await certificates(AAD)).toEqual({ keys: [] })
    expect(await certificates(SHARED)).toEqual({ keys: [] })
  })

  it('are listed in the order in which they were registered', async () => {
    expect(await certificates()).toEqual({ keys: [jwk(world.signer)] })
    await change('add', token())
    expect(await certificates()).toEqual({ keys: [jwk(world.signer), jwk(world.outsider)] })
  })

  it.each(['policyCertificate', 'maa-policyCertificate', 'x-ms-policyCertificate'])(
    'are added and removed by the claim %s, and twice is as good as once',
    async (claim) => {
      for (const [what, result] of [
        ['add', 'IsPresent'],
        ['add', 'IsPresent'],
        ['remove', 'IsAbsent'],
        ['remove', 'IsAbsent'],
      ] as const) {
        const { claims } = await change(what, token(claim))
        expect(claims).toMatchObject({
          'x-ms-certificate-thumbprint': thumbprint(),
          'x-ms-policycertificates-result': result,
        })
      }
      expect(await certificates()).toEqual({ keys: [jwk(world.signer)] })
    },
  )

  it('sign policies from then on, and no longer once removed', async () => {
    await change('add', token())
    expect((await put(signedJws(policyPayload(PERMIT_ALL), world.outsider), ISOLATED)).status).toBe(200)
    await change('remove', token())
    expect((await put(signedJws(policyPayload(PERMIT_ALL), world.outsider), ISOLATED)).status).toBe(400)
  })

  it('are changed under 2025-06-01 by an object around the token, and the answer’s claim has another name', async () => {
    const url = `${ISOLATED}/certificates:add?api-version=2025-06-01`
    const { claims } = await world.send('POST', url, JSON.stringify({ policyCertificateToAdd: token() }))
    expect(claims).toMatchObject({ 'x-ms-certificate-result': 'IsPresent' })
    expect(claims).not.toHaveProperty('x-ms-policycertificates-result')
  })

  it.each<[string, () => ReturnType<typeof change>, string]>([
    ['on a provider without signers', () => change('add', token(), AAD), 'disallowed'],
    ['by one who is none', () => change('add', signedJws('{}', world.outsider)), 'no policy signer'],
    ['without a signature', () => change('add', unsignedJws('{}')), 'must be signed'],
    ['without the claim', () => change('add', signedJws('{}', world.signer)), '"maa-policyCertificate"'],
    [
      'with a claim that is no key',
      () => change('add', signedJws('{"policyCertificate":"x"}', world.signer)),
      'JSON Web Key',
    ],
    [
      'when none would be left',
      () => change('remove', signedJws(JSON.stringify({ policyCertificate: jwkOf(world.signer) }), world.signer)),
      'last',
    ],
    ['by what is no JWS', () => change('add', 'x'), 'first period'],
  ])('are not changed %s', async (_, changing, message) => {
    const answer = await changing()
    expect(answer).toMatchObject({ status: 400, error: { code: 'InvalidOperation' } })
    expect(answer.error?.message).toContain(message)
    expect(await certificates()).toEqual({ keys: [jwk(world.signer)] })
  })
})

describe('TCB baselines', () => {
  const ask = (query: string, type = 'SgxEnclave') =>
    world.send('GET', `${AAD}/tcbbaselines/${type}?api-version=${query}`)

  it('are those that a policy can choose', async () => {
    const answer = (await ask('2022-09-01-preview')) as unknown as {
      tcbBaselines: { tcbEvaluationDataNumber: string }[]
    }
    expect(answer.tcbBaselines.map((one) => one.tcbEvaluationDataNumber)).toEqual([
      'azuredefault (Currently 10)',
      ...['15', '14', '13', '12', '11', '10'],
    ])
    expect(answer.tcbBaselines[0]).toEqual({
      tcbEvaluationDataNumber: 'azuredefault (Currently 10)',
      tcbReleaseDate: '2020-11-11T00:00:00',
      minimumPswLinuxVersion: '2.9',
      minimumPswWindowsVersion: '2.7.101.2',
    })
  })

  it('or the one that the policy has chosen', async () => {
    const query = '2022-09-01-preview&provideCurrentTcbInPolicy=true'
    const current = async () =>
      ((await ask(query)) as unknown as { tcbBaselines: { tcbEvaluationDataNumber: string }[] }).tcbBaselines
    expect(await current()).toMatchObject([{ tcbEvaluationDataNumber: 'azuredefault (Currently 10)' }])
    const text = `version=1.1;configurationrules{=> issueproperty(type="x-ms-sgx-tcbidentifier", value="12");};authorizationrules{=> permit();};`
    await put(unsignedJws(policyPayload(text)))
    expect(await current()).toMatchObject([{ tcbEvaluationDataNumber: '12' }])
  })

  it('cannot be told of a policy whose configuration cannot be evaluated', async () => {
    const rule = '=> issueproperty(type="x-ms-sgx-tcbidentifier", value=AppendString("1", NegateBool(true)));'
    await put(unsignedJws(policyPayload(`version=1.2;configurationrules{${rule}};authorizationrules{=> permit();};`)))
    expect(await ask('2025-06-01&provideCurrentTcbInPolicy=true')).toMatchObject({
      status: 400,
      error: { code: 'PolicyEvaluationError', message: expect.stringContaining('(configurationrules, line 1)') },
    })
  })

  it('are none for other types, and not there before 2022-09-01-preview', async () => {
    expect(await ask('2025-06-01', 'SevSnpVm')).toMatchObject({ status: 200, tcbBaselines: [] })
    expect(await ask('2022-08-01')).toMatchObject({ status: 400, error: { code: 'UnsupportedApiVersion' } })
  })
})
