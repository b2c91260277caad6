import { createHash, createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ProxyAgent, request } from 'undici'
import type { Up } from '../../support/processes.ts'
import type { KnownVersion } from './key-model.ts'

export interface VaultClient {
  /** `path`: below the vault, or a link to a next page. Undefined: no answer came, since the process is gone. */
  call(method: string, path: string, body?: object): Promise<VaultAnswer | undefined>
  close(): Promise<void>
}

export interface VaultAnswer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was answered
  readonly json: any
}

/** Plain requests, each sent once: what was answered is what was answered, with no retry behind it. */
export async function vaultClient(up: Up, origin: string): Promise<VaultClient> {
  const { proxy, ca } = up.info
  const { username, password, origin: proxyOrigin } = new URL(proxy)
  const agent = new ProxyAgent({
    uri: proxyOrigin,
    token: `Basic ${Buffer.from(`${username}:${decodeURIComponent(password)}`).toString('base64')}`,
    requestTls: { ca: readFileSync(ca, 'utf8') },
  })
  const audience = origin.includes('.managedhsm.') ? 'https://managedhsm.azure.net' : 'https://vault.azure.net'
  const { token } = await up.credential.getToken(`${audience}/.default`)
  return {
    async call(method, path, body) {
      try {
        const url = new URL(path, `${origin}/`)
        url.searchParams.set('api-version', '7.4')
        const answer = await request(url, {
          dispatcher: agent,
          method: method as 'GET',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        })
        const text = await answer.body.text()
        return { status: answer.statusCode, json: text === '' ? undefined : JSON.parse(text) }
      } catch {
        return undefined
      }
    },
    close: () => agent.destroy(),
  }
}

/** The versions of a live key, each shown to work: it signs what its public part verifies. */
export async function workingVersions(client: VaultClient, name: string): Promise<KnownVersion[]> {
  const kids: string[] = []
  for (let next: string | undefined = `keys/${name}/versions`; next; ) {
    const page = (await client.call('GET', next))!.json as { value: { kid: string }[]; nextLink?: string | null }
    kids.push(...page.value.map(({ kid }) => kid))
    next = page.nextLink ?? undefined
  }
  const found: KnownVersion[] = []
  for (const kid of kids) {
    const id = kid.split('/').at(-1)!
    const { key, tags = {} } = (await client.call('GET', `keys/${name}/${id}`))!.json
    const digest = createHash('sha256').update(kid).digest()
    const body = { alg: 'ES256', value: digest.toString('base64url') }
    const signed = (await client.call('POST', `keys/${name}/${id}/sign`, body))!.json
    const publicKey = createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: key.crv, x: key.x, y: key.y } })
    const signature = Buffer.from(signed.value, 'base64url')
    if (!verify('sha256', Buffer.from(kid), { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)) {
      throw new Error(`${kid} has the secret of another key`)
    }
    found.push({ id, x: key.x, tags })
  }
  return found
}
