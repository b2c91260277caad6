import { decodeJwt } from 'jose'
import type { PlainAnswer, PlainRequest, RoleAssignmentRecord, VaultRecord } from '../core/index.ts'
import { COLLECTIONS, remembered } from '../core/index.ts'
import { type Principal, TokenError, type TokenVerifier } from '../entra/index.ts'
import { readApiVersion } from './api-version.ts'
import type { Authorize } from './authorize.ts'
import type { Call, Parts, Reply } from './call.ts'
import { badParameter, type Evidence, KeyVaultError, notCovered } from './errors.ts'
import { createThrottle, requireUnrevoked } from './fault-answers.ts'
import { HANDLERS } from './handlers.ts'
import { managedHsmPersonality } from './personality/managed-hsm.ts'
import type { Personality, View } from './personality/personality.ts'
import { vaultPersonality } from './personality/vault.ts'
import { isRefusedByWebServer, webServerPage } from './personality/web-server-page.ts'
import { hasOperation } from './rules/operation-versions.ts'
import { isKeyName, isKeyVersion } from './rules/vault-rules.ts'
import { readTarget, type Target } from './target.ts'

export interface ServiceParts extends Parts {
  readonly tokens: TokenVerifier
  readonly authorize: Authorize
}

const MOST_URLS = 1024
const LONGEST_URL_KEPT = 512

/**
 * One request, in the order in which the real service looks at it: the token (before the body, so that a client's first
 * empty request gets its challenge), what is asked, whether the caller may, and only then the body.
 */
export function createRequestHandler(parts: ServiceParts): (request: PlainRequest) => Promise<PlainAnswer> {
  const vaults = parts.ctx.store.shared<VaultRecord>(COLLECTIONS.vaults)
  const throttle = createThrottle(parts.ctx)
  // Clients ask for the same few, and taking one apart costs as much as all the checks.
  const urls = new Map<string, URL>()
  const urlOf = (text: string) =>
    text.length > LONGEST_URL_KEPT ? new URL(text) : remembered(urls, text, MOST_URLS, () => new URL(text))
  return async (request) => {
    const url = urlOf(request.url)
    const vault = vaults.get(url.hostname.toLowerCase())
    if (vault === undefined) return noSuchVault(url.hostname)
    if (vault.kind === 'vault' && isRefusedByWebServer(url.pathname)) return webServerPage()
    return await new Exchange(parts, request, url, vault).answer(throttle)
  }
}

/**
 * On Azure the name of a vault that does not exist does not resolve. A proxy cannot say that; 404 is what a client gives
 * up on at once, where it would retry a 5xx.
 */
function noSuchVault(hostname: string): PlainAnswer {
  const message = `There is no vault ${hostname}; on Azure its name does not resolve.`
  return {
    status: 404,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ error: { code: 'SkerryVaultNotFound', message } }),
  }
}

class Exchange {
  private readonly parts: ServiceParts
  private readonly request: PlainRequest
  private readonly url: URL
  private readonly vault: VaultRecord
  private readonly personality: Personality
  private readonly requestId: string
  private readonly method: string
  private target: Target | undefined
  private assignment: RoleAssignmentRecord | undefined

  constructor(parts: ServiceParts, request: PlainRequest, url: URL, vault: VaultRecord) {
    this.parts = parts
    this.request = request
    this.url = url
    this.vault = vault
    this.personality = vault.kind === 'managedHsm' ? managedHsmPersonality : vaultPersonality
    this.requestId = parts.ctx.random.uuid()
    // Clients behind old proxies name the method in a header of a POST.
    const override = request.method === 'POST' ? request.headers.get('x-http-method') : null
    this.method = (override ?? request.method).toUpperCase()
  }

  async answer(throttle: (vault: VaultRecord) => void): Promise<PlainAnswer> {
    try {
      const principal = await this.authenticate()
      if (principal === undefined) return this.challenge()
      requireUnrevoked(this.parts.ctx, () => this.issuedAt())
      throttle(this.vault)
      const reply = await this.serve(principal)
      return this.respond(reply.status, reply.body === undefined ? null : this.personality.write(reply.body))
    } catch (error) {
      return this.refuse(error)
    }
  }

  /** Undefined: there is no token at all, which is how every client starts. */
  private async authenticate(): Promise<Principal | undefined> {
    try {
      return await this.parts.tokens.verify(this.request, [this.personality.audience])
    } catch (error) {
      if (!(error instanceof TokenError)) throw error
      if (error.code === 'missing') return undefined
      throw new KeyVaultError(401, 'Unauthorized', this.personality.says.badToken(error, this.vault, this.token()), {
        evidence: {
          summary: `The access token is not accepted: ${error.message}.`,
          conditions: [
            { name: `accessToken.${error.code}`, wanted: error.message, found: error.found ?? null, met: false },
          ],
          action: `Get a token for ${this.personality.audience} from the tenant ${this.vault.tenantId}.`,
        },
      })
    }
  }

  private token(): string {
    return (this.request.headers.get('authorization') ?? '').replace(/^Bearer +/i, '')
  }

  /** Of a token that was verified. */
  private issuedAt(): number | undefined {
    return decodeJwt(this.token()).iat
  }

  private async serve(principal: Principal): Promise<Reply> {
    const view = this.view(readApiVersion(this.url.searchParams))
    const target = this.readTarget(view.apiVersion)
    this.target = target
    if (target.name !== undefined && !isKeyName(target.name)) throw this.personality.says.invalidName(target.name)
    this.assignment = this.parts.authorize(this.vault, principal, target).assignment
    const call: Call = {
      ...view,
      parts: this.parts,
      personality: this.personality,
      principal,
      target,
      query: this.url.searchParams,
      path: this.url.pathname,
      requestId: this.requestId,
      body: () => this.readBody(),
    }
    return await HANDLERS[target.operation](call)
  }

  private readTarget(apiVersion: string): Target {
    const target = readTarget(this.method, this.url.pathname)
    const { says } = this.personality
    if (target === 'operationNotSpecified') throw says.operationNotSpecified()
    if (target === 'badEncoding') throw says.invalidName(this.url.pathname)
    if (target === 'otherThanKeys' && this.vault.kind === 'vault') {
      throw notCovered('SkerryOperationNotCovered', 'Skerry does not cover secrets and certificates of a vault.')
    }
    if (target === 'notFound' || target === 'otherThanKeys') throw noSuchResource()
    if ('unknownOperation' in target) throw says.unknownOperation(this.method, target.unknownOperation)
    if (!hasOperation(apiVersion, target.operation)) throw says.unknownOperation(this.method, this.lastWord())
    if (['get', 'update'].includes(target.operation) && target.version !== undefined && !isKeyVersion(target.version)) {
      throw says.malformedVersion(this.method, this.view(apiVersion), target.name ?? '', target.version)
    }
    return target
  }

  private lastWord(): string {
    return this.url.pathname.split('/').findLast((segment) => segment !== '') ?? ''
  }

  private view(apiVersion: string): View {
    return { vault: this.vault, origin: `https://${this.url.host}`, apiVersion }
  }

  private async readBody(): Promise<unknown> {
    const text = await this.request.text()
    if (text.trim() === '') return undefined
    try {
      return JSON.parse(text)
    } catch {
      throw badParameter('The request body is not valid JSON.')
    }
  }

  private challenge(): PlainAnswer {
    return this.respond(401, this.personality.challengeBody(this.method))
  }

  private refuse(thrown: unknown): PlainAnswer {
    const error =
      thrown instanceof KeyVaultError
        ? thrown
        : new KeyVaultError(500, 'InternalServerError', 'An unexpected error occurred.', {
            evidence: { summary: `A fault of the emulator: ${thrown instanceof Error ? thrown.message : 'unknown'}` },
          })
    this.journalRefusal(error, error.evidence)
    const body = this.personality.write(this.personality.errorBody(error, this.requestId))
    return this.respond(error.status, body, error.headers)
  }

  /** Everything but what a client asks for in the ordinary course of things: whether something is there. */
  private journalRefusal(error: KeyVaultError, evidence: Evidence): void {
    const operation = this.target?.operation
    if (error.status === 404 && operation !== 'release') return
    this.parts.ctx.journal.write({
      service: this.personality.service,
      operation: operation ?? 'request',
      outcome: error.status >= 500 ? 'failed' : 'denied',
      subject: `https://${this.url.host}${this.url.pathname}`,
      summary: error.message,
      ...evidence,
      answer: { status: error.status, code: error.innerCode ?? error.code, requestId: this.requestId },
    })
  }

  private respond(status: number, body: string | null, more: Readonly<Record<string, string>> = {}): PlainAnswer {
    const headers = this.personality.headers({
      vault: this.vault,
      method: this.method,
      status,
      requestId: this.requestId,
      clientRequestId: this.request.headers.get('x-ms-client-request-id') ?? undefined,
      assignment: this.assignment,
    })
    if (status === 401) {
      const authorization = `https://login.microsoftonline.com/${this.vault.tenantId}`
      headers['WWW-Authenticate'] = `Bearer authorization="${authorization}", resource="${this.personality.audience}"`
    }
    Object.assign(headers, more)
    if (status === 204) delete headers['Content-Type']
    return { status, headers, body }
  }
}

const noSuchResource = () => new KeyVaultError(404, 'NotFound', 'There is no such resource or operation.')
