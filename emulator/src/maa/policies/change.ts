import { hash, type X509Certificate } from 'node:crypto'
import type { AttestationProviderRecord, EmulatorContext, JournalCondition } from '../../core/index.ts'
import type { AttestationType } from '../attestation-types.ts'
import { badMessage, disallowed, policyParsingError } from '../errors.ts'
import { PolicySyntaxError } from '../policy/errors.ts'
import { hashOfEncodedPolicy } from '../policy/hash.ts'
import { parsePolicy } from '../policy/parse.ts'
import { encodedPolicy } from './effective.ts'
import { Looks } from './looks.ts'
import {
  decodeText,
  jsonObject,
  readPolicyJws,
  readX5c,
  type Signer,
  signerJwk,
  thumbprint,
  verifySigner,
} from './policy-jws.ts'
import { encodedChain, isRegistered } from './signers.ts'
import { policyStore, signerStore } from './state.ts'

/** What an answer of the management says, and what the journal. */
export interface Change {
  /** Claims of the answer's token. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly summary: string
  readonly details: Readonly<Record<string, unknown>>
  readonly conditions: readonly JournalCondition[]
}

/** Who is asked, and about which type. */
export interface Target {
  readonly provider: AttestationProviderRecord
  readonly type: AttestationType
}

/**
 * Sets the policy of a type.
 * @throws AttestationError 400
 */
export function setPolicy(ctx: EmulatorContext, { provider, type }: Target, text: string): Change {
  const jws = readPolicyJws(text)
  const looks = new Looks()
  const signer = lookAtSigner(ctx, looks, provider, () => verifySigner(jws))
  const encoded = looks.at('policy.claim', 'AttestationPolicy', () => encodedPolicy(jws))
  if (encoded !== undefined)
    looks.at('policy.text', 'a policy of version 1.0, 1.1 or 1.2', () => requirePolicy(encoded))
  looks.end()
  policyStore(ctx).put(provider.host, type, { jws: jws.text })
  return {
    claims: {
      'x-ms-policy-result': 'Updated',
      'x-ms-policy-token-hash': hash('sha256', jws.text, 'base64url'),
      ...(signer !== undefined && { 'x-ms-policy-signer': signerJwk(signer, true) }),
    },
    summary: `${provider.host} has a new policy for ${type}`,
    details: { policyHash: hashOfEncodedPolicy(encoded ?? ''), signer: markOf(signer) },
    conditions: looks.conditions,
  }
}

/**
 * Back to the default policy; what the token holds does not matter.
 * @throws AttestationError 400
 */
export function resetPolicy(ctx: EmulatorContext, { provider, type }: Target, text: string): Change {
  const jws = readPolicyJws(text)
  const looks = new Looks()
  const signer = lookAtSigner(ctx, looks, provider, () => verifySigner(jws))
  looks.end()
  policyStore(ctx).delete(provider.host, type)
  return {
    claims: { 'x-ms-policy-result': 'Removed' },
    summary: `${provider.host} is back to the default policy for ${type}`,
    details: { signer: markOf(signer) },
    conditions: looks.conditions,
  }
}

/**
 * Registers or removes a policy signer. Adding one that is there, and removing one that is not, succeeds.
 * @param resultClaim its name has changed between api-versions
 * @throws AttestationError 400
 */
export function changeSigners(
  ctx: EmulatorContext,
  provider: AttestationProviderRecord,
  what: 'add' | 'remove',
  text: string,
  resultClaim: string,
): Change {
  if (provider.trustModel !== 'Isolated') {
    throw disallowed('Policy signers cannot be changed: the provider was created without policy signers.')
  }
  const jws = readPolicyJws(text)
  const looks = new Looks()
  const signer = lookAtSigner(ctx, looks, provider, () => verifySigner(jws))
  const chain = looks.at('token.policyCertificate', 'a JSON Web Key with x5c', () => certificateOf(jws.payload)) ?? []
  const change = encodedChain(chain)
  const before = signerStore(ctx).get(provider.host)
  const others = before.filter(([leaf]) => leaf !== change[0])
  looks.at('provider.signers', 'one signer that remains', () => {
    if (what === 'remove' && others.length === 0) {
      throw disallowed('The last policy signer of the provider cannot be removed.')
    }
  })
  looks.end()
  const isThere = others.length < before.length
  if (isThere && what === 'remove') signerStore(ctx).put(provider.host, others)
  if (!isThere && what === 'add') signerStore(ctx).put(provider.host, [...before, change])
  const mark = thumbprint(chain[0]!)
  return {
    claims: { 'x-ms-certificate-thumbprint': mark, [resultClaim]: what === 'add' ? 'IsPresent' : 'IsAbsent' },
    summary: `${provider.host} ${what === 'add' ? 'has' : 'does not have'} the policy signer ${mark}`,
    details: { certificate: mark, signer: markOf(signer) },
    conditions: looks.conditions,
  }
}

/** On an isolated provider somebody registered must have signed; elsewhere anybody may, or nobody. */
function lookAtSigner(
  ctx: EmulatorContext,
  looks: Looks,
  { trustModel, host }: AttestationProviderRecord,
  verify: () => Signer | undefined,
): Signer | undefined {
  let broken = true
  const signer = looks.at('token.signature', 'none, or one of its certificate', () => {
    const verified = verify()
    broken = false
    return verified
  })
  if (trustModel === 'Isolated' && !broken) {
    looks.at('token.signer', 'a registered policy signer', () => {
      if (signer === undefined) throw disallowed('The token must be signed: the provider is isolated.')
      if (isRegistered(ctx, host, signer.chain)) return markOf(signer)
      throw disallowed(`The token is signed by ${markOf(signer)}, which is no policy signer of the provider.`)
    })
  }
  return signer
}

/** Names of the claim that holds the certificate: client 2020-10-01, Microsoft's samples, and their text. */
const CERTIFICATE_CLAIMS = ['policyCertificate', 'maa-policyCertificate', 'x-ms-policyCertificate']

function certificateOf(payload: string): X509Certificate[] {
  const claims = jsonObject(payload, 'the payload of the token')
  const name = CERTIFICATE_CLAIMS.find((one) => claims[one] !== undefined)
  if (name === undefined) throw badMessage('Could not find "maa-policyCertificate" claim in policy token')
  const jwk = claims[name]
  if (typeof jwk !== 'object' || jwk === null) throw badMessage(`The claim "${name}" is not a JSON Web Key`)
  return readX5c((jwk as { x5c?: unknown }).x5c)
}

function markOf(signer: Signer | undefined): string {
  return signer === undefined ? 'none' : thumbprint(signer.chain[0]!)
}

function requirePolicy(encoded: string): void {
  try {
    parsePolicy(decodeText(encoded))
  } catch (error) {
    throw error instanceof PolicySyntaxError ? policyParsingError(error) : error
  }
}
