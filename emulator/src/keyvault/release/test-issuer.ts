import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { type EmulatorContext, epochSeconds, type Service } from '../../core/index.ts'
import { createTestContext, type TestContextOptions, type TestWorld } from '../../core/test-context.ts'

/*
 * For tests: an attestation service as Microsoft's SDKs bring one along for theirs. Its metadata holds `jwks_uri` and
 * nothing else, its keys have `n` and `e` and no certificate. What it publishes can be changed, and it counts how often it
 * is asked.
 */

export const ISSUER = 'https://skerry.weu.attest.azure.net'

export interface TestIssuer {
  readonly service: Service
  /** Path of each request so far. */
  readonly asked: string[]
  readonly privateKey: KeyObject
  /** The JWK under which `privateKey` is published. */
  readonly jwk: Readonly<Record<string, unknown>>
  metadata: unknown
  keySet: unknown
  /** What it answers in place of the above. */
  respond: ((path: string) => Response | Promise<Response>) | undefined
  /** A token with good claims but for `claims`, and a good header but for `header`; `key` signs in place of the real one. */
  token(claims?: object, header?: object, key?: KeyObject): string
}

export const KID = 'test-key-1'
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
const wrapping = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })

export function createTestIssuer(ctx: Pick<EmulatorContext, 'clock'>): TestIssuer {
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: KID }
  const asked: string[] = []
  const issuer: TestIssuer = {
    asked,
    privateKey: pair.privateKey,
    jwk,
    metadata: { jwks_uri: `${ISSUER}/keys` },
    keySet: { keys: [jwk] },
    respond: undefined,
    service: {
      name: 'test-issuer',
      hosts: [new URL(ISSUER).host],
      async handle(request) {
        const { pathname } = new URL(request.url)
        asked.push(pathname)
        if (issuer.respond !== undefined) return await issuer.respond(pathname)
        if (pathname === '/.well-known/openid-configuration') return Response.json(issuer.metadata)
        return pathname === '/keys' ? Response.json(issuer.keySet) : new Response(null, { status: 404 })
      },
    },
    token(claims = {}, header = {}, key = pair.privateKey) {
      const now = epochSeconds(ctx.clock)
      return compact(
        { alg: 'RS256', typ: 'JWT', kid: KID, ...header },
        {
          iss: ISSUER,
          iat: now,
          exp: now + 3600,
          'sdk-test': true,
          'x-ms-runtime': { keys: [{ ...wrapping, kid: 'wrapping', use: 'enc' }] },
          ...claims,
        },
        key,
      )
    },
  }
  return issuer
}

export interface IssuerWorld extends TestWorld {
  readonly issuer: TestIssuer
}

/** An emulator with that attestation service and nothing else. */
export function createIssuerWorld(options: TestContextOptions = {}): IssuerWorld {
  const world = createTestContext(options)
  const issuer = createTestIssuer(world.ctx)
  world.use(issuer.service)
  return { ...world, issuer }
}

export const base64Url = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A JWS in compact form, RS256 whatever the header says. */
export function compact(header: unknown, payload: unknown, key: KeyObject): string {
  const text = `${base64Url(header)}.${base64Url(payload)}`
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
}
