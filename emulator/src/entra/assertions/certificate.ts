import { createHash, X509Certificate } from 'node:crypto'
import { derToPem } from '@skerry/guest/wire'
import { compactVerify } from 'jose'
import type { EmulatorContext, ServicePrincipalRecord } from '../../core/index.ts'
import { withoutTrailing } from '../../core/trim-end.ts'
import { applicationMismatch, refusedKey, wrongRealm } from '../assertion-errors.ts'
import { ENTRA_HOSTS } from '../hosts.ts'
import { ASSERTION_ALGORITHMS, type Assertion, checkTimeRange } from './assertion.ts'
import { chainToAuthority } from './chain.ts'

/**
 * Checks an assertion that the application signed with the key of a certificate of its own ("Microsoft identity platform
 * application authentication certificate credentials"): the header names the certificate by `x5t`, `x5t#S256` or `kid`,
 * or brings it as `x5c`. @throws TokenServiceError
 */
export async function checkCertificateAssertion(
  ctx: EmulatorContext,
  principal: ServicePrincipalRecord,
  assertion: Assertion,
): Promise<void> {
  const { clientId } = principal
  const { claims } = assertion
  if (!sameId(claims.iss, clientId) || !sameId(claims.sub, clientId)) {
    throw applicationMismatch(clientId, claims.iss, claims.sub)
  }
  const certificate = findCertificate(ctx, principal, assertion)
  const named = thumbprint(certificate.raw, 'sha1', 'hex').toUpperCase()
  if (ctx.clock.now() > certificate.validToDate.getTime()) throw refusedKey('expired', clientId, named)
  if (ctx.clock.now() < certificate.validFromDate.getTime()) throw refusedKey('notYetValid', clientId, named)
  try {
    await compactVerify(assertion.token, certificate.publicKey, { algorithms: [...ASSERTION_ALGORITHMS] })
  } catch {
    throw refusedKey('signature', clientId, named)
  }
  const audiences = realms(ctx.seed.tenantId)
  const found = [claims.aud].flat()
  if (!found.some((audience) => typeof audience === 'string' && audiences.has(audience.toLowerCase()))) {
    throw wrongRealm([...audiences], claims.aud)
  }
  checkTimeRange(ctx, assertion)
}

/** The token endpoints of both versions and the issuer, under each name of the service. */
function realms(tenantId: string): ReadonlySet<string> {
  const paths = ['/oauth2/v2.0/token', '/oauth2/token', '/v2.0', '/', '']
  return new Set(ENTRA_HOSTS.flatMap((host) => paths.map((path) => `https://${host}/${tenantId}${path}`)))
}

/** The registered certificate that the header names; or the one it brings, where the application trusts its subject. */
function findCertificate(
  ctx: EmulatorContext,
  principal: ServicePrincipalRecord,
  { header }: Assertion,
): X509Certificate {
  const registered = (principal.certificates ?? []).map((der) => Buffer.from(der, 'base64'))
  const brought = broughtChain(header.x5c)
  const names = header as { x5t?: unknown; 'x5t#S256'?: unknown; kid?: unknown }
  const said = [names.x5t, names['x5t#S256'], names.kid].filter((name) => typeof name === 'string')
  const known = registered.find((der) =>
    said.length === 0 ? brought[0]?.raw.equals(der) : said.every((name) => isNameOf(der, name)),
  )
  if (known !== undefined) return certificateOf(known)
  const [leaf] = brought
  const shown = leaf ? thumbprint(leaf.raw, 'sha1', 'hex').toUpperCase() : shownThumbprint(said[0])
  if (leaf === undefined || principal.trustedSubjects === undefined) {
    throw refusedKey('notFound', principal.clientId, shown)
  }
  if (!said.every((name) => isNameOf(leaf.raw, name))) throw refusedKey('notFound', principal.clientId, shown)
  const trusted = principal.trustedSubjects.filter(({ subjectName }) => isSubject(leaf, subjectName))
  const authorities = trusted.flatMap((one) => one.authorities.map((der) => certificateOf(Buffer.from(der, 'base64'))))
  if (!chainToAuthority(brought, authorities, ctx.clock.now())) throw refusedKey('chain', principal.clientId, shown)
  return leaf
}

/** As PEM: of DER that has PEM inside, Node would read what is inside. */
function certificateOf(der: Buffer): X509Certificate {
  return new X509Certificate(derToPem(der))
}

function broughtChain(x5c: unknown): X509Certificate[] {
  if (!Array.isArray(x5c) || x5c.length > 10) return []
  try {
    return x5c.map((der) => certificateOf(Buffer.from(String(der), 'base64')))
  } catch {
    return []
  }
}

/** Clients write thumbprints in base64url (RFC 7515, 4.1.7), MSAL for Go in plain base64, and as `kid` in hexadecimal. */
function isNameOf(der: Buffer, name: string): boolean {
  const base64url = withoutTrailing(name.replaceAll('+', '-').replaceAll('/', '_'), '=')
  return (['sha1', 'sha256'] as const).some(
    (hash) => thumbprint(der, hash, 'base64url') === base64url || thumbprint(der, hash, 'hex') === name.toLowerCase(),
  )
}

function isSubject(certificate: X509Certificate, subjectName: string): boolean {
  const commonName = /(?:^|\n)CN=(.*)(?:\n|$)/.exec(certificate.subject)?.[1]
  return (
    sameId(commonName, subjectName) ||
    certificate.checkHost(subjectName, { subject: 'never', wildcards: false }) !== undefined
  )
}

function shownThumbprint(name: string | undefined): string {
  if (name === undefined) return '(none)'
  return /^[0-9a-f]{40}$/i.test(name)
    ? name.toUpperCase()
    : Buffer.from(name, 'base64url').toString('hex').toUpperCase()
}

function thumbprint(der: Buffer, hash: 'sha1' | 'sha256', encoding: 'hex' | 'base64url'): string {
  return createHash(hash).update(der).digest(encoding)
}

function sameId(found: unknown, wanted: string): boolean {
  return typeof found === 'string' && found.toLowerCase() === wanted.toLowerCase()
}
