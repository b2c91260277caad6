import { compactVerify, errors } from 'jose'
import type { EmulatorContext, JournalCondition, ServicePrincipalRecord } from '../../core/index.ts'
import { failedSignature, malformedAssertion, noFederatedCredentials, noFederatedMatch } from '../assertion-errors.ts'
import { ASSERTION_ALGORITHMS, type Assertion, checkTimeRange } from './assertion.ts'
import type { IssuerKeys } from './issuer-keys.ts'

/**
 * Checks a token of another issuer that stands for the application or managed identity ("Workload identity federation"):
 * issuer, subject and audience must be, to the letter, those of one federated identity credential; then its signature
 * must be by a key that the issuer's OpenID metadata leads to, and its time must not be over. @throws TokenServiceError
 */
export async function checkFederatedAssertion(
  ctx: EmulatorContext,
  keys: IssuerKeys,
  principal: ServicePrincipalRecord,
  assertion: Assertion,
): Promise<void> {
  const { iss, sub, aud } = assertion.claims
  if (typeof iss !== 'string' || typeof sub !== 'string') throw malformedAssertion()
  const credentials = principal.federatedCredentials ?? []
  if (credentials.length === 0) throw noFederatedCredentials(principal.clientId, principal.displayName)
  const audiences = [aud].flat().filter((one) => typeof one === 'string')
  const conditions: JournalCondition[] = credentials.flatMap(({ name, issuer, subject, audiences: [audience] }) => [
    { name: `${name}.issuer`, wanted: issuer, found: iss, met: issuer === iss },
    { name: `${name}.subject`, wanted: subject, found: sub, met: subject === sub },
    { name: `${name}.audience`, wanted: audience, found: audiences, met: audiences.includes(audience ?? '') },
  ])
  const ofIssuer = credentials.filter(({ issuer }) => issuer === iss)
  if (ofIssuer.length === 0) throw noFederatedMatch('issuer', iss, conditions)
  const ofSubject = ofIssuer.filter(({ subject }) => subject === sub)
  if (ofSubject.length === 0) throw noFederatedMatch('subject', sub, conditions)
  if (!ofSubject.some((one) => one.audiences.some((audience) => audiences.includes(audience)))) {
    throw noFederatedMatch('audience', audiences.join(', '), conditions)
  }
  await checkSignature(keys, iss, assertion)
  checkTimeRange(ctx, assertion)
}

async function checkSignature(keys: IssuerKeys, issuer: string, assertion: Assertion): Promise<void> {
  const verify = async (again: boolean) => {
    const keySet = await keys.of(issuer, again)
    await compactVerify(assertion.token, keySet, { algorithms: [...ASSERTION_ALGORITHMS] })
  }
  const kid = assertion.header.kid ?? '(none)'
  const explain = (error: unknown) => {
    if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
      return failedSignature('notFound', kid)
    }
    return error instanceof errors.JOSEError ? failedSignature('signature', kid) : error
  }
  try {
    await verify(false)
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw explain(error)
    // The issuer may have a new key since.
    await verify(true).catch((second: unknown) => {
      throw explain(second)
    })
  }
}
