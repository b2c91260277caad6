import { beforeEach, describe, expect, it } from 'vitest'
import { createVaultWorld, MANAGED_HSM, STANDARD_VAULT, VAULT, type VaultWorld } from './test-vaults.ts'

let world: VaultWorld
beforeEach(() => {
  world = createVaultWorld()
})

const bare = (method: string, url: string, headers: Record<string, string> = {}) =>
  world.fetch(new Request(`${url}?api-version=7.4`, { method, headers }))

describe('the first request, without a token', () => {
  it('gets the challenge of a vault', async () => {
    const answer = await bare('POST', `${VAULT}/keys/k/create`, { 'x-ms-client-request-id': 'abc' })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe(
      `Bearer authorization="https://login.microsoftonline.com/${world.ctx.seed.tenantId}", resource="https://vault.azure.net"`,
    )
    expect(answer.headers.get('x-ms-client-request-id')).toBe('abc')
    expect(answer.headers.get('x-ms-keyvault-region')).toBe('westeurope')
    expect(await answer.json()).toEqual({
      error: { code: 'Unauthorized', message: 'AKV10000: Request is missing a Bearer, PoP, or MTLS_POP token.' },
    })
  })

  it('gets the challenge of a managed HSM: two bytes for GET, nothing for POST', async () => {
    const get = await bare('GET', `${MANAGED_HSM}/`, { 'x-ms-client-request-id': 'abc' })
    const post = await bare('POST', `${MANAGED_HSM}/keys/k/create`)
    expect([get.status, await get.text(), post.status, await post.text()]).toEqual([401, 'OK', 401, ''])
    expect(get.headers.get('www-authenticate')).toContain('resource="https://managedhsm.azure.net"')
    expect(get.headers.has('x-ms-client-request-id')).toBe(false)
    expect(get.headers.has('x-ms-keyvault-region')).toBe(false)
  })

  it('leaves nothing in the journal', async () => {
    await bare('GET', `${VAULT}/keys`)
    expect(world.ctx.journal.records()).toEqual([])
  })
})

describe('a token that does not do', () => {
  const withToken = (url: string, token: string) => bare('GET', `${url}/keys`, { authorization: `Bearer ${token}` })

  it('for another audience is told which one is wanted', async () => {
    const answer = await withToken(VAULT, await world.token('https://managedhsm.azure.net'))
    expect(answer.status).toBe(401)
    expect((await answer.json()).error.message).toBe(
      'AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://managedhsm.azure.net.',
    )
    expect(answer.headers.get('www-authenticate')).toContain('Bearer authorization=')
    expect(world.ctx.journal.records().at(-1)).toMatchObject({ outcome: 'denied', answer: { status: 401 } })
  })

  it('is expired after its hour', async () => {
    const token = await world.token('https://vault.azure.net')
    await world.clock.advance(3600_000)
    const answer = await withToken(VAULT, token)
    expect([answer.status, (await answer.json()).error.message]).toEqual([
      401,
      "[TokenExpired] Error validating token: 'S2S12086'.",
    ])
  })

  it('that nobody signed is told which key was looked for, and not what it claims', async () => {
    const [header, claims] = (await world.token('https://vault.azure.net')).split('.')
    const { error } = await (await withToken(VAULT, `${header}.${claims}.${'A'.repeat(342)}`)).json()
    expect(error).toEqual({
      code: 'Unauthorized',
      message: `AKV10046: Unable to resolve the key used for signature validation. EncodedJwtHeader: '${header}'.`,
    })
    expect(JSON.stringify(world.ctx.journal.records())).not.toContain(claims)
  })

  it('is not a token at all', async () => {
    const answer = await withToken(MANAGED_HSM, 'junk')
    expect((await answer.json()).error.message).toMatch(
      /^Error decoding or parsing JWT components \(Activity ID: [0-9a-f-]{36}\)$/,
    )
  })
})

describe('a caller without a role', () => {
  it('is told by a vault what is missing, line by line', async () => {
    const { status, json } = await world.call('GET', `${VAULT}/keys/k`, undefined, 'stranger')
    expect(status).toBe(403)
    expect(json.error.innererror.code).toBe('ForbiddenByRbac')
    const lines = json.error.message.split('\r\n')
    expect(lines).toContain("Action: 'Microsoft.KeyVault/vaults/keys/read'")
    expect(lines).toContain(
      `Resource: '/subscriptions/${world.ctx.seed.subscriptionId}/resourcegroups/rg/providers/microsoft.keyvault/vaults/skerry/keys/k'`,
    )
    expect(world.ctx.journal.records().at(-1)?.action).toMatch(
      /^Assign the role Key Vault .* at .*\/keys\/k or above\.$/,
    )
  })

  it('is told by a managed HSM in one line', async () => {
    const { status, json, headers } = await world.call('GET', `${MANAGED_HSM}/keys/k`, undefined, 'stranger')
    expect(status).toBe(403)
    expect(json.error).toEqual({
      code: 'AccessDenied',
      message: `Not authorized to access Microsoft.KeyVault/managedHsm/keys/read/action on /keys/k (Activity ID: ${headers.get('x-ms-request-id')})`,
    })
  })
})

describe('personalities', () => {
  it('a vault writes the key first and says nothing about who allowed it unless a role did', async () => {
    const { text, json, headers } = await world.call('POST', `${VAULT}/keys/k/create?api-version=7.6`, { kty: 'RSA' })
    expect(Object.keys(json)).toEqual(['key', 'attributes'])
    expect(Object.keys(json.key)).toEqual(['kid', 'kty', 'key_ops', 'n', 'e'])
    expect(json.attributes).toEqual({
      enabled: true,
      key_size: 2048,
      created: 1767225600,
      updated: 1767225600,
      recoveryLevel: 'CustomizedRecoverable+Purgeable',
      recoverableDays: 7,
      exportable: false,
      hsmPlatform: '0',
    })
    expect(text).toMatch(/"attributes":\{"enabled":true,"key_size":2048,"created"/)
    expect(headers.get('x-ms-keyvault-rbac-assignment-id')).toMatch(/^[0-9a-f]{32}$/)
  })

  it('a managed HSM keeps every key in hardware and its members in alphabetical order', async () => {
    const { json, headers } = await world.call('POST', `${MANAGED_HSM}/keys/k/create`, { kty: 'EC', tags: { a: 'b' } })
    expect(Object.keys(json)).toEqual(['attributes', 'key', 'tags'])
    expect(Object.keys(json.key)).toEqual(['crv', 'key_ops', 'kid', 'kty', 'x', 'y'])
    expect(json.key.kty).toBe('EC-HSM')
    expect(headers.get('x-frame-options')).toBe('SAMEORIGIN')
    expect(headers.has('x-ms-keyvault-service-version')).toBe(false)
  })

  it('pages end in different ways, and the next link of a managed HSM has no version', async () => {
    for (const url of [VAULT, MANAGED_HSM]) {
      for (const name of ['a', 'b']) await world.call('POST', `${url}/keys/${name}/create`, { kty: 'EC' })
    }
    const vault = await world.call('GET', `${VAULT}/keys?maxresults=1`)
    expect(vault.json.nextLink).toMatch(
      /^https:\/\/skerry\.vault\.azure\.net:443\/keys\?api-version=7\.4&\$skiptoken=[^&]+&maxresults=1$/,
    )
    const last = await world.call('GET', vault.json.nextLink)
    expect([last.json.value[0].kid, last.json.nextLink]).toEqual([`${VAULT}/keys/b`, null])
    const hsm = await world.call('GET', `${MANAGED_HSM}/keys?maxresults=1`)
    expect(hsm.json.nextLink).toMatch(
      /^https:\/\/skerry\.managedhsm\.azure\.net\/keys\?maxresults=1&\$skiptoken=[^&]+$/,
    )
    const end = await world.call('GET', hsm.json.nextLink)
    expect(Object.keys(end.json)).toEqual(['value'])
  })

  it('the versions of a key that nobody knows are an empty list', async () => {
    expect((await world.call('GET', `${VAULT}/keys/x/versions`)).text).toBe('{"value":[],"nextLink":null}')
    expect((await world.call('GET', `${MANAGED_HSM}/keys/x/versions`)).text).toBe('{"value":[]}')
  })
})

describe('bad input', () => {
  it.each([
    ['a body that is not JSON', 'POST', `${VAULT}/keys/k/create`, '{', 'The request body is not valid JSON.'],
    ['no body', 'POST', `${VAULT}/keys/k/create`, undefined, 'The request body must be a JSON object.'],
    ['no type', 'POST', `${VAULT}/keys/k/create`, '{}', 'Property kty has invalid value'],
    [
      'a type that is not there',
      'POST',
      `${VAULT}/keys/k/create`,
      '{"kty":"oct-HSM"}',
      'Property  has invalid value\r\n',
    ],
    [
      'a name with a blank',
      'POST',
      `${VAULT}/keys/a%20b/create`,
      '{}',
      'The request URI contains an invalid name: a b',
    ],
    ['no name', 'POST', `${VAULT}/keys//create`, '{}', 'Operation not specified'],
    [
      'no key to import',
      'PUT',
      `${VAULT}/keys/k`,
      '{"key":{}}',
      'The property "key" must be a valid JsonWebKey object.',
    ],
  ])('%s', async (_, method, url, body, message) => {
    const answer = await world.fetch(
      new Request(`${url}?api-version=7.4`, {
        method,
        headers: { authorization: `Bearer ${await world.token('https://vault.azure.net')}` },
        ...(body === undefined ? {} : { body }),
      }),
    )
    expect(answer.status).toBe(400)
    expect((await answer.json()).error).toEqual({ code: 'BadParameter', message })
  })

  it('an imported key whose parts do not belong together is refused', async () => {
    const { json } = await world.call('POST', `${VAULT}/keys/other/create`, { kty: 'EC' })
    const { x, y } = json.key
    const d = Buffer.alloc(32, 5).toString('base64url')
    const answer = await world.call('PUT', `${VAULT}/keys/k`, { key: { kty: 'EC', crv: 'P-256', x, y, d } })
    expect(answer.json.error.message).toBe('The property "key" must be a valid JsonWebKey object.')
    expect((await world.call('GET', `${VAULT}/keys/k`)).status).toBe(404)
  })

  it('only a managed HSM heeds the public exponent', async () => {
    const wanted = { kty: 'RSA-HSM', public_exponent: 17 }
    expect((await world.call('POST', `${MANAGED_HSM}/keys/k/create`, wanted)).json.key.e).toBe('EQ')
    expect((await world.call('POST', `${VAULT}/keys/k/create`, wanted)).json.key.e).toBe('AQAB')
  })

  it('a public exponent of 0, which the Java client sends for none, is the usual one', async () => {
    const made = await world.call('POST', `${MANAGED_HSM}/keys/k/create`, { kty: 'RSA-HSM', public_exponent: 0 })
    expect(made.json.key.e).toBe('AQAB')
  })

  it('a standard vault has no hardware', async () => {
    const answer = await world.call('POST', `${STANDARD_VAULT}/keys/k/create`, { kty: 'RSA-HSM' })
    expect(answer.status).toBe(403)
    expect(answer.json.error.message).toBe('Hardware key operation not allowed on standard vault')
  })

  it('a vault that does not exist is not found, and says so', async () => {
    const answer = await world.call('GET', 'https://nobody.vault.azure.net/keys')
    expect([answer.status, answer.json.error.code]).toEqual([404, 'SkerryVaultNotFound'])
  })

  it('what is not covered says so', async () => {
    await world.call('POST', `${VAULT}/keys/k/create`, { kty: 'EC' })
    const answer = await world.call('POST', `${VAULT}/keys/k/securewrapkey?api-version=2026-04-01`, {
      alg: 'RSA-OAEP-256',
    })
    expect([answer.status, answer.json.error.code]).toEqual([501, 'SkerryOperationNotCovered'])
  })

  it.each(['secrets/s', 'certificates', 'deletedsecrets'])(
    'for /%s of a vault says that it is not covered',
    async (path) => {
      const authorization = `Bearer ${await world.token('https://vault.azure.net')}`
      const answer = await bare('GET', `${VAULT}/${path}`, { authorization })
      expect(answer.status).toBe(501)
      expect((await answer.json()).error).toMatchObject({
        code: 'SkerryOperationNotCovered',
        message: 'Skerry does not cover secrets and certificates of a vault.',
      })
    },
  )

  it.each([
    ['POST', '/backup'],
    ['PUT', '/restore'],
    ['POST', '/prebackup'],
    ['PUT', '/keys/k/restore'],
    ['POST', '/securitydomain/download'],
  ])('%s %s is said to be missing of a managed HSM, and is nothing of a vault', async (method, path) => {
    const ofHsm = await world.call(method, `${MANAGED_HSM}${path}`)
    expect([ofHsm.status, ofHsm.json.error.code]).toEqual([501, 'SkerryOperationNotCovered'])
    expect((await world.call(method, `${VAULT}${path}`)).status).toBe(404)
  })
})

describe('a key in use', () => {
  it('does only what it is for', async () => {
    await world.call('POST', `${VAULT}/keys/k/create`, { kty: 'RSA', key_ops: ['encrypt'] })
    const answer = await world.call('POST', `${VAULT}/keys/k//decrypt`, { alg: 'RSA-OAEP', value: 'AAAA' })
    expect(answer.json.error).toEqual({
      code: 'Forbidden',
      message: 'Operation decrypt is not permitted on this key.',
      innererror: { code: 'KeyOperationForbidden' },
    })
  })

  it('after its expiry still opens what it closed, but closes no more', async () => {
    await world.call('POST', `${VAULT}/keys/k/create`, { kty: 'RSA', attributes: { exp: 1767225700 } })
    const body = { alg: 'RSA-OAEP-256', value: 'AAAA' }
    const sealed = await world.call('POST', `${VAULT}/keys/k/encrypt`, body)
    expect(Object.keys(sealed.json)).toEqual(['kid', 'value'])
    await world.clock.advance(100_000)
    const opened = await world.call('POST', `${VAULT}/keys/k/decrypt`, { ...body, value: sealed.json.value })
    expect(opened.json.value).toBe('AAAA')
    const refused = await world.call('POST', `${VAULT}/keys/k/encrypt`, body)
    expect(refused.json.error.innererror.code).toBe('KeyExpired')
  })

  it('keeps its release policy and exportability when it is rotated', async () => {
    const data = Buffer.from(
      '{"version":"1.0.0","anyOf":[{"authority":"https://a.net","anyOf":[{"claim":"c","equals":"v"}]}]}',
    ).toString('base64url')
    const first = await world.call('POST', `${VAULT}/keys/k/create`, {
      kty: 'RSA-HSM',
      attributes: { exportable: true },
      release_policy: { data },
    })
    const second = await world.call('POST', `${VAULT}/keys/k/rotate`)
    expect(second.json.key.kid).not.toBe(first.json.key.kid)
    expect(second.json.key.n).not.toBe(first.json.key.n)
    expect(second.json.attributes.exportable).toBe(true)
    expect(second.json.release_policy).toEqual(first.json.release_policy)
  })
})

describe('a deleted key', () => {
  it('is gone when its retention is over', async () => {
    await world.call('POST', `${VAULT}/keys/k/create`, { kty: 'EC' })
    const { json } = await world.call('DELETE', `${VAULT}/keys/k`)
    expect(Object.keys(json)).toEqual(['recoveryId', 'deletedDate', 'scheduledPurgeDate', 'key', 'attributes'])
    expect(json.scheduledPurgeDate - json.deletedDate).toBe(7 * 86_400)
    const taken = await world.call('PUT', `${VAULT}/keys/k`, { key: {} })
    expect(taken.json.error.innererror.code).toBe('ObjectIsDeletedButRecoverable')
    await world.clock.advance(7 * 86_400_000)
    expect((await world.call('GET', `${VAULT}/deletedkeys/k`)).status).toBe(404)
    expect((await world.call('POST', `${VAULT}/keys/k/create`, { kty: 'EC' })).status).toBe(200)
  })

  it('cannot be purged while it lives', async () => {
    await world.call('POST', `${VAULT}/keys/k/create`, { kty: 'EC' })
    expect((await world.call('DELETE', `${VAULT}/deletedkeys/k`)).json.error.code).toBe('KeyNotFound')
  })

  it('leaves no material in the store once purged', async () => {
    await world.call('POST', `${VAULT}/keys/k/create`, { kty: 'EC' })
    await world.call('POST', `${VAULT}/keys/k/rotate`)
    const material = world.ctx.store.collection('keyvault.material')
    expect(material.entries()).toHaveLength(2)
    await world.call('DELETE', `${VAULT}/keys/k`)
    expect((await world.call('DELETE', `${VAULT}/deletedkeys/k`)).status).toBe(204)
    expect(material.entries()).toEqual([])
  })
})

describe.each([VAULT, MANAGED_HSM])('a backup of a key of %s', (url) => {
  it('brings the key back with all its versions, once its name is free', async () => {
    const first = await world.call('POST', `${url}/keys/k/create`, { kty: 'RSA' })
    const second = await world.call('POST', `${url}/keys/k/create`, { kty: 'RSA' })
    const blob = (await world.call('POST', `${url}/keys/k/backup`)).json
    expect((await world.call('POST', `${url}/keys/restore`, blob)).status).toBe(409)
    const sealed = await world.call('POST', `${first.json.key.kid}/encrypt`, { alg: 'RSA-OAEP', value: 'AAAA' })
    await world.call('DELETE', `${url}/keys/k`)
    expect((await world.call('POST', `${url}/keys/restore`, blob)).status).toBe(409)
    await world.call('DELETE', `${url}/deletedkeys/k`)
    expect((await world.call('POST', `${url}/keys/restore`, blob)).json).toEqual(second.json)
    const opened = await world.call('POST', `${first.json.key.kid}/decrypt`, {
      alg: 'RSA-OAEP',
      value: sealed.json.value,
    })
    expect(opened.json.value).toBe('AAAA')
  })

  it('shows nothing of the key, and nothing else is one', async () => {
    await world.call('POST', `${url}/keys/k/create`, { kty: 'RSA' })
    const { value } = (await world.call('POST', `${url}/keys/k/backup`)).json
    expect(Buffer.from(value, 'base64url').toString('ascii')).toMatch(
      /^(&AzureKeyVaultKeyBackupV1\.microsoft\.com)?eyJ/,
    )
    const answer = await world.call('POST', `${url}/keys/restore`, { value: 'ZG9lc25vdGV4aXN0' })
    expect(answer.status).toBe(400)
    expect(answer.json.error.code).toMatch(/^Malformed ?[Bb]ackup ?[Bb]lob$/)
  })
})
