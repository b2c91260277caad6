import { createHash, createPublicKey } from 'node:crypto'
import { decodeJwt } from 'jose'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../core/test-context.ts'
import { createEntraService, ensureApplication } from './index.ts'
import { assertionClaims, assertionForm, signed, testCertificate, unsigned } from './test-clients.ts'

const world = createTestContext()
world.use(createEntraService(world.ctx))
const { ctx } = world
const { tenantId } = ctx.seed
const LOGIN = 'https://login.microsoftonline.com'

const own = await testCertificate(ctx, 'client')
const other = await testCertificate(ctx, 'stranger')
const past = await testCertificate(ctx, 'past', { fromDays: -20, toDays: -10 })
const app = ensureApplication(ctx, { displayName: 'signer', certificates: [own.pem, past.pem] })
const header = { alg: 'RS256', x5t: own.x5t }

async function ask(assertion: string, clientId = app.clientId) {
  const body = new URLSearchParams(assertionForm(clientId, assertion))
  const response = await world.fetch(new Request(`${LOGIN}/${tenantId}/oauth2/v2.0/token`, { method: 'POST', body }))
  const answer = (await response.json()) as { access_token?: string; error?: string; error_codes?: number[] }
  return { status: response.status, ...answer }
}

const lastConditions = () => ctx.journal.records().at(-1)?.conditions

describe('an application proves itself by a certificate', () => {
  it.each([
    ['SHA-1 thumbprint and RS256, as Python and Go send it', { alg: 'RS256', x5t: own.x5t }],
    ['PS256 and a SHA-256 thumbprint, as newer clients send it', { alg: 'PS256', 'x5t#S256': sha256(own.der) }],
    [
      'a key id in hexadecimal, as .NET sent it',
      { alg: 'RS256', kid: Buffer.from(own.x5t, 'base64url').toString('hex').toUpperCase() },
    ],
    ['the certificate itself', { alg: 'RS256', x5c: [own.der.toString('base64')] }],
    ['the certificate with its thumbprint', { alg: 'PS256', x5t: own.x5t, x5c: [own.der.toString('base64')] }],
  ])('with %s', async (_, named) => {
    const { access_token: token } = await ask(await signed(own.privateKey, assertionClaims(ctx, app.clientId), named))
    expect(decodeJwt(token!)).toMatchObject({ appid: app.clientId, oid: app.objectId, appidacr: '2', idtyp: 'app' })
  })

  it('with a SHA-256 thumbprint in plain base64, as MSAL for Go writes it', async () => {
    const base64 = (der: Buffer) => createHash('sha256').update(der).digest('base64')
    let certificate = await testCertificate(ctx, 'go')
    while (!/[+/]/.test(base64(certificate.der))) certificate = await testCertificate(ctx, 'go')
    const { clientId } = ensureApplication(ctx, { displayName: 'go', certificates: [certificate.pem] })
    const named = { alg: 'PS256', 'x5t#S256': base64(certificate.der) }
    const assertion = await signed(certificate.privateKey, assertionClaims(ctx, clientId), named)
    expect(await ask(assertion, clientId)).toMatchObject({ status: 200 })
  })

  it.each([
    `${LOGIN}/${tenantId}/oauth2/token`,
    `${LOGIN}/${tenantId}/oauth2/v2.0/token`,
    `${LOGIN}/${tenantId}/v2.0`,
    `https://login.windows.net/${tenantId}/oauth2/token`,
  ])('for the audience %s', async (aud) => {
    const { status } = await ask(await signed(own.privateKey, assertionClaims(ctx, app.clientId, { aud }), header))
    expect(status).toBe(200)
  })

  it('at the first version of the endpoint', async () => {
    const { scope: _, ...form } = assertionForm(
      app.clientId,
      await signed(own.privateKey, assertionClaims(ctx, app.clientId), header),
    )
    const body = new URLSearchParams({ ...form, resource: 'https://vault.azure.net' })
    const response = await world.fetch(new Request(`${LOGIN}/${tenantId}/oauth2/token`, { method: 'POST', body }))
    expect(await response.json()).toMatchObject({ resource: 'https://vault.azure.net' })
  })

  it.each([
    [
      'the key of a stranger under its own name',
      other.privateKey,
      { alg: 'RS256', x5t: other.x5t },
      'The key was not found',
    ],
    [
      'the key of a stranger under the name of ours',
      other.privateKey,
      header,
      'use of the key to verify the signature failed',
    ],
    [
      'a stranger’s certificate as x5c',
      other.privateKey,
      { alg: 'RS256', x5c: [other.der.toString('base64')] },
      'The key was not found',
    ],
    [
      'two names for two certificates',
      own.privateKey,
      { alg: 'RS256', x5t: own.x5t, 'x5t#S256': sha256(other.der) },
      'The key was not found',
    ],
    ['no name at all', own.privateKey, { alg: 'RS256' }, 'The key was not found'],
    ['an expired certificate', past.privateKey, { alg: 'RS256', x5t: past.x5t }, 'The key used is expired'],
  ])('but not with %s (AADSTS700027)', async (_, key, named, reason) => {
    const answer = await ask(await signed(key, assertionClaims(ctx, app.clientId), named))
    expect(answer).toMatchObject({ status: 401, error: 'invalid_client', error_codes: [700027] })
    expect(JSON.stringify(answer)).toContain(reason)
    expect(lastConditions()).toMatchObject([{ name: 'assertion.key', met: false }])
  })

  it.each([
    ['expired', { nbf: epoch() - 2000, exp: epoch() - 1000 }, 700024],
    ['not valid yet', { nbf: epoch() + 1000, exp: epoch() + 2000 }, 700024],
    ['without an end', { exp: undefined }, 700024],
    ['for another service', { aud: 'https://example.org/token' }, 700023],
    ['for another tenant', { aud: `${LOGIN}/99999999-1111-2222-3333-444444444444/oauth2/v2.0/token` }, 700023],
    ['without an audience', { aud: undefined }, 700023],
    ['of another issuer', { iss: '00000000-1111-2222-3333-444444444444' }, 700021],
    ['without a subject', { sub: undefined }, 700021],
  ])('but not when the assertion is %s', async (_, change, code) => {
    const claims = assertionClaims(ctx, app.clientId, { ...change })
    const answer = await ask(await signed(own.privateKey, claims, header))
    expect(answer).toMatchObject({ status: 401, error: 'invalid_client', error_codes: [code] })
    expect(lastConditions()?.some(({ met }) => !met)).toBe(true)
  })

  it('but not without a signature (alg none)', async () => {
    const answer = await ask(unsigned(assertionClaims(ctx, app.clientId)))
    expect(answer).toMatchObject({ status: 401, error_codes: [5002738] })
  })

  it('but not by an HMAC with the public key as its secret (algorithm confusion)', async () => {
    const secret = Buffer.from(createPublicKey(own.privateKey).export({ type: 'spki', format: 'pem' }))
    const answer = await ask(await signed(secret, assertionClaims(ctx, app.clientId), { alg: 'HS256', x5t: own.x5t }))
    expect(answer).toMatchObject({ status: 401, error_codes: [5002738] })
  })

  it('but not by what is no token, or of another assertion type', async () => {
    expect(await ask('guess')).toMatchObject({ status: 400, error_codes: [50027] })
    const form = assertionForm(app.clientId, await signed(own.privateKey, assertionClaims(ctx, app.clientId), header))
    const body = new URLSearchParams({
      ...form,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer',
    })
    const response = await world.fetch(new Request(`${LOGIN}/${tenantId}/oauth2/v2.0/token`, { method: 'POST', body }))
    expect(await response.json()).toMatchObject({ error_codes: [90023] })
  })

  it('but not as another application that does not know the certificate', async () => {
    const secretOnly = ensureApplication(ctx, { displayName: 'secret only', secret: 'secret' })
    const claims = assertionClaims(ctx, secretOnly.clientId)
    const answer = await ask(await signed(own.privateKey, claims, header), secretOnly.clientId)
    expect(answer.error_codes).toEqual([700027])
  })

  it('and the journal holds no assertion', async () => {
    const assertion = await signed(other.privateKey, assertionClaims(ctx, app.clientId), header)
    await ask(assertion)
    const text = JSON.stringify(ctx.journal.records())
    for (const part of assertion.split('.').slice(1)) expect(text).not.toContain(part)
  })
})

describe('an application trusts a subject name and its authority', async () => {
  const root = await testCertificate(ctx, 'root', { ca: true })
  const issuing = await testCertificate(ctx, 'issuing', { ca: true, issuer: root })
  const leaf = await testCertificate(ctx, 'app.contoso.example', { issuer: issuing })
  const sni = ensureApplication(ctx, {
    displayName: 'sni',
    trustedSubjects: [{ subjectName: 'app.contoso.example', authorities: [root.pem] }],
  })
  const chain = (...certificates: { der: Buffer }[]) => certificates.map(({ der }) => der.toString('base64'))
  const by = async (certificate: typeof leaf, x5c: string[]) =>
    ask(
      await signed(certificate.privateKey, assertionClaims(ctx, sni.clientId), {
        alg: 'RS256',
        x5t: certificate.x5t,
        x5c,
      }),
      sni.clientId,
    )

  it('and takes a certificate it never saw, with its chain', async () => {
    expect((await by(leaf, chain(leaf, issuing))).status).toBe(200)
    expect((await by(leaf, chain(leaf, issuing, root))).status).toBe(200)
  })

  it('but not without the chain', async () => {
    expect((await by(leaf, chain(leaf))).error_codes).toEqual([700027])
  })

  it('but not another subject of the same authority', async () => {
    const wrong = await testCertificate(ctx, 'evil.contoso.example', { issuer: issuing })
    expect((await by(wrong, chain(wrong, issuing))).error_codes).toEqual([700027])
  })

  it('but not the same subject of another authority', async () => {
    const evilRoot = await testCertificate(ctx, 'evil root', { ca: true })
    const forged = await testCertificate(ctx, 'app.contoso.example', { issuer: evilRoot })
    expect((await by(forged, chain(forged, evilRoot))).error_codes).toEqual([700027])
  })

  it('but not a certificate that another leaf signed', async () => {
    const sub = await testCertificate(ctx, 'app.contoso.example', { issuer: leaf })
    expect((await by(sub, chain(sub, leaf, issuing))).error_codes).toEqual([700027])
  })

  it('but not a certificate that is over', async () => {
    const over = await testCertificate(ctx, 'app.contoso.example', { issuer: issuing, fromDays: -9, toDays: -1 })
    expect((await by(over, chain(over, issuing))).error_codes).toEqual([700027])
  })
})

function sha256(der: Buffer): string {
  return createHash('sha256').update(der).digest('base64url')
}

function epoch(): number {
  return Math.floor(world.clock.now() / 1000)
}
