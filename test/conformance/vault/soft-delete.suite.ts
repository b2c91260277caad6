import { describe, expect, it } from 'vitest'
import { AT_ONCE, all, type Place, refusal } from './world.ts'

/** Delete, deleted, recover, purge; backup and restore. */
export function softDelete(place: () => Place): void {
  const made = async (at = place()) => (await at.client.createEcKey(at.fresh(), { tags: { a: 'b' } })).name
  const deleted = async (at = place()) => {
    const name = await made(at)
    await (await at.client.beginDeleteKey(name, AT_ONCE)).pollUntilDone()
    return name
  }

  describe('delete', () => {
    it('ends with the deleted key, which says until when it can come back', async () => {
      const { client, url } = place()
      const name = await made()
      const key = await (await client.beginDeleteKey(name, AT_ONCE)).pollUntilDone()
      const { recoveryId, deletedOn, scheduledPurgeDate, tags } = key.properties
      expect([key.name, recoveryId, tags]).toEqual([name, `${url}/deletedkeys/${name}`, { a: 'b' }])
      expect(scheduledPurgeDate!.getTime() - deletedOn!.getTime()).toBe(90 * 86_400_000)
      await expect(client.getKey(name)).rejects.toMatchObject(refusal(place(), 404, 'KeyNotFound'))
    })

    it('is seen by name and in the list of the deleted', async () => {
      const { client } = place()
      const names = [await deleted(), await deleted()]
      expect((await client.getDeletedKey(names[0]!)).properties.recoveryId).toMatch(/\/deletedkeys\//)
      expect((await all(client.listDeletedKeys())).map(({ name }) => name)).toEqual(expect.arrayContaining(names))
      const live = (await all(client.listPropertiesOfKeys())).map(({ name }) => name)
      expect(live.filter((name) => names.includes(name))).toEqual([])
    })

    it('keeps the name: create, import and restore say 409', async () => {
      const here = place()
      const { client } = here
      const name = await made()
      const backup = (await client.backupKey(name))!
      await (await client.beginDeleteKey(name, AT_ONCE)).pollUntilDone()
      const conflict = refusal(here, 409, 'Conflict', 'ObjectIsDeletedButRecoverable')
      await expect(client.createEcKey(name)).rejects.toMatchObject({
        ...conflict,
        message: expect.stringContaining('currently in a deleted but recoverable state, and its name cannot be reused'),
      })
      await expect(client.importKey(name, { kty: 'EC', crv: 'P-256' })).rejects.toMatchObject({ statusCode: 409 })
      await expect(client.restoreKeyBackup(backup)).rejects.toMatchObject({ statusCode: 409, code: 'Conflict' })
    })

    it('of a key that is not there, or is deleted already, says 404', async () => {
      const here = place()
      for (const name of ['nobody', await deleted()]) {
        await expect(here.client.beginDeleteKey(name, AT_ONCE)).rejects.toMatchObject(refusal(here, 404, 'KeyNotFound'))
      }
    })

    it('takes a disabled key along, which can be seen, recovered and purged as any other', async () => {
      const { client, fresh } = place()
      const name = fresh()
      await client.createEcKey(name, { enabled: false })
      await (await client.beginDeleteKey(name, AT_ONCE)).pollUntilDone()
      expect((await client.getDeletedKey(name)).properties.enabled).toBe(false)
      await (await client.beginRecoverDeletedKey(name, AT_ONCE)).pollUntilDone()
      expect((await client.getKey(name)).properties.enabled).toBe(false)
      await (await client.beginDeleteKey(name, AT_ONCE)).pollUntilDone()
      await client.purgeDeletedKey(name)
    })
  })

  describe('recover', () => {
    it('brings a key back with all its versions', async () => {
      const { client } = place()
      const name = await made()
      const second = await client.createEcKey(name)
      await (await client.beginDeleteKey(name, AT_ONCE)).pollUntilDone()
      const recovered = await (await client.beginRecoverDeletedKey(name, AT_ONCE)).pollUntilDone()
      expect(recovered.id).toBe(second.id)
      expect(await all(client.listPropertiesOfKeyVersions(name))).toHaveLength(2)
      await expect(client.getDeletedKey(name)).rejects.toMatchObject(refusal(place(), 404, 'KeyNotFound'))
    })

    it('of a key that was never there says 404', async () => {
      const here = place()
      await expect(here.client.beginRecoverDeletedKey('nobody', AT_ONCE)).rejects.toMatchObject({ statusCode: 404 })
    })
  })

  describe('purge', () => {
    it('ends a deleted key, whose name is free again', async () => {
      const { client } = place()
      const name = await deleted()
      expect(await client.purgeDeletedKey(name)).toBeUndefined()
      await expect(client.getDeletedKey(name)).rejects.toMatchObject(refusal(place(), 404, 'KeyNotFound'))
      const again = await client.createEcKey(name)
      expect(await all(client.listPropertiesOfKeyVersions(again.name))).toHaveLength(1)
    })

    it('of a live key says 404', async () => {
      const here = place()
      await expect(here.client.purgeDeletedKey(await made())).rejects.toMatchObject(refusal(here, 404, 'KeyNotFound'))
    })

    it('is refused under purge protection, and the key can still be recovered', async () => {
      const guarded = place().other('guarded')
      const name = await deleted(guarded)
      const { properties } = await guarded.client.getDeletedKey(name)
      expect(properties.recoveryLevel).toBe('Recoverable')
      await expect(guarded.client.purgeDeletedKey(name)).rejects.toMatchObject({
        ...refusal(guarded, 403, 'Forbidden'),
        message: expect.stringContaining('not allowed because purge protection is enabled'),
      })
      expect((await (await guarded.client.beginRecoverDeletedKey(name, AT_ONCE)).pollUntilDone()).name).toBe(name)
    })
  })

  describe('backup and restore', () => {
    it('bring a purged key back: versions, attributes and the moment it was made', async () => {
      const { client, fresh } = place()
      const name = fresh()
      const first = await client.createRsaKey(name, { tags: { a: 'b' }, keyOps: ['sign', 'verify'] })
      const second = await client.createEcKey(name)
      const backup = (await client.backupKey(name))!
      await (await client.beginDeleteKey(name, AT_ONCE)).pollUntilDone()
      await client.purgeDeletedKey(name)
      expect((await client.restoreKeyBackup(backup)).id).toBe(second.id)
      const versions = await all(client.listPropertiesOfKeyVersions(name))
      expect(versions.map(({ id }) => id).toSorted()).toEqual([first.id, second.id].toSorted())
      const { key, properties, keyOperations } = await client.getKey(name, { version: first.properties.version! })
      expect([key!.n, properties.createdOn, properties.tags]).toEqual([
        first.key!.n,
        first.properties.createdOn,
        { a: 'b' },
      ])
      expect(keyOperations!.toSorted()).toEqual(['sign', 'verify'])
    })

    it('work with the key that came back as with the one that went', async () => {
      const here = place()
      const { client, cryptography } = here
      const { name } = await client.createRsaKey(here.fresh())
      const { result: ciphertext } = await cryptography(await client.getKey(name)).encrypt('RSA-OAEP', SECRET)
      const backup = (await client.backupKey(name))!
      await (await client.beginDeleteKey(name, AT_ONCE)).pollUntilDone()
      await client.purgeDeletedKey(name)
      const restored = cryptography(await client.restoreKeyBackup(backup))
      expect(Buffer.from((await restored.decrypt('RSA-OAEP', ciphertext)).result)).toEqual(SECRET)
    })

    it('carry a key into another vault, and into no other managed HSM, whose security domain is its own', async () => {
      const here = place()
      const name = await made()
      const backup = (await here.client.backupKey(name))!
      const there = here.other('guarded')
      const restored = there.client.restoreKeyBackup(backup)
      if (here.isVault) expect((await restored).id).toMatch(new RegExp(`^${there.url}/keys/${name}/`))
      else await expect(restored).rejects.toMatchObject(refusal(there, 400, 'MalformedBackupBlob'))
    })

    it('say 409 when a key of that name lives', async () => {
      const here = place()
      const backup = (await here.client.backupKey(await made()))!
      await expect(here.client.restoreKeyBackup(backup)).rejects.toMatchObject(refusal(here, 409, 'Conflict'))
    })

    it('refuse what is no backup of theirs, each in its own words', async () => {
      const here = place()
      const { code, message } = here.isVault
        ? { code: 'Malformed backup blob', message: 'Backup blob contains invalid or corrupt version.' }
        : { code: 'MalformedBackupBlob', message: 'Backup blob belongs to a different crypto domain' }
      await expect(here.client.restoreKeyBackup(Buffer.from('no backup'))).rejects.toMatchObject(
        refusal(here, 400, code, undefined, message),
      )
    })
  })
}

const SECRET = Buffer.from('a secret of 24 bytes....')
