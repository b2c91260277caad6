import { describe, expect, it } from 'vitest'
import { all, type Kind, type Place } from './world.ts'

const V = 'api-version=7.6'
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** What a vault and a managed HSM do differently, as it crosses the wire. */
export function personality(place: () => Place, kind: Kind): void {
  const made = async () => {
    const { fresh, raw } = place()
    const name = fresh()
    const { json } = await raw('POST', `/keys/${name}/create?${V}`, { kty: 'EC-HSM', tags: { b: '1', a: '2' } })
    return { name, json }
  }

  describe('the challenge', () => {
    it.each(['GET', 'POST'])(
      'to a %s without a token names the tenant and the resource, before anything else',
      async (method) => {
        const { url, audience, world } = place()
        const answer = await world.fetch(`${url}/keys/k/create?${V}`, { method })
        expect(answer.status).toBe(401)
        const authorization = `https://login.microsoftonline.com/${world.emulator.context.seed.tenantId}`
        expect(answer.headers.get('www-authenticate')).toBe(
          `Bearer authorization="${authorization}", resource="${audience}"`,
        )
        const body = await answer.text()
        if (kind === 'managedHsm') expect(body).toBe(method === 'GET' ? 'OK' : '')
        else
          expect(JSON.parse(body).error).toMatchObject({
            code: 'Unauthorized',
            message: expect.stringMatching(/^AKV10000/),
          })
      },
    )
  })

  describe('headers', () => {
    it('are those of the service, on answers and on refusals', async () => {
      const { raw } = place()
      const { name } = await made()
      const found = (await raw('GET', `/keys/${name}?${V}`)).headers
      const refused = (await raw('GET', `/keys/nobody?${V}`)).headers
      for (const headers of [found, refused]) {
        expect(headers.get('x-ms-request-id')).toMatch(GUID)
        expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
        expect(headers.get('x-content-type-options')).toBe('nosniff')
        expect(headers.has('x-ms-keyvault-service-version')).toBe(kind === 'vault')
        expect(headers.get('x-frame-options')).toBe(kind === 'vault' ? null : 'SAMEORIGIN')
        expect(headers.has('x-ms-server-latency')).toBe(kind === 'managedHsm')
        expect(headers.get('pragma')).toBe(kind === 'vault' ? 'no-cache' : null)
      }
      expect(found.get('x-ms-keyvault-region')).toBe('westeurope')
      expect(refused.has('x-ms-keyvault-region')).toBe(kind === 'vault')
      const family = kind === 'vault' ? 'InterNetwork' : 'Ipv4'
      expect(found.get('x-ms-keyvault-network-info')).toContain(`act_addr_fam=${family};`)
    })
  })

  describe('bodies', () => {
    it('have their members in the order of the service', async () => {
      const { json } = await made()
      const names = kind === 'vault' ? ['key', 'attributes', 'tags'] : ['attributes', 'key', 'tags']
      expect(Object.keys(json)).toEqual(names)
      const attributes = Object.keys(json.attributes)
      if (kind === 'managedHsm') expect(attributes).toEqual(attributes.toSorted())
      else expect(attributes.slice(0, 4)).toEqual(['enabled', 'key_size', 'created', 'updated'])
      expect(json.attributes.exportable).toBe(false)
    })

    it('of an operation hold what the service tells', async () => {
      const { raw } = place()
      const { name } = await made()
      const value = Buffer.alloc(32).toString('base64url')
      const signed = await raw('POST', `/keys/${name}//sign?${V}`, { alg: 'ES256', value })
      expect(Object.keys(signed.json)).toEqual(kind === 'vault' ? ['kid', 'value'] : ['alg', 'kid', 'value'])
      const body = { alg: 'ES256', digest: value, value: signed.json.value }
      const verified = await raw('POST', `/keys/${name}//verify?${V}`, body)
      expect(Object.keys(verified.json)).toEqual(kind === 'vault' ? ['value'] : ['alg', 'kid', 'value'])
    })

    it('of a ciphertext hold what the service tells', async () => {
      const { fresh, raw } = place()
      const name = fresh()
      const [kty, alg] = kind === 'vault' ? ['RSA', 'RSA-OAEP-256'] : ['oct-HSM', 'A256GCM']
      await raw('POST', `/keys/${name}/create?${V}`, { kty })
      const sealed = await raw('POST', `/keys/${name}//encrypt?${V}`, { alg, value: 'AAAA' })
      expect(Object.keys(sealed.json)).toEqual(
        kind === 'vault' ? ['kid', 'value'] : ['alg', 'iv', 'kid', 'tag', 'value'],
      )
      const { value, iv, tag } = sealed.json
      const opened = await raw('POST', `/keys/${name}//decrypt?${V}`, { alg, value, iv, tag })
      expect(Object.keys(opened.json)).toEqual(kind === 'vault' ? ['kid', 'value'] : ['alg', 'kid', 'value'])
      expect(opened.json.value).toBe('AAAA')
    })

    it('of a refusal end with the activity on a managed HSM, and nowhere else', async () => {
      const { raw } = place()
      const { json, headers } = await raw('GET', `/keys/nobody?${V}`)
      const activity = ` (Activity ID: ${headers.get('x-ms-request-id')})`
      expect(json.error.message.endsWith(activity)).toBe(kind === 'managedHsm')
    })
  })

  describe('the link to the next page', () => {
    it('names the version and the port in a vault, and neither on a managed HSM', async () => {
      const list = place().other('list')
      const [page] = await all(list.client.listPropertiesOfKeys().byPage({ maxPageSize: 1 }))
      expect(page).toHaveLength(1)
      const { json } = await list.raw('GET', `/keys?${V}&maxresults=2`)
      const host = new URL(list.url).host
      const vault = `https://${host}:443/keys?${V}&$skiptoken=`
      expect(json.nextLink.startsWith(kind === 'vault' ? vault : `https://${host}/keys?maxresults=2&$skiptoken=`)).toBe(
        true,
      )
      expect(json.nextLink.includes('api-version')).toBe(kind === 'vault')
    })

    it('leads on as it stands, whatever version it is asked with', async () => {
      const list = place().other('list')
      const { json } = await list.raw('GET', `/keys?${V}&maxresults=2`)
      const path = json.nextLink.replace(/^https:\/\/[^/]+/, '')
      const next = await list.raw('GET', kind === 'vault' ? path.replace(V, 'api-version=7.4') : path)
      const names = [...json.value, ...next.json.value].map(({ kid }: { kid: string }) => kid)
      expect([next.status, new Set(names).size]).toEqual([200, 4])
    })

    it('is null at the end in a vault, and not there on a managed HSM', async () => {
      const { name } = await made()
      const { json } = await place().raw('GET', `/keys/${name}/versions?${V}`)
      expect(json.value).toHaveLength(1)
      expect([json.nextLink, 'nextLink' in json]).toEqual(kind === 'vault' ? [null, true] : [undefined, false])
    })
  })

  describe('paths', () => {
    it.each(['', '/', '//'])('without a version may end in %j', async (end) => {
      const { raw } = place()
      const { name, json } = await made()
      if (end !== '//') expect((await raw('GET', `/keys/${name}${end}?${V}`)).json.key.kid).toBe(json.key.kid)
      const path = `/keys/${name}${end === '' ? '' : '/'}`
      const body = { alg: 'ES256', value: Buffer.alloc(32).toString('base64url') }
      expect((await raw('POST', `${path}/sign?api%2Dversion=7.6`, body)).json.kid).toBe(json.key.kid)
    })
  })
}
