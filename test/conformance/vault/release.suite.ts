import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { type KeyVaultKey, KnownKeyExportEncryptionAlgorithm } from '@azure/keyvault-keys'
import { attest, createAttestationContext } from '@skerry/guest'
import { beforeAll, describe, expect, it } from 'vitest'
import { launchInProcess } from '../../../emulator/src/doors/guest.ts'
import { openRelease, unwrapByNode } from '../../support/released-key.ts'
import { jwkOf } from './keys.suite.ts'
import { base64Url, type Kind, type Place, refusal } from './world.ts'

const MAA = 'sharedweu.weu.attest.azure.net'
const UNMET = 'Target environment attestation does not meet key release policy requirements'
const ENCS = Object.values(KnownKeyExportEncryptionAlgorithm)

/** Release to a guest of the virtual processor, by the token that the attestation service gives it for its own key. */
export function release(place: () => Place, kind: Kind): void {
  const wrapping = generateKeyPairSync('rsa', { modulusLength: 2048 })
  let guest: { readonly token: string; readonly hostData: string }
  /** The same, launched so that its host may look into it. */
  let debuggable: string

  async function attested(debug: boolean) {
    const { emulator, fetch } = place().world
    const launched = await launchInProcess(emulator.psp, { debug })
    const { n, e } = wrapping.publicKey.export({ format: 'jwk' })
    const keys = [{ kty: 'RSA', kid: 'of the guest', key_ops: ['encrypt'], n, e }]
    const runtimeData = Buffer.from(JSON.stringify({ keys }))
    const context = await createAttestationContext({ ...launched, fetch })
    return { token: await attest(context, { maaEndpoint: MAA, runtimeData, fetch }), hostData: launched.hostData }
  }
  beforeAll(async () => {
    guest = await attested(false)
    debuggable = (await attested(true)).token
  })

  const policyFor = (hostData: string) => ({
    version: '1.0.0',
    anyOf: [
      {
        authority: `https://${MAA}`,
        allOf: [
          { claim: 'x-ms-attestation-type', equals: 'sevsnpvm' },
          { claim: 'x-ms-compliance-status', equals: 'azure-compliant-uvm' },
          { claim: 'x-ms-sevsnpvm-hostdata', equals: hostData },
          { claim: 'x-ms-sevsnpvm-is-debuggable', equals: false },
        ],
      },
    ],
  })
  const encoded = (policy: object) => Buffer.from(JSON.stringify(policy))
  const releasable = (policy: object = policyFor(guest.hostData)) => ({
    exportable: true,
    hsm: true,
    releasePolicy: { encodedPolicy: encoded(policy) },
  })
  const opened = async ({ value }: { value: string }) => {
    const answer = await openRelease(value)
    return { ...answer, plaintext: unwrapByNode(answer, wrapping.privateKey) }
  }
  const publicOf = (pkcs8: Buffer) =>
    createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })).export({ format: 'jwk' })

  describe('an exportable key', () => {
    it.each(ENCS)('is released under %s, and it is the one that was made', async (algorithm) => {
      const { client, fresh, url } = place()
      const { name, key, id } = await client.createEcKey(fresh(), { curve: 'P-384', ...releasable() })
      const { payload, keyHsm, plaintext } = await opened(await client.releaseKey(name, guest.token, { algorithm }))
      expect(publicOf(plaintext)).toMatchObject({ x: base64Url(key!.x), y: base64Url(key!.y) })
      expect(payload.request).toMatchObject({ enc: algorithm, kid: `${url}/keys/${name}` })
      expect(payload.response.key.key).toMatchObject({ kid: id, kty: 'EC', crv: 'P-384' })
      expect(keyHsm).toMatchObject({
        schema_version: '1.0',
        header: { alg: 'dir', enc: algorithm, kid: 'of the guest' },
      })
    })

    it('is released when it is RSA, under CKM_RSA_AES_KEY_WRAP where nothing else was asked', async () => {
      const { client, fresh } = place()
      const brought = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
      const { name } = await client.importKey(fresh(), jwkOf(brought), { hardwareProtected: true, ...releasable() })
      const { enc, plaintext } = await opened(await client.releaseKey(name, guest.token))
      expect(enc).toBe('CKM_RSA_AES_KEY_WRAP')
      expect(plaintext).toEqual(brought.export({ type: 'pkcs8', format: 'der' }))
    })

    if (kind === 'managedHsm') {
      it('is released as it is when it is symmetric', async () => {
        const { client, fresh } = place()
        const k = randomBytes(32)
        const jwk = { kty: 'oct-HSM', k }
        const { name } = await client.importKey(fresh(), jwk, { hardwareProtected: true, ...releasable() })
        const { plaintext, payload } = await opened(await client.releaseKey(name, guest.token))
        expect([plaintext, payload.response.key.key.kty]).toEqual([k, 'oct'])
      })
    }

    it('is released with the nonce of the caller, and in the version that is asked for', async () => {
      const { client, fresh } = place()
      const first = await client.createEcKey(fresh(), releasable())
      await client.createEcKey(first.name, { hsm: true })
      const version = first.properties.version!
      const { payload } = await opened(await client.releaseKey(first.name, guest.token, { version, nonce: 'once' }))
      expect(payload.request).toMatchObject({ kid: first.id, nonce: 'once' })
      expect(payload.response.key.key).toMatchObject({ kid: first.id, x: base64Url(first.key!.x) })
    })

    it('is shown as exportable, with its policy and without its secret', async () => {
      const { client, fresh } = place()
      const { name } = await client.createEcKey(fresh(), releasable())
      const { properties } = await client.getKey(name)
      expect([properties.exportable, properties.releasePolicy!.immutable]).toEqual([true, false])
      const stored = JSON.parse(Buffer.from(properties.releasePolicy!.encodedPolicy!).toString())
      const [authority] = policyFor(guest.hostData).anyOf
      // A managed HSM writes a bare host with a slash behind it.
      const url = kind === 'vault' ? `https://${MAA}` : `https://${MAA}/`
      expect(stored).toEqual({ version: '1.0.0', anyOf: [{ ...authority, authority: url }] })
    })

    it('is released while it is expired, and not while it is disabled', async () => {
      const here = place()
      const { client, fresh } = here
      const { name } = await client.createEcKey(fresh(), { ...releasable(), expiresOn: new Date('2020-01-01') })
      await opened(await client.releaseKey(name, guest.token))
      await client.updateKeyProperties(name, { enabled: false })
      await expect(client.releaseKey(name, guest.token)).rejects.toMatchObject(
        refusal(here, 403, 'Forbidden', 'KeyDisabled'),
      )
    })
  })

  describe('a refusal', () => {
    it('to a guest that the policy does not mean is terse, and the journal has each condition', async () => {
      const here = place()
      const { client, fresh, world } = here
      const { name } = await client.createEcKey(fresh(), releasable(policyFor('ab'.repeat(32))))
      await expect(client.releaseKey(name, debuggable)).rejects.toMatchObject(
        refusal(here, 403, 'Forbidden', 'AccessDenied', UNMET),
      )
      const denial = world.emulator.context.journal.records().findLast(({ outcome }) => outcome === 'denied')!
      const unmet = denial.conditions!.filter(({ met }) => !met)
      expect(unmet.map((condition) => [condition.name, condition.wanted, condition.found])).toEqual([
        ['x-ms-sevsnpvm-hostdata', 'ab'.repeat(32), guest.hostData],
        ['x-ms-sevsnpvm-is-debuggable', false, true],
      ])
    })

    it.each([
      ['is no token', () => 'junk'],
      ['was changed after it was signed', () => tampered(guest.token)],
    ])('of evidence that %s is as terse', async (_, token) => {
      const here = place()
      const { name } = await here.client.createEcKey(here.fresh(), releasable())
      await expect(here.client.releaseKey(name, token())).rejects.toMatchObject(
        refusal(here, 403, 'Forbidden', 'AccessDenied', 'Target environment attestation statement cannot be verified.'),
      )
    })

    it('of a key that is not exportable, or not there', async () => {
      const here = place()
      const { client, fresh } = here
      const { name } = await client.createEcKey(fresh(), { hsm: true })
      await expect(client.releaseKey(name, guest.token)).rejects.toMatchObject(
        refusal(here, 403, 'Forbidden', 'KeyOperationForbidden'),
      )
      await expect(client.releaseKey('nobody', guest.token)).rejects.toMatchObject(refusal(here, 404, 'KeyNotFound'))
    })

    it('of a wrapping that nobody knows', async () => {
      const here = place()
      const { name } = await here.client.createEcKey(here.fresh(), releasable())
      const releasing = here.client.releaseKey(name, guest.token, { algorithm: 'RSA_AES_KEY_WRAP_512' })
      await expect(releasing).rejects.toMatchObject(refusal(here, 400, 'BadParameter'))
    })
  })

  describe('a release policy', () => {
    const say = (vault: string, managedHsm: string) => (kind === 'vault' ? vault : managedHsm)
    const make = (options: object) => place().client.createEcKey(place().fresh(), options)
    const changed = async (key: KeyVaultKey, immutable?: boolean) => {
      const encodedPolicy = encoded(policyFor('cd'.repeat(32)))
      const releasePolicy = immutable === undefined ? { encodedPolicy } : { encodedPolicy, immutable }
      return await place().client.updateKeyProperties(key.name, { releasePolicy })
    }

    it('is wanted by an exportable key, and by no other', async () => {
      const missing = say(
        'AKV.SKR.1004: Exportable keys must have release policy.',
        'Exportable keys must have release policy',
      )
      await expect(make({ hsm: true, exportable: true })).rejects.toMatchObject(
        refusal(place(), 400, 'BadParameter', undefined, missing),
      )
      const needless = say('AKV.SKR.1005: Non-exportable keys', 'Non-exportable keys must not have release policy')
      const { releasePolicy } = releasable()
      await expect(make({ hsm: true, releasePolicy })).rejects.toMatchObject(
        refusal(place(), 400, 'BadParameter', undefined, needless),
      )
    })

    it('can be changed, and then another guest is meant', async () => {
      const key = await make(releasable())
      await changed(key)
      await expect(place().client.releaseKey(key.name, guest.token)).rejects.toMatchObject({ statusCode: 403 })
    })

    it('that is immutable cannot', async () => {
      const key = await make(releasable())
      expect((await changed(key, true)).properties.releasePolicy!.immutable).toBe(true)
      await expect(changed(key)).rejects.toMatchObject(refusal(place(), 400, 'BadParameter'))
    })

    it('stays with the key: a new version has it, and is exportable', async () => {
      const key = await make(releasable())
      const { properties } = await place().client.createEcKey(key.name, { hsm: true })
      expect([properties.exportable, properties.releasePolicy]).toEqual([true, key.properties.releasePolicy])
      await opened(await place().client.releaseKey(key.name, guest.token))
    })

    if (kind === 'vault') {
      it('is for hardware keys, in premium vaults', async () => {
        await expect(make({ ...releasable(), hsm: false })).rejects.toMatchObject(
          refusal(place(), 400, 'BadParameter', undefined, 'AKV.SKR.1006'),
        )
        const standard = place().other('standard')
        const { hsm: _, ...software } = releasable()
        await expect(standard.client.createEcKey('k', software)).rejects.toMatchObject(
          refusal(standard, 400, 'BadParameter', undefined, 'AKV.SKR.1001'),
        )
      })
    }
  })
}

function tampered(token: string): string {
  const [header, payload, signature] = token.split('.')
  const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString())
  const other = Buffer.from(JSON.stringify({ ...claims, 'x-ms-sevsnpvm-vmpl': 1 })).toString('base64url')
  return [header, other, signature].join('.')
}
