import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { derToPem } from '@skerry/guest/wire'
import { type JWTPayload, SignJWT } from 'jose'
import { type EmulatorContext, epochSeconds } from '../core/index.ts'
import { buildCertificate } from '../x509/certificate.ts'
import { caConstraints, leafConstraints } from '../x509/extensions.ts'
import { distinguishedName } from '../x509/names.ts'

/* For tests: clients with keys of their own, and what they sign. */

export interface TestCertificate {
  readonly pem: string
  readonly der: Buffer
  readonly privateKey: KeyObject
  /** PKCS#8. */
  readonly privatePem: string
  /** Of SHA-1, in base64url. */
  readonly x5t: string
  readonly commonName: string
}

const DAY_MS = 24 * 3600 * 1000

/** An RSA-2048 certificate, self-signed unless an issuer is given. Times are days from the clock's now. */
export async function testCertificate(
  ctx: EmulatorContext,
  commonName: string,
  options: { issuer?: TestCertificate; ca?: boolean; fromDays?: number; toDays?: number } = {},
): Promise<TestCertificate> {
  const { issuer, ca = false, fromDays = -1, toDays = 30 } = options
  const privateKey = await ctx.keys.rsa(`test-client-${commonName}`, 2048)
  const second = (days: number) => new Date(Math.floor((ctx.clock.now() + days * DAY_MS) / 1000) * 1000)
  const der = buildCertificate(
    {
      serial: BigInt(`0x40${ctx.random.bytes(15).toString('hex')}`),
      subject: distinguishedName([['CN', commonName]]),
      issuer: distinguishedName([['CN', issuer?.commonName ?? commonName]]),
      notBefore: second(fromDays),
      notAfter: second(toDays),
      publicKey: createPublicKey(privateKey),
      extensions: [ca ? caConstraints() : leafConstraints()],
    },
    issuer?.privateKey ?? privateKey,
    'rsa-sha256',
  )
  return {
    pem: derToPem(der),
    der,
    privateKey,
    privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    x5t: createHash('sha1').update(der).digest('base64url'),
    commonName,
  }
}

/** Claims of a client assertion as MSAL writes them; a member that is undefined is left out. */
export function assertionClaims(ctx: EmulatorContext, clientId: string, change: JWTPayload = {}): JWTPayload {
  const now = epochSeconds(ctx.clock)
  const aud = `https://login.microsoftonline.com/${ctx.seed.tenantId}/oauth2/v2.0/token`
  const claims = { aud, iss: clientId, sub: clientId, jti: ctx.random.uuid(), nbf: now, exp: now + 600, ...change }
  return JSON.parse(JSON.stringify(claims)) as JWTPayload
}

export async function signed(
  key: KeyObject | Uint8Array,
  claims: JWTPayload,
  header: Readonly<Record<string, unknown>> & { readonly alg: string },
): Promise<string> {
  return await new SignJWT(claims).setProtectedHeader({ typ: 'JWT', ...header }).sign(key)
}

/** The same claims without any signature (`alg: none`). */
export function unsigned(claims: JWTPayload): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`
}

/** Members of a form for a client that proves itself by an assertion. */
export function assertionForm(clientId: string, assertion: string): Record<string, string> {
  return {
    grant_type: 'client_credentials',
    client_id: clientId,
    scope: 'https://vault.azure.net/.default',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  }
}
