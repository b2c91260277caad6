import { type KeyObject, sign } from 'node:crypto'
import { issue } from './certificates.ts'
import { json } from './vault.ts'

/** An attestation provider as a relying party sees it: its tokens and `GET /certs`, written with plain JSON. */
export const MAA = 'contoso.weu.attest.azure.net'

/** Seconds: the time of `stillClock()`. */
export const now = Date.parse('2026-01-01T00:00:00Z') / 1000

export interface TokenParts {
  readonly header?: object
  /** Signs, if not the provider's key. */
  readonly key?: KeyObject | undefined
  readonly kid?: string
}

export function createProvider(host = MAA) {
  const signer = issue({ name: `https://${host}`, key: 'rsa' })
  const asked: string[] = []
  // As the service publishes them: no modulus, no algorithm.
  let keys: object[] = [entry(signer.der, 'a+/b=')]
  let failing = false
  return {
    asked,
    privateKey: signer.privateKey,
    async fetch(url: string): Promise<Response> {
      asked.push(url)
      return failing ? Response.json({}, { status: 503 }) : Response.json({ keys })
    },
    publish(...list: object[]) {
      keys = list
    },
    fail(yes = true) {
      failing = yes
    },
    entry: (kid: string) => entry(signer.der, kid),
    token(claims: object = {}, { header = {}, key, kid = 'a+/b=' }: TokenParts = {}): string {
      const signed = `${json({ alg: 'RS256', kid, typ: 'JWT', ...header })}.${json({ iss: `https://${host}`, nbf: now, exp: now + 28_800, ...claims })}`
      return `${signed}.${sign('sha256', Buffer.from(signed), key ?? signer.privateKey).toString('base64url')}`
    },
  }
}

export function entry(der: Uint8Array, kid: string): object {
  return { x5c: [Buffer.from(der).toString('base64')], kid, kty: 'RSA' }
}
