import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { HttpResponse, http } from 'msw'
import { certificationOf } from './chip.ts'
import { json, signJws, VAULT_HOST, wrap } from './vault.ts'

/** The network as a guest sees it, by MSW; requests are looked at with plain JSON, and what was seen is kept. */
export const MAA_HOST = 'contoso.weu.attest.azure.net'
export const KEY_ID = `https://${VAULT_HOST}/keys/k/0123456789abcdef0123456789abcdef`

const attestationKey = generateKeyPairSync('rsa', { modulusLength: 2048 })

export interface Seen {
  readonly maa: { report: Buffer; runtimeData: string; nonce: string }[]
  readonly vault: { authorization: string | null; kid: string; body: Record<string, string>; search: string }[]
  readonly imds: URLSearchParams[]
  thim: number
}

export interface AzureOptions {
  /** The key that the vault holds, and the public members of its JWK. */
  readonly plaintext: Uint8Array
  readonly key?: object
  /** Changes the vault's signed payload. */
  readonly payload?: (payload: { request: object; response: { key: { key: object } } }) => object
}

const decode = (text: string) => Buffer.from(text, 'base64url')
const decodeJson = (text: string) => JSON.parse(decode(text).toString())

export function azure({ plaintext, key = { kty: 'oct' }, payload = (same) => same }: AzureOptions) {
  const seen: Seen = { maa: [], vault: [], imds: [], thim: 0 }
  const handlers = [
    http.get('http://169.254.169.254/metadata/THIM/amd/certification', () => {
      seen.thim += 1
      return HttpResponse.json(certificationOf())
    }),

    http.get('http://169.254.169.254/metadata/identity/oauth2/token', ({ request }) => {
      seen.imds.push(new URL(request.url).searchParams)
      return HttpResponse.json({
        access_token: 'imds-token',
        expires_in: '3600',
        expires_on: '4102444800',
        resource: 'https://vault.azure.net',
        token_type: 'Bearer',
      })
    }),

    http.post(`https://${MAA_HOST}/attest/SevSnpVM`, async ({ request }) => {
      const text = await request.text()
      const body = JSON.parse(text)
      const report = decode(decodeJson(body.report).SnpReport)
      const runtimeData = decode(body.runtimeData.data)
      if (!createHash('sha256').update(runtimeData).digest().equals(report.subarray(0x50, 0x70))) {
        return HttpResponse.json({ error: { code: 'InvalidParameter', message: 'report data' } }, { status: 400 })
      }
      seen.maa.push({ report, runtimeData: runtimeData.toString(), nonce: /"nonce":(\d+)/.exec(text)?.[1] ?? '' })
      const claims = {
        iss: `https://${MAA_HOST}`,
        exp: 4_102_444_800,
        'x-ms-runtime': JSON.parse(runtimeData.toString()),
      }
      const signed = `${json({ alg: 'RS256', typ: 'JWT', kid: 'k' })}.${json(claims)}`
      return HttpResponse.json({
        token: `${signed}.${sign('sha256', Buffer.from(signed), attestationKey.privateKey).toString('base64url')}`,
      })
    }),

    http.post(`https://${VAULT_HOST}/keys/*`, async ({ request }) => {
      const url = new URL(request.url)
      const body = (await request.json()) as Record<string, string>
      seen.vault.push({
        authorization: request.headers.get('authorization'),
        kid: url.pathname,
        body,
        search: url.search,
      })
      const [wrappingJwk] = decodeJson(body.target!.split('.')[1]!)['x-ms-runtime'].keys
      const answer = {
        request: {
          'api-version': '7.4',
          enc: body.enc,
          kid: `https://${VAULT_HOST}${url.pathname.replace(/\/release$/, '')}`,
          nonce: body.nonce,
        },
        response: {
          key: {
            key: {
              kid: KEY_ID,
              ...key,
              key_hsm: wrap({ enc: body.enc!, kid: wrappingJwk.kid, plaintext, wrappingJwk }),
            },
          },
        },
      }
      return HttpResponse.json({ value: signJws(payload(answer)) })
    }),
  ]
  return { handlers, seen }
}
