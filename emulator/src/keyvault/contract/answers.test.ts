import { generateKeyPairSync } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { AUTHORITY, createVaultWorld, MANAGED_HSM, VAULT, type VaultWorld } from '../test-vaults.ts'
import { departures } from './check.ts'
import type { ObjectName, Personality } from './objects.ts'
import { type CoveredOperation, OPERATIONS, type OperationFacts } from './operations.ts'

let world: VaultWorld
beforeEach(() => {
  world = createVaultWorld()
})

const POLICY = {
  version: '1.0.0',
  anyOf: [{ authority: AUTHORITY, allOf: [{ claim: 'x-ms-attestation-type', equals: 'sevsnpvm' }] }],
}
const data = Buffer.from(JSON.stringify(POLICY)).toString('base64url')
const digest = Buffer.alloc(32, 1).toString('base64url')
const RSA = { alg: 'RSA-OAEP-256', value: 'AAAA' }
const BROUGHT = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })
const ROTATION = {
  lifetimeActions: [{ trigger: { timeAfterCreate: 'P60D' }, action: { type: 'Rotate' } }],
  attributes: { expiryTime: 'P90D' },
}

/** Calls operations one after the other, each held against the contract, and remembers which were. */
class Client {
  readonly done = new Set<CoveredOperation>()
  private readonly origin: string
  private readonly personality: Personality
  private readonly apiVersion: string

  constructor(origin: string, personality: Personality, apiVersion: string) {
    this.origin = origin
    this.personality = personality
    this.apiVersion = apiVersion
  }

  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was answered
  async call(operation: CoveredOperation, name = '', body?: unknown): Promise<any> {
    const { method, path, answer } = OPERATIONS[operation]
    const filled = path.replace('{key-name}', name).replace('{key-version}', '')
    const { status, json, text } = await this.send(method, filled, body)
    if (LACKS[this.apiVersion]?.includes(operation)) {
      // A vault takes the word for an operation it does not know; a managed HSM finds nothing there.
      expect([operation, status]).toEqual([operation, this.personality === 'vault' ? 400 : 404])
      return {}
    }
    expect([operation, status, answer === undefined ? text : '']).toEqual([operation, answer ? 200 : 204, ''])
    if (answer) expect([operation, this.departures(answer, json)]).toEqual([operation, []])
    this.done.add(operation)
    return json
  }

  /** Under 7.2 nothing says whether a key is exportable. */
  private departures(answer: ObjectName, json: unknown): string[] {
    const found = departures(answer, json, this.personality)
    return this.apiVersion === '7.2' ? found.filter((line) => !line.endsWith('.exportable is missing')) : found
  }

  private send(method: string, path: string, body: unknown) {
    const separator = path.includes('?') ? '&' : '?'
    return world.call(method, `${this.origin}${path}${separator}api-version=${this.apiVersion}`, body)
  }
}

const SINCE_7_3 = ['release', 'rotate', 'getRotationPolicy', 'putRotationPolicy', 'random'] as const

/** What a version of the API had not yet. */
const LACKS: Readonly<Record<string, readonly CoveredOperation[]>> = {
  '7.2': [...SINCE_7_3, 'attestation'],
  '7.3': ['attestation'],
  '7.4': ['attestation'],
  '7.5': ['attestation'],
}

const SERVICES = [
  ['vault', VAULT],
  ['managedHsm', MANAGED_HSM],
] as const

describe.each(SERVICES)(
  'every answer of a %s has the members of the contract, and no others:',
  (personality, origin) => {
    it.each(['7.2', '7.3', '7.4', '7.5', '7.6', '2025-07-01', '2026-04-01'])('under %s', async (apiVersion) => {
      const client = new Client(origin, personality, apiVersion)
      const exportable = apiVersion === '7.2' ? {} : { exportable: true }
      const attributes = { ...exportable, nbf: 1, exp: 1_900_000_000 }
      const tags = { a: 'b' }
      const release_policy = { data }
      await client.call('create', 'rsa', { kty: 'RSA-HSM', attributes, tags, release_policy })
      await client.call('create', 'ec', { kty: 'EC', crv: 'P-521', tags })
      await client.call('import', 'brought', { key: BROUGHT })
      for (const name of ['rsa', 'ec', 'brought']) {
        await client.call('get', name)
        await client.call('attestation', name)
        await client.call('update', name, { tags: { c: 'd' } })
      }
      await client.call('getRotationPolicy', 'rsa')
      await client.call('putRotationPolicy', 'rsa', ROTATION)
      await client.call('getRotationPolicy', 'rsa')
      await client.call('rotate', 'rsa')
      await client.call('listVersions', 'rsa')
      await client.call('list')
      const sealed = await client.call('encrypt', 'rsa', RSA)
      await client.call('decrypt', 'rsa', { ...RSA, value: sealed.value })
      const wrapped = await client.call('wrapKey', 'rsa', RSA)
      await client.call('unwrapKey', 'rsa', { ...RSA, value: wrapped.value })
      const signed = await client.call('sign', 'rsa', { alg: 'PS256', value: digest })
      await client.call('verify', 'rsa', { alg: 'PS256', digest, value: signed.value })
      await client.call('release', 'rsa', { target: await world.issuer.sign() })
      if (personality === 'managedHsm') await useSymmetricKey(client)
      const backup = await client.call('backup', 'rsa')
      await client.call('delete', 'rsa')
      await client.call('getDeleted', 'rsa')
      await client.call('listDeleted')
      await client.call('recover', 'rsa')
      await client.call('delete', 'rsa')
      await client.call('purge', 'rsa')
      await client.call('restore', '', { value: backup.value })
      const wanted = (Object.keys(OPERATIONS) as CoveredOperation[])
        .filter((name) => personality === 'managedHsm' || !OPERATIONS[name].managedHsmOnly)
        .filter((name) => !LACKS[apiVersion]?.includes(name))
      expect([...client.done].toSorted()).toEqual(wanted.toSorted())
    })

    it('so have the refusals: a code, a message, and what else the service says of itself', async () => {
      const answers = [
        await world.call('GET', `${origin}/keys/none`),
        await world.call('POST', `${origin}/keys/k/create`, { kty: 'DSA' }),
        await world.call('GET', `${origin}/keys/k`, undefined, 'stranger'),
        await world.call('GET', `${origin}/keys?api-version=0`),
      ]
      for (const { json, headers } of answers) {
        const { innererror, ...error } = json.error
        expect(Object.keys(json)).toEqual(['error'])
        expect(error).toEqual({ code: expect.any(String), message: expect.any(String) })
        const activity = ` (Activity ID: ${headers.get('x-ms-request-id')})`
        expect(error.message.endsWith(activity)).toBe(personality === 'managedHsm')
        if (personality === 'managedHsm') expect(innererror).toBeUndefined()
        else expect([undefined, { code: 'ForbiddenByRbac' }]).toContainEqual(innererror)
      }
    })

    it('a member that a request must have and has not is refused with 400', async () => {
      await world.call('POST', `${origin}/keys/k/create`, { kty: 'RSA' })
      // Of release, what is missing is no different from what cannot be verified: 403, as its own tests say.
      const { release: _, ...others } = OPERATIONS
      const wanting = Object.values<OperationFacts>(others).filter(
        ({ required, managedHsmOnly }) => required && (personality === 'managedHsm' || !managedHsmOnly),
      )
      for (const { method, path, required = [] } of wanting) {
        const name = path.endsWith('create') || path === '/keys/{key-name}' ? 'new' : 'k'
        const url = `${origin}${path.replace('{key-name}', name).replace('{key-version}', '')}`
        for (const missing of required) {
          const rest = required.filter((member) => member !== missing)
          const body = Object.fromEntries(rest.map((member) => [member, member === 'alg' ? 'RSA-OAEP' : 'AAAA']))
          const { status, json } = await world.call(method, url, body)
          expect([path, missing, status, json.error?.code]).toEqual([path, missing, 400, 'BadParameter'])
        }
      }
    })
  },
)

async function useSymmetricKey(client: Client): Promise<void> {
  await client.call('random', '', { count: 16 })
  await client.call('create', 'oct', { kty: 'oct-HSM', key_size: 256 })
  await client.call('attestation', 'oct')
  const value = Buffer.alloc(16).toString('base64url')
  const { iv, tag, value: ciphertext } = await client.call('encrypt', 'oct', { alg: 'A256GCM', value })
  await client.call('decrypt', 'oct', { alg: 'A256GCM', value: ciphertext, iv, tag })
  await client.call('delete', 'oct')
}

describe('the check itself', () => {
  const good = { key: { kid: 'k', kty: 'EC', key_ops: ['sign'] }, attributes: {} }

  it.each([
    ['an unknown member', { ...good, more: 1 }, 'KeyBundle.more is unknown'],
    ['a missing one', { key: good.key }, 'KeyBundle.attributes is missing'],
    ['a secret one', { ...good, key: { ...good.key, d: 'AA' } }, 'KeyBundle.key.d must never be answered'],
    ['one of another type', { ...good, tags: { a: 1 } }, 'KeyBundle.tags is not of the type tags'],
    [
      'padding',
      { ...good, release_policy: { data: 'AA==' } },
      'KeyBundle.release_policy.data is not of the type base64url',
    ],
    [
      'milliseconds',
      { ...good, attributes: { created: 1e12 } },
      'KeyBundle.attributes.created is not of the type unixtime',
    ],
    ['null', { ...good, managed: null }, 'KeyBundle.managed is null'],
  ])('finds %s', (_, answer, line) => {
    expect(departures('KeyBundle', answer, 'vault')).toContain(line)
  })
})
