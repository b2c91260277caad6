import { afterAll, describe, expect, it } from 'vitest'
import { testCertificate } from '../../entra/test-clients.ts'
import { createMaaService } from '../../maa/index.ts'
import { answerOf, jwkOf, PERMIT_ALL, policyPayload, signedJws, unsignedJws } from '../../maa/test-providers.ts'
import { createProcessor } from '../../psp/index.ts'
import { createArmWorld, errorOf } from '../test-world.ts'

const world = createArmWorld()
afterAll(() => world[Symbol.asyncDispose]())
const { ctx } = world.world
world.world.use(createMaaService(ctx, { psp: createProcessor(ctx) }))
const signer = await testCertificate(ctx, 'signer', { ca: true })

const path = (name: string) =>
  `/subscriptions/${world.subscription}/resourceGroups/rg/providers/Microsoft.Attestation/attestationProviders/${name}?api-version=2021-06-01`
const create = async (name: string, properties: object) => {
  await world.send('PUT', `/subscriptions/${world.subscription}/resourceGroups/rg?api-version=2021-04-01`, {
    location: 'westeurope',
  })
  return await world.send('PUT', path(name), { location: 'westeurope', properties })
}
const ask = async (method: string, name: string, rest: string, body?: string) => {
  const authorization = `Bearer ${await world.token(undefined, 'https://attest.azure.net')}`
  const url = `https://${name}.weu.attest.azure.net${rest}?api-version=2020-10-01`
  return answerOf(
    await world.world.fetch(
      new Request(url, { method, headers: { authorization }, ...(body !== undefined && { body }) }),
    ),
  )
}

describe('an attestation provider', () => {
  it('that is created with policy signers is isolated, and takes policies of theirs alone', async () => {
    const answer = await create('fortress', { policySigningCertificates: { keys: [jwkOf(signer)] } })
    expect(answer.status).toBe(201)
    expect(await answer.json()).toMatchObject({ properties: { trustModel: 'Isolated', status: 'Ready' } })
    const { claims } = await ask('GET', 'fortress', '/certificates')
    expect(claims['x-ms-policy-certificates']).toEqual({ keys: [{ alg: 'RS256', use: 'sig', ...jwkOf(signer) }] })
    const set = (jws: string) => ask('PUT', 'fortress', '/policies/SevSnpVm', jws)
    expect((await set(unsignedJws(policyPayload(PERMIT_ALL)))).status).toBe(400)
    expect((await set(signedJws(policyPayload(PERMIT_ALL), signer))).status).toBe(200)
  })

  it.each([
    ['nothing', {}],
    ['null', { policySigningCertificates: null }],
    ['no keys', { policySigningCertificates: { keys: [] } }],
  ])('that is created with %s of them trusts Entra, and takes unsigned policies', async (_, properties) => {
    const answer = await create('contoso', properties)
    expect(await answer.json()).toMatchObject({ properties: { trustModel: 'AAD' } })
    expect((await ask('PUT', 'contoso', '/policies/SevSnpVm', unsignedJws(policyPayload(PERMIT_ALL)))).status).toBe(200)
  })

  it.each([
    ['a text', 'x'],
    ['keys that are no list', { keys: {} }],
    ['a key without certificates', { keys: [{ kty: 'RSA' }] }],
    ['a key that is null', { keys: [null] }],
    ['a certificate that is none', { keys: [{ kty: 'RSA', x5c: ['AAAA'] }] }],
  ])('is not created with %s for signers', async (_, policySigningCertificates) => {
    const error = await errorOf(create('broken', { policySigningCertificates }))
    expect(error).toMatchObject({ status: 400, target: 'properties.policySigningCertificates' })
    expect((await world.send('GET', path('broken'))).status).toBe(404)
  })

  it('that is deleted leaves nothing to the next one of its name', async () => {
    await create('fleeting', { policySigningCertificates: { keys: [jwkOf(signer)] } })
    await ask('PUT', 'fleeting', '/policies/SevSnpVm', signedJws(policyPayload(PERMIT_ALL), signer))
    const before = (await ask('GET', 'fleeting', '/policies/SevSnpVm')).claims['x-ms-policy']
    expect((await world.send('DELETE', path('fleeting'))).status).toBe(202)
    await create('fleeting', {})
    expect((await ask('GET', 'fleeting', '/policies/SevSnpVm')).claims['x-ms-policy']).not.toBe(before)
    expect((await ask('GET', 'fleeting', '/certificates')).claims['x-ms-policy-certificates']).toEqual({ keys: [] })
  })

  it('is managed by whoever owns its subscription', async () => {
    await create('owned', {})
    expect((await ask('GET', 'owned', '/policies/SgxEnclave')).status).toBe(200)
    const nobody = world.principal('nobody')
    const authorization = `Bearer ${await world.token(nobody, 'https://attest.azure.net')}`
    const url = 'https://owned.weu.attest.azure.net/policies/SgxEnclave?api-version=2020-10-01'
    expect((await world.world.fetch(new Request(url, { headers: { authorization } }))).status).toBe(401)
  })
})
