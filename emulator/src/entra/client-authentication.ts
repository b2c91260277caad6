import { timingSafeEqual } from 'node:crypto'
import type { EmulatorContext, ServicePrincipalRecord } from '../core/index.ts'
import { type ClientApplication, findClient } from './applications.ts'
import { wrongAssertionType } from './assertion-errors.ts'
import { readAssertion } from './assertions/assertion.ts'
import { checkCertificateAssertion } from './assertions/certificate.ts'
import { checkFederatedAssertion } from './assertions/federation.ts'
import type { IssuerKeys } from './assertions/issuer-keys.ts'
import { sha256Hex } from './directory.ts'
import { invalidSecret, noCredential, unknownApplication } from './errors.ts'
import type { TokenForm } from './token-form.ts'
import { confidentialClient, publicClient } from './user-errors.ts'

/** How a client proved itself, as the claim `appidacr` says it: not at all, by a secret, by a signature. */
export type ClientProof = '0' | '1' | '2'

export interface AuthenticatedClient extends ClientApplication {
  readonly proof: ClientProof
}

/** Who asks for a token, with what proof of it. */
export interface ClientAuthentication {
  /** A confidential client by its credential. @throws TokenServiceError for another one, or a wrong credential */
  application(request: TokenForm): Promise<{ readonly principal: ServicePrincipalRecord; readonly proof: ClientProof }>
  /** A client that users sign in with: a public one as it is, a confidential one by its credential. @throws TokenServiceError */
  client(request: TokenForm): Promise<AuthenticatedClient>
}

const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export function createClientAuthentication(ctx: EmulatorContext, keys: IssuerKeys): ClientAuthentication {
  const prove = async (principal: ServicePrincipalRecord, { form, clientSecret }: TokenForm): Promise<ClientProof> => {
    const token = form.get('client_assertion')
    if (token) {
      if (form.get('client_assertion_type') !== JWT_BEARER) throw wrongAssertionType()
      const assertion = readAssertion(token)
      // A token of another issuer names it by a URL; one that the application made itself, by its client id.
      if (/^https?:\/\//i.test(assertion.claims.iss ?? '')) {
        await checkFederatedAssertion(ctx, keys, principal, assertion)
      } else {
        await checkCertificateAssertion(ctx, principal, assertion)
      }
      return '2'
    }
    if (clientSecret === undefined) throw noCredential()
    const kept = principal.clientSecretSha256
    if (kept === undefined || !sameHex(kept, sha256Hex(clientSecret))) throw invalidSecret(principal.clientId)
    return '1'
  }
  const known = (clientId: string): ClientApplication => {
    const client = findClient(ctx, clientId)
    if (client === undefined) throw unknownApplication(clientId, ctx.seed.tenantId)
    return client
  }
  return {
    async application(request) {
      const { principal } = known(request.clientId)
      // Clients of Microsoft's own have no credential that anybody could show.
      if (principal === undefined) throw publicClient()
      return { principal, proof: await prove(principal, request) }
    },
    async client(request) {
      const client = known(request.clientId)
      const shown = request.clientSecret !== undefined || request.form.has('client_assertion')
      if (client.publicClient) {
        if (shown) throw publicClient()
        return { ...client, proof: '0' }
      }
      if (!shown || client.principal === undefined) throw confidentialClient()
      return { ...client, proof: await prove(client.principal, request) }
    },
  }
}

function sameHex(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a, 'hex'), Buffer.from(b, 'hex')]
  return left.length === right.length && timingSafeEqual(left, right)
}
