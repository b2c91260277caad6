import { createHash, generateKeyPairSync } from 'node:crypto'
import type { KeyClient } from '@azure/keyvault-keys'
import { describe, expect, it } from 'vitest'
import { jwkOf } from './keys.suite.ts'
import { AT_ONCE, all, type Kind, type Place, refusal } from './world.ts'

const VERSIONS = ['7.2', '7.3', '7.4', '7.5', '7.6', '2025-07-01', '2026-04-01'] as const
/** Whether a version is `since` or later. */
const has = (version: (typeof VERSIONS)[number], since: (typeof VERSIONS)[number]) =>
  VERSIONS.indexOf(version) >= VERSIONS.indexOf(since)

const BROUGHT = jwkOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)

const POLICY = {
  version: '1.0.0',
  anyOf: [{ authority: 'https://sharedweu.weu.attest.azure.net', allOf: [{ claim: 'a', equals: 'b' }] }],
}

/** The official client in each version of the API: what every version has, and what came later. */
export function serviceVersions(place: () => Place, kind: Kind): void {
  describe.each(VERSIONS)('api-version %s', (serviceVersion) => {
    let made: KeyClient | undefined
    const client = () => {
      made ??= place().clientWith({ serviceVersion })
      return made
    }

    it('has the life of a key: brought, read, listed, changed, used, backed up, deleted, recovered, purged', async () => {
      const name = place().fresh()
      const brought = await client().importKey(name, BROUGHT, { tags: { a: 'b' } })
      expect((await client().getKey(name)).id).toBe(brought.id)
      expect((await all(client().listPropertiesOfKeyVersions(name))).map(({ id }) => id)).toEqual([brought.id])
      expect((await all(client().listPropertiesOfKeys())).map((key) => key.name)).toContain(name)
      expect((await client().updateKeyProperties(name, { tags: { c: 'd' } })).properties.tags).toEqual({ c: 'd' })
      const cryptography = client().getCryptographyClient(name)
      const digest = createHash('sha256').update(name).digest()
      const { result } = await cryptography.sign('PS256', digest)
      expect((await cryptography.verify('PS256', digest, result)).result).toBe(true)
      const { result: wrapped } = await cryptography.wrapKey('RSA-OAEP-256', digest)
      expect(Buffer.from((await cryptography.unwrapKey('RSA-OAEP-256', wrapped)).result)).toEqual(digest)
      const backup = (await client().backupKey(name))!
      await (await client().beginDeleteKey(name, AT_ONCE)).pollUntilDone()
      expect((await all(client().listDeletedKeys())).map((key) => key.name)).toContain(name)
      await (await client().beginRecoverDeletedKey(name, AT_ONCE)).pollUntilDone()
      await (await client().beginDeleteKey(name, AT_ONCE)).pollUntilDone()
      await client().purgeDeletedKey(name)
      expect((await client().restoreKeyBackup(backup)).id).toBe(brought.id)
    })

    it(`${has(serviceVersion, '7.3') ? 'has' : 'lacks'} rotation and release`, async () => {
      const name = place().fresh()
      const releasePolicy = { encodedPolicy: Buffer.from(JSON.stringify(POLICY)) }
      const making = client().createEcKey(name, { hsm: true, exportable: true, releasePolicy })
      if (!has(serviceVersion, '7.3')) {
        const said = 'The exportable attribute is only supported'
        await expect(making).rejects.toMatchObject(refusal(place(), 400, 'BadParameter', undefined, said))
        await place().client.createEcKey(name)
        await expect(client().rotateKey(name)).rejects.toMatchObject({ name: 'RestError' })
        await expect(client().releaseKey(name, 'x.y.z')).rejects.toMatchObject({ name: 'RestError' })
        return
      }
      expect((await making).properties).toMatchObject({ exportable: true })
      await client().updateKeyRotationPolicy(name, { lifetimeActions: [{ action: 'Rotate', timeAfterCreate: 'P2M' }] })
      expect((await client().rotateKey(name)).properties).toMatchObject({ exportable: true })
      await expect(client().releaseKey(name, 'x.y.z')).rejects.toMatchObject(
        refusal(place(), 403, 'Forbidden', 'AccessDenied'),
      )
    })

    it(`${has(serviceVersion, '7.6') ? 'has' : 'lacks'} key attestation`, async () => {
      const { name } = await client().createEcKey(place().fresh(), { hsm: true })
      const attesting = client().getKeyAttestation(name)
      if (has(serviceVersion, '7.6')) expect((await attesting).properties.attestation).toBeDefined()
      else await expect(attesting).rejects.toMatchObject({ name: 'RestError' })
    })

    if (kind === 'vault') {
      it(`${has(serviceVersion, '7.5') ? 'tells' : 'does not tell'} the platform of the HSM`, async () => {
        const { properties } = await client().createEcKey(place().fresh(), { hsm: true })
        expect(properties.hsmPlatform).toBe(has(serviceVersion, '7.5') ? '2' : undefined)
      })
    } else {
      it(`${has(serviceVersion, '2025-07-01') ? 'has' : 'lacks'} HMAC`, async () => {
        const { id } = await client().createOctKey(place().fresh(), { hsm: true, keySize: 256 })
        const cryptography = client().getCryptographyClient(new URL(id!).pathname.split('/')[2]!)
        const signing = cryptography.sign('HS256', Buffer.alloc(32))
        if (has(serviceVersion, '2025-07-01')) expect((await signing).result).toHaveLength(32)
        else await expect(signing).rejects.toMatchObject(refusal(place(), 400, 'BadParameter'))
      })
    }
  })

  it('a version that nobody has is refused, and told the latest', async () => {
    await expect(place().clientWith({ serviceVersion: '7.9' }).getKey('k')).rejects.toMatchObject(
      refusal(place(), 400, 'BadParameter', undefined, 'The specified version (7.9) is not recognized.'),
    )
  })
}
